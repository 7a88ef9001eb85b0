"""Nodes in one process over logs in memory, with real links and gRPC, for tests of the relay.

A test says who leads what; the nodes hear of it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.cluster.level import SystemLevel
from durable_server.clustered import NodeMethods
from durable_server.core.limits import Limits
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.metrics.rpc_tally import RpcTally
from durable_server.node import handlers
from durable_server.node.delivery import METHOD, DeliveryIn, DeliveryOut
from durable_server.node.handlers import HandlersIn, HandlersOut
from durable_server.peers.handshake import Credentials
from durable_server.peers.interface import PeerUnavailableError
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.demand import Demand
from durable_server.processor.loop import Processor
from durable_server.processor.router import Router
from durable_server.processor.workers import Workers
from durable_server.requests.build import build_requests
from durable_server.rpc.access_service import AccessService
from durable_server.rpc.answering import ControlMethods
from durable_server.rpc.audit_listing import AuditListing
from durable_server.rpc.control import ClusterLinks, ControlService
from durable_server.rpc.relay import Relay
from durable_server.rpc.relayed import RelayedSessions
from durable_server.rpc.server import RpcServer
from durable_server.rpc.worker import WorkerService
from durable_server.sessions.leaders import Leaders
from durable_server.sessions.sessions import Sessions
from durable_server.sessions.times import SessionTimes
from durable_server.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

PARTITIONS = 3
TIMES = SessionTimes(heartbeat=0.5, timeout=5.0, grace=1.0)
LIMITS = Limits()
TAKEOVER_SECONDS = 2.0
SEARCH_SECONDS = 0.3
LINK_LIMITS = LinkLimits(silence_seconds=2.0)


@dataclass
class Claim:
    """Who leads what, as all nodes have heard it."""

    leaders: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])
    live: set[str] = field(default_factory=set[str])
    cut_off: set[str] = field(default_factory=set[str])
    """The nodes that NATS does not answer."""
    listeners: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def cut(self, node: str) -> None:
        self.cut_off.add(node)
        self.tell()

    def set(self, partition: int, node: str, epoch: int) -> None:
        self.leaders[partition] = (node, epoch)
        self.tell()

    def drop(self, partition: int) -> None:
        self.leaders.pop(partition, None)
        self.tell()

    def tell(self) -> None:
        for listener in list(self.listeners):
            listener()


@dataclass
class Seen:
    """The claims, as one node sees them: `sessions.leaders.Topology`."""

    name: str
    claims: Claim

    @property
    def live(self) -> Mapping[str, _Member]:
        return {name: self._member(name) for name in self.claims.live}

    @property
    def current(self) -> bool:
        return self.name not in self.claims.cut_off

    def leader(self, partition: int) -> _Member | None:
        found = self.claims.leaders.get(partition)
        return None if found is None else self._member(found[0])

    def _member(self, name: str) -> _Member:
        leaders = self.claims.leaders.items()
        return _Member(name, {it: (epoch, 0) for it, (node, epoch) in leaders if node == name})

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.claims.listeners.append(changed)
        return lambda: self.claims.listeners.remove(changed)


@dataclass(frozen=True)
class _Member:
    name: str
    leads: Mapping[int, tuple[int, int]]
    address: str = "an address"
    http_address: str = ""
    format_level: int = 1
    version: str = "a version"
    draining: bool = False
    stopping: bool = False
    follows: Mapping[int, int] = field(default_factory=dict[int, int])


class _Peers:
    """The links of a node, which may lose answers: `Peers`."""

    def __init__(self, cluster: Cluster, links: Links) -> None:
        self._cluster = cluster
        self._links = links
        self._lost: set[str] = set()
        self.open = links.open

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109  # as in `Peers`
        answer = await self._links.call(node, method, body, timeout)
        if self._cluster.loses_answers and method not in self._lost:
            self._lost.add(method)
            raise PeerUnavailableError(f"the answer to {method} is lost")
        return answer


class Node:
    """One node, without a membership of its own."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.cluster = cluster
        self.router = Router(PARTITIONS)
        self.workers = Workers()
        self.sessions = Sessions(self.router, self.workers, cluster.limits, cluster.times)
        self.sessions.demand = Demand(self.workers)
        credentials = Credentials(name, "system", "secret")
        self.links = Links(credentials, cluster.addresses.get, LINK_LIMITS)
        cluster.claims.live.add(name)
        seen = Seen(name, cluster.claims)
        self.router.holds = lambda: seen.current
        self.relay = Relay(self.sessions, self.links, Leaders(self.router, seen))
        # Tests that are about something else may have several workers at one node.
        self.relay.balance.settle_seconds = 3600.0
        self.service = ControlService(
            build_requests(self.router, self.workers, cluster.limits, None),
            RpcTally(),
            cluster=ClusterLinks(
                *(seen, _Peers(cluster, self.links), self.router.listen),
                *(lambda _: None, TAKEOVER_SECONDS, SEARCH_SECONDS),
            ),
        )
        methods = NodeMethods()
        methods.add(RelayedSessions(self.sessions, cluster.limits, cluster.times))
        methods.add(ControlMethods(self.service))
        self.router.remote = DeliveryOut(self.links, name, seen.leader, SystemLevel())
        methods.calls[METHOD] = DeliveryIn(self.router)
        self.router.ask = HandlersOut(self.links, lambda: cluster.claims.live - {name})
        methods.calls[handlers.METHOD] = HandlersIn(self.router, SystemLevel())
        self.peers = PeerServer(credentials, methods, LINK_LIMITS)
        self.server = RpcServer(
            self.service,
            WorkerService(self.sessions, cluster.limits, cluster.times, self.relay),
            self.router,
            access=AccessService(RpcTally(), AuditListing(None, cluster.limits)),
            limits=cluster.limits,
            channelz=False,
        )
        self.processors: dict[int, Processor] = {}
        self.stores: list[SqliteStore] = []
        """The store of each partition that it has led."""
        self.running = False

    async def start(self) -> None:
        self.cluster.addresses[self.name] = await self.peers.start("127.0.0.1:0")
        self.address = await self.server.start("127.0.0.1:0")
        self.channel = grpc.aio.insecure_channel(self.address)
        self.control: Control = control_pb2_grpc.DurableControlStub(self.channel)
        self.running = True

    async def lead(self, partition: int) -> None:
        """Takes a partition over, with an empty store."""
        log = MemoryLog(self.cluster.streams[partition])
        store = SqliteStore(":memory:")
        self.stores.append(store)
        processor = build_processor(
            *(log, store, self.cluster.limits, WallClock(), self.workers),
            index=partition,
            count=PARTITIONS,
        )
        await processor.start(self.name)
        self.processors[partition] = processor
        self.router.add(processor)
        self.cluster.claims.set(partition, self.name, processor.epoch)

    async def release(self, partition: int) -> None:
        """Releases a partition as a node of a cluster does."""
        processor = self.processors.pop(partition)
        self.router.remove(processor)
        await processor.stop()
        processor.dispatcher.leave()
        self.cluster.claims.drop(partition)

    async def kill(self) -> None:
        """Ends the node as a crash does: nothing is released, and all connections break."""
        self.running = False
        for processor in self.processors.values():
            processor.crash()
        await asyncio.gather(self.peers.stop(0), self.server.stop(0))
        await self.links.close()
        await self.relay.close()
        await self.channel.close()
        for store in self.stores:
            store.close()

    async def stop(self) -> None:
        if self.running:
            await self.kill()


class Cluster:
    """Some nodes, and what they share."""

    def __init__(self, times: SessionTimes, limits: Limits) -> None:
        self.times = times
        self.limits = limits
        self.loses_answers = False
        """Whether a link loses the first answer to each kind of call."""
        self.streams = [MemoryStream() for _ in range(PARTITIONS)]
        self.addresses: dict[str, str] = {}
        self.claims = Claim()
        self.nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def leader(self, partition: int) -> Node:
        return self.nodes[self.claims.leaders[partition][0]]


@asynccontextmanager
async def cluster(
    times: SessionTimes = TIMES, limits: Limits = LIMITS, **leads: list[int]
) -> AsyncIterator[Cluster]:
    """Runs nodes by name, each of which leads some partitions."""
    made = Cluster(times, limits)
    async with AsyncExitStack() as stack:
        for name in leads:
            node = made.nodes[name] = Node(made, name)
            await node.start()
            stack.push_async_callback(node.stop)
        for name, partitions in leads.items():
            for partition in partitions:
                await made[name].lead(partition)
        yield made


async def result(nodes: Cluster, partition: int, invocation_id: str) -> bytes:
    """Waits until an invocation is completed; returns its value."""
    request = control_pb2.GetResultRequest(
        invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
    )
    found = await nodes.leader(partition).control.GetResult(request)
    assert found.state == invocation_pb2.INVOCATION_STATE_COMPLETED
    return found.outcome.value.data
