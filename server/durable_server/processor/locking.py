"""The store's lock: waits while the store cannot be written, without blocking the event loop.

There are two reasons. Another process may hold the store's one lock for writers: a person's `BEGIN
IMMEDIATE` in a shell, or a tool that cleans up the file. Or the disk of the store is full. The batch is
in the log by then and is applied afterwards, so waiting costs nothing but time: heartbeats go on, reads
are answered, and the next batch fills.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..store.interface import Store, StoreFullError

logger = logging.getLogger("durable.processor")

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_NEWS_SECONDS = (1.0, 30.0)
"""How long until the first log line about it, and between two of them."""
_SPACE_PAUSE = 0.5
"""How often a full disk is tried again."""


class StoreLock:
    """Begins the store's transactions, and repeats one that failed because the disk was full."""

    def __init__(self, store: Store) -> None:
        self.problem = ""
        """Why nothing can be written now; empty when all is well."""
        self.changed: Callable[[], None] = _nothing
        """Called when `problem` has changed."""
        self._store = store

    async def wait(self, given_up: Callable[[], bool]) -> bool:
        """Begins when no other process is writing any more; False when it was given up before."""
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

    async def wait_for_space(self, write: Callable[[], None], given_up: Callable[[], bool]) -> bool:
        """Writes when the disk has space again; False when it was given up before."""
        self._set("the disk of the store is full: free some")
        logger.error("%s; nothing is accepted until then", self.problem)
        while not given_up():
            await asyncio.sleep(_SPACE_PAUSE)
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

    def _set(self, problem: str) -> None:
        self.problem = problem
        self.changed()


def _nothing() -> None:
    pass
