"""The trimmer: trims the log below what the store durably holds, while appends go on.

Trimmed records exist only in the store's file from then on. So only a complete checkpoint of the store
moves the position below which the log may be trimmed. While another process reads an older state of the
store, no checkpoint is complete, the position stays where it was, and the log grows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..log.interface import Log, LogUnavailableError, Position
from ..store.interface import Store

logger = logging.getLogger("durable.processor")

_NEWS_SECONDS = 300.0
"""The shortest time between two log lines about the same reader."""


class Trimmer:
    """Trims one partition's log; `failed` gets an error that no later try can mend."""

    def __init__(
        self, log: Log, store: Store, trim_bytes: int, failed: Callable[[Exception], None]
    ) -> None:
        self.kept_bytes = 0
        """The bytes appended since the last trim, or since the start."""
        self._log = log
        self._store = store
        self._trim_bytes = trim_bytes
        self._failed = failed
        self._next = trim_bytes
        """At how many kept bytes the next try is due."""
        self._trimmed = 0
        self._warned = -_NEWS_SECONDS
        self._task: asyncio.Task[None] | None = None

    def committed(self, position: Position, size: int) -> None:
        """Notes a batch of this size in the log and the store, and starts a trim when one is due."""
        self.kept_bytes += size
        if self.kept_bytes > self._next and (self._task is None or self._task.done()):
            # Whether this trim succeeds or not, the next one is due after as many bytes more.
            self._next = self.kept_bytes + self._trim_bytes
            durable = self._store.checkpoint()
            self._task = asyncio.create_task(
                self._trim(durable, position.sequence, self.kept_bytes)
            )

    async def close(self) -> None:
        """Cancels a trim that is running."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _trim(self, durable: int, committed: int, size: int) -> None:
        try:
            if durable > self._trimmed:
                await self._log.trim(durable)
                self._trimmed = durable
            if durable == committed:
                self.kept_bytes -= size
                self._next -= size
            else:
                await self._warn(size)
        except LogUnavailableError as error:
            logger.warning("%s", error)
        except Exception as error:  # noqa: BLE001  # the loop decides what it means
            self._failed(error)

    async def _warn(self, size: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._warned < _NEWS_SECONDS:
            return
        self._warned = now
        found = await asyncio.to_thread(self._store.file_users)
        logger.warning(
            "another process reads an older state of the store (%s): until it ends that, the log is"
            " not trimmed and the store's write-ahead log grows; %d MiB of the log are kept by now",
            *(found, size >> 20),
        )
