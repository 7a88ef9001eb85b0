"""What the followers of a partition need of its log, where no snapshots are made.

Then a follower whose next batch is trimmed has no way on. So the log keeps what a live follower has not
applied. One that is away does not count, or the log would grow without end.
"""

from __future__ import annotations

from collections.abc import Callable


class FollowedLog:
    """The followers of one partition, for its trimmer: `trimming.Snapshots`."""

    def __init__(self, applied: Callable[[], int | None]) -> None:
        """`applied` returns the sequence that each live follower has applied; None without one."""
        self._applied = applied
        self._appended: Callable[[], int] = _zero

    @property
    def kept_sequence(self) -> int:
        """The last sequence that each live follower has; without one, nothing needs the log."""
        applied = self._applied()
        return _ALL if applied is None else applied

    @property
    def kept_from(self) -> int:
        """About how many bytes had been appended then: followers are a second behind at most."""
        return self._appended()

    @property
    def reading(self) -> bool:
        """Whether it reads the store: never."""
        return False

    def attach(self, appended: Callable[[], int], changed: Callable[[], None]) -> None:
        """See `trimming.Snapshots`. The next trim finds what followers have applied meanwhile."""
        self._appended = appended

    def check(self) -> None:
        """Does nothing, because there is no snapshot to make."""


_ALL = 1 << 62


def _zero() -> int:
    return 0
