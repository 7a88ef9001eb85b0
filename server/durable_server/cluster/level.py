"""The format level of the system, as this process knows it: the number, and who wants to know of a
rise.

It stands in the metadata record (`metadata`), `raising` raises it, and the members hear of that. What
it means for a log is in `core.levels`.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.levels import FORMAT_LEVEL


class SystemLevel:
    """The level, which never falls."""

    def __init__(self, now: int = FORMAT_LEVEL) -> None:
        self.now = now
        """The highest level that this process has heard of."""
        self._listeners: list[Callable[[], None]] = []

    def reached(self, level: int) -> None:
        """Takes that the system has this level; a lower one is old news."""
        if level > self.now:
            self.now = level
            for listener in tuple(self._listeners):
                listener()

    def listen(self, risen: Callable[[], None]) -> None:
        """Calls `risen` after each rise. It must not raise."""
        self._listeners.append(risen)
