"""Several nodes in one process: real processors over logs in memory, real links, one worker.

The worker is the test's end: it runs nothing and ends what the test says. `System.running` is what runs
on it, whichever node has started it. Who leads what is told to all nodes at once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from durable_server.core import ids
from durable_server.core.limits import Limits
from durable_server.core.model import Handler, Invocation
from durable_server.core.records import Finished, Invoked
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.peers.handshake import Credentials
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.demand import Demand
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.workers import Workers
from durable_server.quotas.service import METHOD, Concurrency
from durable_server.sessions.sessions import Hello, Session, Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.sqlite import SqliteStore

WORKER = "worker-1"


class Named(NamedTuple):
    name: str


class WorkerEnd:
    """The connection of the worker to one node."""

    idle = True

    def __init__(self, system: System) -> None:
        self._system = system

    def start(
        self, invocation: Invocation, journal: object, state: object, state_complete: bool
    ) -> None:
        self._system.started(invocation)

    def welcome(self, epoch: int) -> None:
        pass

    def drain(self) -> None:
        pass

    def replaced(self) -> None:
        pass

    def acknowledge(self, effect: object) -> None:
        pass

    def complete(self, effect: object) -> None:
        pass

    def request_pause(self, invocation_id: str, attempt: int) -> None:
        pass

    def request_cancel(self, invocation: Invocation) -> None:
        pass

    def suspended(self, invocation_id: str, attempt: int) -> None:
        pass

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        raise AssertionError(f"{invocation_id} was abandoned: {reason}")


class Node:
    """One node. Implements `quotas.service.Topology`, by what the system knows."""

    def __init__(self, system: System, name: str) -> None:
        self.name = name
        self.system = system
        self.workers = Workers()
        self.router = Router(system.count)
        self.demand = Demand(self.workers)
        credentials = Credentials(name, "system", "secret")
        self.links = Links(credentials, system.addresses.get)
        self.concurrency = Concurrency(self.router, self.workers, self, self.links)
        methods: Any = SimpleNamespace(calls={}, streams={METHOD: self.concurrency.serve})
        self.server = PeerServer(credentials, methods)
        self.sessions = Sessions(self.router, self.workers, Limits(), SessionTimes())
        self.stores: dict[int, SqliteStore] = {}

    async def start(self) -> None:
        self.system.addresses[self.name] = await self.server.start("127.0.0.1:0")
        self.concurrency.start()

    async def stop(self) -> None:
        for processor in list(self.router.all()):
            await self.release(processor.partition.index)
        self.concurrency.close()
        await self.links.close()
        await self.server.stop(0.0)

    def leader(self, partition: int) -> Named | None:
        name = self.system.leaders.get(partition)
        return None if name is None else Named(name)

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.system.listeners.append(callback)
        return lambda: self.system.listeners.remove(callback)

    async def connect(
        self,
        slots: int,
        handlers: list[Handler],
        worker: str = WORKER,
        resumed: Mapping[str, int] | None = None,
    ) -> Session:
        """Connects a worker to this node."""
        hello = Hello(worker, "", "", slots, handlers, resumed or {})
        return await self.sessions.open(hello, WorkerEnd(self.system))

    async def lead(self, partition: int) -> None:
        """Takes a partition over."""
        log = MemoryLog(self.system.streams[partition])
        store = self.stores[partition] = SqliteStore(self.system.path())
        processor = build_processor(
            log,
            store,
            Limits(),
            WallClock(),
            self.workers,
            index=partition,
            count=self.router.count,
        )
        await processor.start(self.name)
        self.router.add(processor)
        self.system.moved(partition, self.name)

    async def release(self, partition: int) -> None:
        """Leads a partition no more."""
        [processor] = [it for it in self.router.all() if it.partition.index == partition]
        self.router.remove(processor)
        await processor.stop()
        processor.dispatcher.leave()
        self.stores.pop(partition).close()
        if self.system.leaders.get(partition) == self.name:
            self.system.moved(partition, None)


class System:
    """Nodes that lead the partitions of one system."""

    def __init__(self, count: int, folder: Path) -> None:
        self.count = count
        self.streams = [MemoryStream(f"memory-{number}") for number in range(count)]
        self.addresses: dict[str, str] = {}
        self.leaders: dict[int, str] = {}
        self.listeners: list[Callable[[], None]] = []
        self.nodes: dict[str, Node] = {}
        self.running: dict[str, Invocation] = {}
        self.most: Counter[str] = Counter()
        """How many invocations of each handler have run at a time."""
        self.ended = 0
        self._folder = folder
        self._numbers = itertools.count()

    async def add(self, name: str, *partitions: int) -> Node:
        node = self.nodes[name] = Node(self, name)
        await node.start()
        for partition in partitions:
            await node.lead(partition)
        return node

    async def stop(self) -> None:
        for node in self.nodes.values():
            await node.stop()

    def path(self) -> Path:
        return self._folder / f"store-{next(self._numbers)}.db"

    def moved(self, partition: int, name: str | None) -> None:
        if name is None:
            del self.leaders[partition]
        else:
            self.leaders[partition] = name
        for listener in list(self.listeners):
            listener()

    def processor(self, partition: int) -> Processor:
        found = self.nodes[self.leaders[partition]].router.all()
        return next(it for it in found if it.partition.index == partition)

    async def invoke(self, partition: int, handler: str, count: int) -> None:
        processor = self.processor(partition)
        for _ in range(count):
            route = (partition << 16) // self.count + 1
            invocation_id = f"{route:04x}{next(self._numbers):028x}"
            assert ids.partition(invocation_id, self.count) == partition
            await processor.inputs.propose(Invoked(invocation_id, handler, b""))

    def started(self, invocation: Invocation) -> None:
        self.running[invocation.id] = invocation
        for handler, count in self.counts().items():
            self.most[handler] = max(self.most[handler], count)

    def counts(self) -> Counter[str]:
        """Returns how many invocations of each handler run."""
        return Counter(it.handler for it in self.running.values())

    def places(self) -> Mapping[str, int]:
        """Returns how many invocations run for each node."""
        return Counter(map(self.place, self.running))

    def place(self, invocation_id: str) -> str:
        """Returns the node that leads the partition of an invocation."""
        return self.leaders[ids.partition(invocation_id, self.count)]

    async def end(self, invocation_id: str) -> None:
        """Ends what runs on the worker."""
        invocation = self.running[invocation_id]
        processor = self.processor(ids.partition(invocation_id, self.count))
        # It does not run any more when the log says so, and starts another one in the same turn.
        del self.running[invocation_id]
        await processor.inputs.propose(Finished(invocation_id, invocation.attempt, b""))
        self.ended += 1
