"""The host of one partition: what this process has of it, as its follower, its leader or neither.

    idle ──► following ──► taking over ──► leading
      ▲          │              │             │
      └──────────┴──────────────┴─────────────┘

The log and the store are opened when they are first needed and serve both roles, one after the other.
So a follower becomes the leader with the store that it has, after a fence and the last few batches.

The host does what it is told, one thing at a time. Who should lead is decided elsewhere; that it is
safe to write is decided by the log alone (see `log.fenced`). Between the fence and the first answer it
may have to wait until an earlier leader answers no reads any more; that is decided elsewhere, too.
"""

from __future__ import annotations

import enum
from contextlib import AbstractContextManager
from typing import Protocol

from ..cluster.level import SystemLevel
from ..log.interface import Log, Position
from ..processor.follower import Follower
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.trimming import Snapshots
from ..store.interface import Store


class Role(enum.Enum):
    """What this process is for a partition."""

    IDLE = "idle"
    FOLLOWING = "following"
    TAKING = "taking over"
    """Nobody else can write to the log; this process does nothing in the partition yet."""
    LEADING = "leading"


class PartitionStorage(Protocol):
    """Where the partitions are kept; `Storage` is the real one."""

    def log(self, partition: int) -> Log:
        """See `Storage.log`."""
        ...

    async def open_store(self, partition: int) -> Store:
        """See `Storage.open_store`."""
        ...

    async def add_snapshots(self, partition: int) -> Snapshots | None:
        """See `Storage.add_snapshots`."""
        ...

    def remove_snapshots(self, partition: int) -> None:
        """See `Storage.remove_snapshots`."""
        ...

    def explained(self, partition: int) -> AbstractContextManager[None]:
        """See `Storage.explained`."""
        ...


class Builders(Protocol):
    """Makes the parts of a partition."""

    def processor(
        self, partition: int, log: Log, store: Store, snapshots: Snapshots | None
    ) -> Processor:
        """Returns a processor that is not started."""
        ...

    def follower(self, partition: int, log: Log, store: Store) -> Follower:
        """Returns a follower that is not started."""
        ...


class PartitionHost:
    """One partition on this process."""

    def __init__(
        self,
        partition: int,
        router: Router,
        storage: PartitionStorage,
        builders: Builders,
        leader: str,
        level: SystemLevel | None = None,
    ) -> None:
        """`leader` is how this process calls itself in the log, for people. `level` is the format
        level of the system; without it the log gets the newest one.
        """
        self.partition = partition
        self.role = Role.IDLE
        self.processor: Processor | None = None
        """The processor from the takeover to the end of the release."""
        self.log: Log = storage.log(partition)
        self._router = router
        self._storage = storage
        self._builders = builders
        self._leader = leader
        self._level = level or SystemLevel()
        self._level.listen(self._level_has_risen)
        self._store: Store | None = None
        self._follower: Follower | None = None

    @property
    def position(self) -> Position:
        """Up to where this process has applied the log, as leader or follower."""
        if self.processor is not None:
            return self.processor.position
        return self._follower.applied if self._follower is not None else Position()

    def explained(self) -> AbstractContextManager[None]:
        """See `Storage.explained`."""
        return self._storage.explained(self.partition)

    async def follow(self) -> None:
        """Begins to follow. Raises what `Storage.open_store` raises."""
        store = await self._open()
        follower = self._builders.follower(self.partition, self.log, store)
        with self.explained():
            follower.start()
        self._follower, self.role = follower, Role.FOLLOWING

    async def catch_up(self) -> None:
        """Applies what the log has, while following. Raises what `Follower.catch_up` raises."""
        if self._follower is not None:
            with self.explained():
                await self._follower.catch_up()

    async def lead(self) -> Processor:
        """Takes the partition over and leads it. Raises what `Processor.take_over` raises."""
        processor = await self.take_over()
        self.serve()
        return processor

    async def take_over(self) -> Processor:
        """Takes the partition over; `serve` leads it. Raises what `Processor.take_over` raises."""
        store = await self._open()
        self._follower = None
        self.role = Role.IDLE
        snapshots = await self._storage.add_snapshots(self.partition)
        processor = self._builders.processor(self.partition, self.log, store, snapshots)
        try:
            with self.explained():
                await processor.take_over(self._leader)
        except BaseException:
            self._forget(processor)
            raise
        # An earlier leader may have heard of a rise before this process has.
        self._level.reached(processor.partition.level)
        processor.allow_level(self._level.now)
        self.processor, self.role = processor, Role.TAKING
        return processor

    def serve(self) -> None:
        """Leads the partition that was taken over: it goes on, and requests are answered."""
        assert self.processor is not None
        self.role = Role.LEADING
        self.processor.run()
        self._router.add(self.processor)

    def withdraw(self) -> None:
        """Answers no requests any more, at once; to be followed by `release`."""
        if self.processor is not None:
            self._router.remove(self.processor)

    def doubt(self) -> None:
        """Answers no reads until the log has shown that this process still leads the partition."""
        if self.processor is not None:
            self._router.doubt(self.processor)

    async def release(self) -> None:
        """Leads no more: the append in flight ends, and what waits is refused.

        A release that was cancelled is completed by the next one, or by `close`. Raises nothing of the
        log; whoever cares reads `Processor.ended`.
        """
        processor = self.processor
        if processor is None:
            return
        self.role = Role.IDLE
        # Requests go elsewhere before those that wait are refused.
        self._router.remove(processor)
        await processor.stop()
        self.processor = None
        self._forget(processor)
        await self.log.close()

    async def close(self) -> None:
        """Ends every role, and closes the log and the store."""
        await self.release()
        self._follower = None
        self.role = Role.IDLE
        await self.log.close()
        if self._store is not None:
            store, self._store = self._store, None
            store.close()

    async def _open(self) -> Store:
        if self._store is None:
            self._store = await self._storage.open_store(self.partition)
        return self._store

    def _level_has_risen(self) -> None:
        if self.processor is not None:
            self.processor.allow_level(self._level.now)

    def _forget(self, processor: Processor) -> None:
        processor.dispatcher.leave()
        self._storage.remove_snapshots(self.partition)
