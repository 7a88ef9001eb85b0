"""Retention: removes finished invocations whose retention is over, and early outcomes of awakeables.

An early outcome is one of an awakeable that no workflow has created yet; it is kept for a day. That
webhooks of such an awakeable are revoked is kept for as long as a webhook's URL may be valid.

One timer serves all, because the store knows what expires next. Removals are records like any other,
some at a time, so that a million that expire together do not block the loop. While more are due, one
sweep follows the other, and each batch of the log carries some removals beside its work. The size of a
sweep grows with the delay of the removals. So they keep up with any rate at which invocations finish,
and take no more of the loop than that needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.awakeables import EARLY_MS
from ..core.records import AwakeableExpired, Record, Removed
from ..core.replies import Reply
from ..store.interface import Store
from .clock import Alarm, Clock

_LEAST = 50
"""The size of a sweep that is hardly late: some milliseconds of the loop."""
_MOST = 1000
"""The size of a sweep, however late it is."""
_MS_FOR_ONE = 20
"""For each such time by which its first removal is late, a sweep removes one more."""
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
        webhook_seconds: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._now_ms = now_ms
        self._propose = propose
        self._revoked_ms = webhook_seconds * 1000
        self._alarm: Alarm | None = None
        self._sweeping = False
        """Whether removals are being committed; the next wake-up is decided when they are done."""
        self._due_ms = 0

    def schedule(self, due_ms: int = 0) -> None:
        """Sets the alarm for the next removal, which is at `due_ms` if that is known.

        Does nothing when the alarm is set for an earlier time anyway.
        """
        if self._sweeping or (self._alarm is not None and not 0 < due_ms < self._due_ms):
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._due_ms = self._next_expiry()
        if self._due_ms:
            delay_ms = max(_PAUSE_MS, self._due_ms - self._now_ms())
            self._alarm = self._clock.call_later(delay_ms, self._sweep)

    def close(self) -> None:
        """Stops removing."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _sweep(self) -> None:
        self._alarm = None
        now_ms = self._now_ms()
        late_ms = max(0, now_ms - self._next_expiry())
        size = min(_MOST, _LEAST + late_ms // _MS_FOR_ONE)
        records: list[Record] = [Removed(it) for it in self._store.expired(now_ms, size)]
        early = self._store.early_awakeables(
            now_ms - EARLY_MS, now_ms - self._revoked_ms, size - len(records)
        )
        records += [AwakeableExpired(it) for it in early]
        futures = [self._propose(record) for record in records]
        if futures:
            self._sweeping = True
            then = self._sweep if len(futures) == size else self.schedule
            futures[-1].add_done_callback(lambda future: self._swept(future, then))
        else:
            self.schedule()

    def _next_expiry(self) -> int:
        return self._store.next_expiry(EARLY_MS, self._revoked_ms)

    def _swept(self, future: asyncio.Future[Reply], then: Callable[[], None]) -> None:
        self._sweeping = False
        if not future.cancelled() and future.exception() is None:
            then()
