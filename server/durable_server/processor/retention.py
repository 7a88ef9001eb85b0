"""Removes finished invocations whose retention is over, with one timer for all.

The store knows which is next. Removals are records like any other, some hundred at a time, so that a
million that expire together do not hold up the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.machine import Reply
from ..core.records import Record, Removed
from ..store.interface import Store

_SIZE = 500
"""How many are removed at once."""
_SLACK_SECONDS = 86_400.0
"""The longest sleep; a later time is looked at again then."""


class Retention:
    """The retention of one partition."""

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        propose: Callable[[Record], asyncio.Future[Reply]],
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._propose = propose
        self._handle: asyncio.TimerHandle | None = None

    def schedule(self) -> None:
        """Asks to be woken when the next retention is over, unless it is asked for already."""
        if self._handle is not None:
            return
        next_ms = self._store.next_expiry()
        if next_ms:
            delay = min(max(1.0, (next_ms - self._now_ms()) / 1000), _SLACK_SECONDS)
            self._handle = asyncio.get_running_loop().call_later(delay, self._sweep)

    def close(self) -> None:
        """Removes nothing more."""
        if self._handle is not None:
            self._handle.cancel()

    def _sweep(self) -> None:
        self._handle = None
        futures = [
            self._propose(Removed(invocation_id))
            for invocation_id in self._store.expired(self._now_ms(), _SIZE)
        ]
        if futures:
            futures[-1].add_done_callback(self._swept)
        else:
            self.schedule()

    def _swept(self, future: asyncio.Future[Reply]) -> None:
        if not future.cancelled() and future.exception() is None:
            self.schedule()
