"""Removes what was kept long enough, with one timer for all.

That is finished invocations whose retention is over, and outcomes of awakeables that nobody has asked
for within a day.

The store knows which is next. Removals are records like any other, some hundred at a time, so that a
million that expire together do not hold up the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.records import AwakeableExpired, Record, Removed
from ..core.replies import Reply
from ..store.interface import Store
from .clock import Alarm, Clock

_SIZE = 500
"""How many are removed at once."""
EARLY_MS = 24 * 3600 * 1000
"""How long an awakeable's outcome waits for somebody to ask for it."""
_PAUSE_MS = 1000
"""The shortest time between two sweeps."""


class Retention:
    """The retention of one partition."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        now_ms: Callable[[], int],
        propose: Callable[[Record], asyncio.Future[Reply]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._now_ms = now_ms
        self._propose = propose
        self._alarm: Alarm | None = None
        self._due_ms = 0

    def schedule(self, due_ms: int = 0) -> None:
        """Asks to be woken when the next thing is to be removed, or at `due_ms` if that is known.

        Does nothing when it is to be woken before that anyway.
        """
        if self._alarm is not None and not 0 < due_ms < self._due_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._due_ms = self._store.next_expiry(EARLY_MS)
        if self._due_ms:
            delay_ms = max(_PAUSE_MS, self._due_ms - self._now_ms())
            self._alarm = self._clock.call_later(delay_ms, self._sweep)

    def close(self) -> None:
        """Removes nothing more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _sweep(self) -> None:
        self._alarm = None
        now_ms = self._now_ms()
        records: list[Record] = [Removed(it) for it in self._store.expired(now_ms, _SIZE)]
        early = self._store.early_awakeables(now_ms - EARLY_MS, _SIZE)
        records += [AwakeableExpired(it) for it in early]
        futures = [self._propose(record) for record in records]
        if futures:
            futures[-1].add_done_callback(self._swept)
        else:
            self.schedule()

    def _swept(self, future: asyncio.Future[Reply]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.schedule()
