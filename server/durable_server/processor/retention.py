"""Removes what was kept long enough, with one timer for all.

That is finished invocations whose retention is over, and outcomes of awakeables that nobody has asked
for within a day.

The store knows which is next. Removals are records like any other, some at a time, so that a million
that expire together do not hold up the loop. While more is due, one sweep follows the other: each
batch of the log then carries some removals beside its work. How many grows with the time by which they
are late, so they come to keep up with any rate at which the loop finishes invocations, and take no
more of it than that needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.records import AwakeableExpired, Record, Removed
from ..core.replies import Reply
from ..store.interface import Store
from .clock import Alarm, Clock

_LEAST = 50
"""How many are removed at once when they are hardly late: some milliseconds of the loop."""
_MOST = 1000
"""How many are removed at once, however late they are."""
_MS_FOR_ONE = 20
"""One more is removed at once for so much time by which the first is late."""
EARLY_MS = 24 * 3600 * 1000
"""How long an awakeable's outcome waits for somebody to ask for it."""
_PAUSE_MS = 1000
"""The shortest time from the end of a sweep that found nothing more to the next one."""


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
        self._sweeping = False
        """Whether removals are on their way; what comes next is decided when they are done."""
        self._due_ms = 0

    def schedule(self, due_ms: int = 0) -> None:
        """Asks to be woken when the next thing is to be removed, or at `due_ms` if that is known.

        Does nothing when it is to be woken before that anyway.
        """
        if self._sweeping or (self._alarm is not None and not 0 < due_ms < self._due_ms):
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
        late_ms = max(0, now_ms - self._store.next_expiry(EARLY_MS))
        size = min(_MOST, _LEAST + late_ms // _MS_FOR_ONE)
        records: list[Record] = [Removed(it) for it in self._store.expired(now_ms, size)]
        early = self._store.early_awakeables(now_ms - EARLY_MS, size - len(records))
        records += [AwakeableExpired(it) for it in early]
        futures = [self._propose(record) for record in records]
        if futures:
            self._sweeping = True
            then = self._sweep if len(futures) == size else self.schedule
            futures[-1].add_done_callback(lambda future: self._swept(future, then))
        else:
            self.schedule()

    def _swept(self, future: asyncio.Future[Reply], then: Callable[[], None]) -> None:
        self._sweeping = False
        if not future.cancelled() and future.exception() is None:
            then()
