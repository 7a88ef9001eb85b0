"""The trimmer: trims the log below what the store durably holds, while appends go on.

Trimmed records exist only in the store's file from then on. So only a complete checkpoint of the store
moves the position below which the log may be trimmed. While another process reads an older state of the
store, no checkpoint is complete, the position stays where it was, and the log grows.

Where snapshots are made, the log keeps what the older of two snapshots does not hold as well, so that
even a control plane that has lost its store can go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..log.interface import Log, LogUnavailableError, Position
from ..store.interface import Store

logger = logging.getLogger("durable.processor")

_NEWS_SECONDS = 300.0
"""The shortest time between two log lines about the same reader."""


class Snapshots(Protocol):
    """The snapshots of one partition, as far as its trimmer is concerned."""

    @property
    def kept_sequence(self) -> int:
        """The sequence from which on the snapshots need the log; 0 for all of it."""
        ...

    @property
    def kept_from(self) -> int:
        """How many bytes had been appended at that sequence, in the terms of `Trimmer.appended`."""
        ...

    @property
    def reading(self) -> bool:
        """Whether a snapshot reads the store now, so that checkpoints are incomplete."""
        ...

    def attach(self, appended: Callable[[], int], changed: Callable[[], None]) -> None:
        """Gives it the trimmer: `Trimmer.appended`, and what to call when less of the log is needed."""
        ...

    def check(self) -> None:
        """Begins a snapshot if one is due. Returns at once."""
        ...


class Trimmer:
    """Trims one partition's log; `failed` gets an error that no later try can mend."""

    def __init__(
        self,
        log: Log,
        store: Store,
        trim_bytes: int,
        failed: Callable[[Exception], None],
        snapshots: Snapshots | None = None,
    ) -> None:
        self.appended = 0
        """The bytes appended since the start."""
        self._log = log
        self._store = store
        self._trim_bytes = trim_bytes
        self._failed = failed
        self._snapshots = snapshots
        self._next = trim_bytes
        """At how many appended bytes the next try is due."""
        self._trimmed = 0
        """The sequence below which the log is trimmed."""
        self._trimmed_bytes = 0
        """How many bytes had been appended to that sequence."""
        self._committed = 0
        """The sequence of the last commit."""
        self._warned = -_NEWS_SECONDS
        self._closed = False
        self._again = False
        """Whether another trim follows the one that is running."""
        self._task: asyncio.Task[None] | None = None
        if snapshots is not None:
            snapshots.attach(lambda: self.appended, self._begin)

    @property
    def kept_bytes(self) -> int:
        """The bytes that the log keeps: appended since the last trim, or since the start."""
        return self.appended - self._trimmed_bytes

    def start(self, position: Position) -> None:
        """Begins, with the position of the last commit."""
        self._committed = position.sequence

    def committed(self, position: Position, size: int) -> None:
        """Notes a batch of this size in the log and the store, and starts a trim when one is due."""
        self._committed = position.sequence
        self.appended += size
        if self.appended > self._next and self._idle:
            # Whether this trim succeeds or not, the next one is due after as many bytes more.
            self._next = self.appended + self._trim_bytes
            self._begin()
            if self._snapshots is not None:
                self._snapshots.check()

    async def close(self) -> None:
        """Cancels a trim that is running; no other one starts."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def _idle(self) -> bool:
        return self._task is None or self._task.done()

    def _begin(self) -> None:
        """Starts a trim, after the one that is running if there is one."""
        if self._closed:
            return
        if not self._idle:
            self._again = True
            return
        durable = below = self._store.checkpoint()
        trimmed, read_by_us = self.appended, False
        snapshots = self._snapshots
        if snapshots is not None:
            below, trimmed = min(durable, snapshots.kept_sequence), snapshots.kept_from
            read_by_us = snapshots.reading
        # The store may hold a batch more than was noted here.
        complete = durable >= self._committed
        if not complete:
            trimmed = self._trimmed_bytes  # It is not known how much that is.
        read_by_others = not (complete or read_by_us)
        self._task = asyncio.create_task(self._trim(below, trimmed, read_by_others))
        self._task.add_done_callback(self._has_ended)

    def _has_ended(self, _: asyncio.Task[None]) -> None:
        if self._again:
            self._again = False
            self._begin()

    async def _trim(self, below: int, trimmed: int, read_by_others: bool) -> None:
        try:
            if below > self._trimmed:
                await self._log.trim(below)
                self._trimmed = below
            self._trimmed_bytes = max(self._trimmed_bytes, trimmed)
            if read_by_others:
                await self._warn()
        except LogUnavailableError as error:
            logger.warning("%s", error)
        except Exception as error:  # noqa: BLE001  # the loop decides what it means
            self._failed(error)

    async def _warn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._warned < _NEWS_SECONDS:
            return
        self._warned = now
        found = await asyncio.to_thread(self._store.file_users)
        logger.warning(
            "another process reads an older state of the store (%s): until it ends that, the log is"
            " not trimmed and the store's write-ahead log grows; %d MiB of the log are kept by now",
            *(found, self.kept_bytes >> 20),
        )
