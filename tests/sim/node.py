"""A node: one control plane process, with logs and stores of its own for all partitions.

The real roles decide what it follows and leads, by what it knows of the other nodes (`members`), and
their hosts make it so, over logs in memory. A follower applies the log in pieces, and takes the
partition over at whatever point that has left it.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from durable_server.cluster.level import SystemLevel
from durable_server.cluster.member import Member
from durable_server.core.model import Handler, HandlerKind, RetryPolicy
from durable_server.core.records import HandlerRegistered
from durable_server.log.fenced import FencedLog
from durable_server.log.interface import Log
from durable_server.log.memory import MemoryStream, MemoryStreamClient
from durable_server.log.stream import DeliverMessage
from durable_server.node.delivery import DeliveryIn, DeliveryOut
from durable_server.node.host import PartitionHost
from durable_server.node.roles import Roles
from durable_server.processor.build import build_follower, build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.follower import Follower
from durable_server.processor.loop import Processor
from durable_server.processor.trimming import Snapshots
from durable_server.processor.workers import Workers
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.interface import Store

from .members import LEASE_SECONDS, RENEW_SECONDS, SimMembers
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
DRAIN_SECONDS = 3.0
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

    async def read(self, first: int, last: int, deliver: DeliverMessage) -> None:
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

    def __init__(self, world: World, name: str, disks: list[Disk]) -> None:
        self.world = world
        self.name = name
        self.incarnation = f"{name}-{world.started}"
        self.runs = True
        """Whether it hears the others, and they hear it."""
        self.ended = asyncio.Event()
        """Set when the process has ended."""
        self.storage = SimStorage(world, disks, self.incarnation)
        self.workers = Workers()
        self.router = SimRouter(world)
        self.router.listen(self._register_handlers)
        self.router.listen(world.check_serving)
        self.clock = LoopClock(world.rng.choice((0, 0, -60_000, 60_000)))
        self.hosts = [
            PartitionHost(it, self.router, self.storage, self, self.incarnation)
            for it in range(world.count)
        ]
        self.roles = Roles(self.hosts, standbys=world.standbys, settle=RENEW_SECONDS)
        self.members = SimMembers(world, self)
        self.router.holds = lambda: self.members.current
        self.router.remote = DeliveryOut(world, name, self.members.leader, SystemLevel())
        self.deliver = DeliveryIn(self.router)
        sessions = Sessions(self.router, self.workers, world.limits, TIMES)
        self.service = WorkerService(sessions, world.limits, TIMES)
        self._tasks: list[asyncio.Task[None]] = []

    def record(self) -> Member:
        """Returns what it says of itself."""
        return Member(
            *(self.name, self.incarnation, "", "", "", 1),
            draining=self.roles.draining,
            leads=self.roles.leads,
            takes=self.roles.takes,
            follows=self.roles.follows,
            lease=LEASE_SECONDS,
        )

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

    def _register_handlers(self) -> None:
        """Registers handlers in a partition before anybody else can propose anything."""
        for processor in self.router.all():
            for handler in HANDLERS:
                if handler.name not in processor.partition.handlers:
                    processor.inputs.submit(HandlerRegistered(handler))

    def start(self) -> None:
        """Joins the others and takes its roles."""
        self._tasks.append(asyncio.create_task(self.members.run()))
        known = asyncio.all_tasks()
        self.roles.start(self.members)
        self._tasks += sorted(asyncio.all_tasks() - known, key=asyncio.Task.get_name)
        self.roles.failed.add_done_callback(self.world.check_failed)

    def cut_off(self) -> None:
        """Hears no other node any more, and none hears it; whatever it leads it goes on to lead."""
        self.runs = False
        self._tasks[0].cancel()

    def crash(self) -> None:
        """Ends everything where it stands. What clients see is a broken connection."""
        self.runs = False
        for task in self._tasks:
            task.cancel()
        for processor in self.router.all():
            processor.crash()
        self.ended.set()

    async def stop(self) -> None:
        """Gives its partitions to others, and leaves."""
        await self.roles.drain(DRAIN_SECONDS)
        await self.roles.close()
        self.members.leave()
        await asyncio.wait({self._tasks[0]})
        self.runs = False
        self.ended.set()

    def check_store(self, host: PartitionHost) -> None:
        """Checks that the store of a partition is what its log makes of it, if it has all of it."""
        self.world.histories[host.partition].check_store(self.storage.stores[host.partition])
