"""A node: one control plane process, with logs and stores of its own for all partitions.

It hosts each partition as a follower or as the leader, as it believes that it should. Beliefs come late
and some are wrong, so several nodes may want to lead one partition, or none. A follower applies the log
from time to time, and takes the partition over at whatever point that left it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from durable_server.core.model import Handler, HandlerKind, RetryPolicy
from durable_server.core.records import HandlerRegistered
from durable_server.log.fenced import FencedLog
from durable_server.log.interface import (
    DeposedError,
    Log,
    LogDataLostError,
    LogUnavailableError,
)
from durable_server.log.memory import MemoryStream, MemoryStreamClient
from durable_server.node.host import PartitionHost, Role
from durable_server.processor.build import build_follower, build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.follower import Follower
from durable_server.processor.loop import Processor
from durable_server.processor.trimming import Snapshots
from durable_server.processor.workers import Workers
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.interface import Store

from .network import SimRouter
from .storage import Disk, SimStore

if TYPE_CHECKING:
    from .world import World

POLICY = RetryPolicy(100, 2.0, 1000, -1)
HANDLERS = (
    Handler("program", retry=POLICY),
    Handler("counter.bump", HandlerKind.OBJECT_EXCLUSIVE, POLICY),
    Handler("listener", retry=POLICY),
)
TIMES = SessionTimes(heartbeat=1.0, timeout=4.0, grace=1.0)


class LoopClock(WallClock):
    """The clock of a machine that is wrong by `skew_ms`, on the time of the virtual loop."""

    def __init__(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        return 1_000_000 + self._skew_ms + self.steady_ms()

    def steady_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)


class SlowClient(MemoryStreamClient):
    """A client of a stream that is some way off: each operation takes up to `seconds`, twice."""

    def __init__(self, stream: MemoryStream, rng: random.Random, seconds: float) -> None:
        super().__init__(stream)
        self._rng = rng
        self._seconds = seconds

    async def _travel(self) -> None:
        if self._seconds:
            await asyncio.sleep(self._rng.random() * self._seconds)

    async def publish(self, data: bytes, expected: int) -> None:
        """See `StreamClient.publish`."""
        await self._travel()
        await super().publish(data, expected)
        await self._travel()

    async def read(self, first: int, last: int, deliver: Callable[[int, bytes], None]) -> None:
        """See `StreamClient.read`."""
        await self._travel()
        await super().read(first, last, deliver)


class SimStorage:
    """The logs and the stores of a node. Implements `node.host.PartitionStorage`."""

    def __init__(self, world: World, disks: list[Disk], name: str) -> None:
        self._world = world
        self._disks = disks
        self._name = name
        self._opened = 0
        self.stores: dict[int, SimStore] = {}

    def log(self, partition: int) -> Log:
        """See `Storage.log`."""
        world = self._world
        return FencedLog(
            SlowClient(world.streams[partition], world.rng, world.distance), rng=world.rng
        )

    async def open_store(self, partition: int) -> Store:
        """See `Storage.open_store`; a snapshot is what any node's last checkpoint has held."""
        self._opened += 1
        path = self._world.folder / f"{self._name}-{partition}-{self._opened}.db"
        disk, stream = self._disks[partition], self._world.streams[partition]
        store = disk.open(path)
        if store.sequence < stream.first - 1:
            store.close()
            path = Path(f"{path}.fetched")
            snapshot = max(self._snapshots(partition))[1]
            disk.copies = [snapshot]
            store = disk.open(path)
            assert store.sequence >= stream.first - 1, "the log was trimmed above all checkpoints"
        self.stores[partition] = store
        return store

    def _snapshots(self, partition: int) -> list[tuple[int, bytes]]:
        disks = [slot.disks[partition] for slot in self._world.slots]
        return [(disk.durable, disk.checkpoint) for disk in disks]

    async def add_snapshots(self, partition: int) -> Snapshots | None:
        """See `Storage.add_snapshots`; there are none that the trimmer has to keep the log for."""
        return None

    def remove_snapshots(self, partition: int) -> None:
        """See `Storage.remove_snapshots`."""

    def explained(self, partition: int) -> nullcontext[None]:
        """See `Storage.explained`."""
        return nullcontext()


class SimNode:
    """One process. Its stores begin as the crash of the one before has left them on its disks."""

    def __init__(self, world: World, place: int, disks: list[Disk], name: str) -> None:
        self.world = world
        self.place = place
        self.name = name
        self.storage = SimStorage(world, disks, name)
        self.workers = Workers()
        self.router = SimRouter(world, self)
        self.clock = LoopClock(world.rng.choice((0, 0, -60_000, 60_000)))
        self.hosts = [
            PartitionHost(it, self.router, self.storage, self, name) for it in range(world.count)
        ]
        self.service = self._service()
        self.runs = True
        """Whether it changes its roles."""
        self._tasks: list[asyncio.Task[None]] = []

    def processor(
        self, partition: int, log: Log, store: Store, snapshots: Snapshots | None
    ) -> Processor:
        """See `Builders.processor`."""
        return build_processor(
            *(log, store, self.world.limits, self.clock, self.workers),
            index=partition,
            count=self.world.count,
            snapshots=snapshots,
        )

    def follower(self, partition: int, log: Log, store: Store) -> Follower:
        """See `Builders.follower`."""
        return build_follower(log, store, self.clock, index=partition, count=self.world.count)

    def _service(self) -> WorkerService:
        limits = self.world.limits
        return WorkerService(Sessions(self.router, self.workers, limits, TIMES), limits, TIMES)

    def start(self) -> None:
        """Begins to host all partitions."""
        for host in self.hosts:
            task = asyncio.create_task(self._host(host))
            task.add_done_callback(self.world.check_ended)
            self._tasks.append(task)

    def stop(self) -> None:
        """Changes no role any more; what it leads it goes on to lead, until another node does."""
        self.runs = False
        for task in self._tasks:
            task.cancel()

    def crash(self) -> None:
        """Ends everything where it stands. What clients see is a broken connection."""
        self.stop()
        for processor in self.router.all():
            processor.crash()

    def check_settled(self) -> None:
        """Checks that each partition has the role that it should have, and its store all of the log."""
        for host in self.hosts:
            leads = self.world.placement[host.partition] == self.place
            assert host.role is (Role.LEADING if leads else Role.FOLLOWING), host.role
            position = self.world.histories[host.partition].position
            assert host.position == position, f"{host.position}, the log is at {position}"
            self._check_store(host)

    def _check_store(self, host: PartitionHost) -> None:
        store = self.storage.stores.get(host.partition)
        if store is not None:
            self.world.histories[host.partition].check_store(store)

    async def _host(self, host: PartitionHost) -> None:
        """Hosts a partition for as long as this process runs."""
        rng = self.world.rng
        wanted = self.world.wanted(host.partition, self.place)
        while True:
            try:
                await self._step(host, wanted)
                if rng.random() < 0.05:
                    self._check_store(host)
            except LogUnavailableError:
                pass
            except LogDataLostError:
                # The log was trimmed above this store: it begins anew with a snapshot.
                await host.close()
                del self.storage.stores[host.partition]
            pause: set[asyncio.Future[None]] = {
                asyncio.ensure_future(asyncio.sleep(rng.random() * 2))
            }
            if host.processor is not None:
                pause.add(host.processor.ended)
            await asyncio.wait(pause, return_when=asyncio.FIRST_COMPLETED)
            if rng.random() < 0.7:
                wanted = self.world.wanted(host.partition, self.place)

    async def _step(self, host: PartitionHost, wanted: bool) -> None:
        """Does the next thing that leads to the wanted role."""
        processor = host.processor
        if processor is not None and (processor.ended.done() or not wanted):
            await host.release()
            error = None if processor.ended.cancelled() else processor.ended.exception()
            if error is not None and not isinstance(error, DeposedError | LogUnavailableError):
                raise error
        elif processor is None and wanted:
            await self._lead(host)
        elif host.role is Role.IDLE:
            await host.follow()
        else:
            await host.catch_up()

    async def _lead(self, host: PartitionHost) -> None:
        processor = await host.lead()
        self.service = self._service()
        self.world.leads(self, host.partition)
        try:
            for handler in HANDLERS:
                if handler.name not in processor.partition.handlers:
                    await processor.inputs.propose(HandlerRegistered(handler))
        except ProcessorEndedError:
            pass
