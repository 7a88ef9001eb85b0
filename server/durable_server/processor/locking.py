"""Waits while the store cannot be written, without holding up anything else.

Another process is writing to it, or its disk is full.

A person's `BEGIN IMMEDIATE` in a shell, or a tool that cleans up the file, keeps the store's one lock
for writers. The batch is in the log by then and is applied when the lock is free, so waiting costs
nothing but time: heartbeats go on, questions are answered, and the next batch fills.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from ..store.interface import Store, StoreFullError

logger = logging.getLogger("durable.processor")

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_NEWS_SECONDS = (1.0, 30.0)
"""How long until the first line about it, and from one to the next."""
_START_SECONDS = 10.0
_ROOM_PAUSE = 0.5
"""How often it is seen whether a full disk has room again."""


class StoreLockedError(Exception):
    """Another process was writing to the store for too long while the log was read."""


class StoreLock:
    """Begins the store's transactions, and repeats those that a full disk has ended."""

    def __init__(self, store: Store, changed: Callable[[], None]) -> None:
        self.problem = ""
        """Why nothing can be written now; empty when all is well. `changed` is called at a change."""
        self._store = store
        self._changed = changed

    async def wait(self, given_up: Callable[[], bool]) -> bool:
        """Begins when nobody else is writing any more; False when it was given up before."""
        now = asyncio.get_running_loop().time
        pause, began = _FIRST_PAUSE, now()
        news = _NEWS_SECONDS[0]
        while not self._store.begin():
            if given_up():
                return False
            waited = now() - began
            if waited > news:
                news = waited + _NEWS_SECONDS[1]
                found = await asyncio.to_thread(self._store.file_users)
                self._set(f"another process is writing to the store ({found})")
                logger.warning(
                    "%s for %d s: nothing is accepted until it ends that", self.problem, waited
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if self.problem:
            logger.warning("the store is free again, after %d s", now() - began)
            self._set("")
        return True

    async def wait_for_room(self, write: Callable[[], None], given_up: Callable[[], bool]) -> bool:
        """Writes when the disk has room again; False when it was given up before."""
        self._set("the disk of the store is full: free some")
        logger.error("%s; nothing is accepted until then", self.problem)
        while not given_up():
            await asyncio.sleep(_ROOM_PAUSE)
            if not self._store.begin():
                continue
            try:
                write()
            except StoreFullError:
                continue
            logger.warning("there is room for the store again")
            self._set("")
            return True
        return False

    def insist(self) -> None:
        """Begins at a start, when nothing else goes on yet; raises StoreLockedError after 10 s."""
        pause, until = _FIRST_PAUSE, time.monotonic() + _START_SECONDS
        while not self._store.begin():
            if time.monotonic() > until:
                raise StoreLockedError(
                    f"another process is writing to the store ({self._store.file_users()}): end"
                    " that process, or its transaction, and start again"
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _set(self, problem: str) -> None:
        self.problem = problem
        self._changed()
