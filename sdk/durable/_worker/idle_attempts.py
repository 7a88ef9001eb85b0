"""Which attempts only wait, and which of them make room when the worker is full.

Theory. An attempt that only waits is kept for a while, because to wake it is cheaper than a replay.
That is a cache, and a full cache must not hold up work: when every slot is taken, those that have
waited longest are suspended at once, whatever their time. Otherwise a burst of sleepers would be
served at slots per `suspend_after`, and parents that wait for children could keep the children from
starting.

A quarter of the slots is made free at a time: the control plane fills free slots in batches, and one
slot a round trip would be slow.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

_SHARE: Final = 4


class Resting:
    """The invocations whose attempts only wait, those that do so longest first."""

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._kept: Final[dict[str, None]] = {}
        self._leaving: Final[set[str]] = set()
        """Those that are being suspended: their slots are as good as free."""

    def keep(self, invocation_id: str) -> None:
        """It only waits, and may stay."""
        self._kept[invocation_id] = None

    def leave(self, invocation_id: str) -> None:
        """It is being suspended."""
        self._kept.pop(invocation_id, None)
        self._leaving.add(invocation_id)

    def discard(self, invocation_id: str) -> None:
        """It does not wait any more, or is gone."""
        self._kept.pop(invocation_id, None)
        self._leaving.discard(invocation_id)

    def surplus(self, held: int) -> list[str]:
        """Returns those that must go, when `held` attempts are held in all."""
        if held - len(self._leaving) < self._size:
            return []
        return list(islice(self._kept, max(1, self._size // _SHARE)))
