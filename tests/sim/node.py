"""A node: one control plane process, with stores of its own for all partitions.

For each partition it believes that it should lead it, or not; the beliefs of several nodes do not agree.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durable_server.core.model import Handler, HandlerKind, RetryPolicy
from durable_server.core.records import HandlerRegistered
from durable_server.log.memory import MemoryLog
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.loop import Processor
from durable_server.processor.workers import Workers
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes

from .network import SimRouter
from .storage import Disk

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


class SimNode:
    """One process. Its stores begin as the crash of the one before has left them on its disks."""

    def __init__(self, world: World, name: str, disks: list[Disk]) -> None:
        self.world = world
        self.name = name
        self.disks = disks
        self.workers = Workers()
        self.router = SimRouter(world, self)
        self.clock = LoopClock(world.rng.choice((0, 0, -60_000, 60_000)))
        self.service: WorkerService

    async def start(self) -> None:
        """Leads all partitions."""
        world = self.world
        processors: list[Processor] = []
        for index, (stream, disk) in enumerate(zip(world.streams, self.disks, strict=True)):
            store = disk.open(world.folder / f"{self.name}-{index}.db")
            log = MemoryLog(stream, rng=world.rng)
            processors.append(
                build_processor(
                    log,
                    store,
                    world.limits,
                    self.clock,
                    self.workers,
                    index=index,
                    count=world.count,
                )
            )
        await asyncio.gather(*(it.start(self.name) for it in processors))
        for processor in processors:
            self.router.add(processor)
            world.leads(self, processor.partition.index)
        sessions = Sessions(self.router, self.workers, world.limits, TIMES)
        self.service = WorkerService(sessions, world.limits, TIMES)
        for processor in processors:
            for handler in HANDLERS:
                if handler.name not in processor.partition.handlers:
                    await processor.inputs.propose(HandlerRegistered(handler))

    def crash(self) -> None:
        """Ends all loops where they stand. What clients see is a broken connection."""
        for processor in self.router.all():
            processor.crash()
