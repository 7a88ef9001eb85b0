"""A node of a cluster: the part of the composition root that joins this process to the others.

    secret ─► links, internal port ─► members ─► roles ─► the partitions that this node leads
                                         ▲                      │
                                         └── the node's record ─┘

The node joins when it serves, because its record names its addresses, and from then on the others
forward requests to it. It drains before it stops serving, so that its clients notice nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, field

from . import __version__
from .access.access import AccessError
from .access.current import acting_as, current
from .cluster.level import SystemLevel
from .cluster.member import Member
from .cluster.members import Members
from .cluster.metadata import Metadata
from .cluster.raising import LevelRaiser
from .cluster.secret import LINK_LABEL, WEBHOOK_LABEL, derive
from .config import Config
from .core.levels import FORMAT_LEVEL
from .futures import fail
from .nats.endpoint import EndpointSource
from .nats.routes import is_loopback
from .node import handlers
from .node.delivery import METHOD, DeliveryIn, DeliveryOut
from .node.handlers import HandlersIn, HandlersOut
from .node.health import NodeHealth
from .node.host import PartitionHost
from .node.roles import Roles
from .peers.handshake import Credentials
from .peers.interface import Answer, Methods, Serve, UnreadableError
from .peers.links import Links
from .peers.server import PeerServer
from .peers.transport import LinkTls
from .processor.router import Router
from .rpc.caller import decoded, encoded

CLUSTER_BUDGET = 15.0
"""Seconds without an answer of NATS after which a node leads a partition no more. Longer than an
election of a replicated log takes, and shorter than for a process on its own, because another node may
take over.
"""
READY_SECONDS = 15.0
"""How long a new node waits, at most, until every partition has a leader."""
TAKEOVER_SECONDS = 10.0
"""How much longer than a lease a takeover may take: the election of a log's leader, with a margin."""
DRAIN_SECONDS = 20.0
"""How long a node that stops waits, at most, until others lead its partitions."""

logger = logging.getLogger("durable.node")


@dataclass
class NodeMethods:
    """What this node answers to others. Implements `peers.interface.Methods`."""

    calls: dict[str, Answer] = field(default_factory=dict[str, Answer])
    streams: dict[str, Serve] = field(default_factory=dict[str, Serve])

    def add(self, methods: Methods) -> None:
        """Answers these methods too."""
        self.calls.update(methods.calls)
        self.streams.update(methods.streams)


def _acting(caller: bytes) -> AbstractContextManager[None]:
    """Returns a block in which the caller of a call is the current one. Raises UnreadableError."""
    try:
        return acting_as(decoded(caller))
    except AccessError as error:
        raise UnreadableError(str(error)) from error


class ClusterNode:
    """The membership of one process in a cluster. `join` and `drain` come between start and stop."""

    def __init__(
        self,
        config: Config,
        metadata: Metadata,
        source: EndpointSource,
        secret: bytes,
        router: Router,
        hosts: Sequence[PartitionHost],
        level: SystemLevel,
        tls: LinkTls | None,
    ) -> None:
        self.methods = NodeMethods()
        """What this node answers; to be filled before `listen`."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when this node cannot go on; holds the error."""
        self.webhook_key = derive(secret, WEBHOOK_LABEL).hex()
        """The key that signs webhooks on all nodes, unless the operator gives keys."""
        self._config = config
        self._partitions = metadata.partitions
        self._router = router
        self._incarnation = secrets.token_hex(8)
        self._address = self._internal_address = self._http_address = ""
        self._lived: frozenset[str] = frozenset()
        credentials = Credentials(config.node, metadata.id, derive(secret, LINK_LABEL).hex())
        self.roles = Roles(
            hosts, standbys=config.standbys, shared_stores=config.process is not None
        )
        self.members = Members(source, self._own_record, metadata.partitions, level=level)
        self._raiser = LevelRaiser(source, self.members, metadata.partitions, level)
        self.health = NodeHealth(self.members, self.roles, router)
        self.links = Links(
            credentials,
            self._internal_address_of,
            on_behalf=lambda: encoded(current()),
            tls=tls,
        )
        self._server = PeerServer(
            credentials,
            self.methods,
            tally=self.links.tally,
            acting=_acting,
            tls=tls,
        )
        router.holds = lambda: self.members.current
        router.remote = DeliveryOut(self.links, config.node, self.members.leader, level)
        router.ask = HandlersOut(self.links, self._others)
        self.methods.calls[METHOD] = DeliveryIn(router)
        self.methods.calls[handlers.METHOD] = HandlersIn(router, level)

    @property
    def takeover_seconds(self) -> float:
        """How long it may take until another node leads the partitions of one that is gone."""
        return self._config.lease + TAKEOVER_SECONDS

    async def listen(self, stack: AsyncExitStack) -> None:
        """Serves the other nodes, until the stack is closed."""
        stack.push_async_callback(self.links.close)
        stack.push_async_callback(self._server.stop, 0.0)
        self._internal_address = self._public(await self._server.start(self._config.node_listen))

    async def join(self, address: str, stack: AsyncExitStack) -> None:
        """Joins the cluster, once clients are served at `address`, and takes its partitions.

        Returns when every partition has a leader, or after READY_SECONDS.
        """
        self._address = self._public(address)
        stack.push_async_callback(self.members.leave)
        self.members.listen(self._drop_links)
        await self.members.join()
        for failing in (self.members.failed, self.roles.failed):
            failing.add_done_callback(self._failed)
        stack.push_async_callback(self.roles.close)
        self.roles.start(self.members)
        stack.push_async_callback(self._raiser.close)
        self._raiser.start()
        await self._all_led()

    def serves_http(self, address: str) -> None:
        """Tells the others where this process serves HTTP, once it does.

        They reach a loopback address only on the same machine, and so it is told as it is.
        """
        host = address.rpartition(":")[0].strip("[]")
        self._http_address = address if is_loopback(host) else self._public(address)
        self.members.renew_now()

    async def drain(self) -> None:
        """Gives the partitions of this node to others."""
        await self.roles.drain(DRAIN_SECONDS)

    def hurry(self) -> None:
        """Ends `drain` at once."""
        self.roles.hurry()

    def hold(self) -> None:
        """Keeps the partitions of this node until the end, because the whole system stops."""
        self.roles.hold()

    def _others(self) -> Iterable[str]:
        return [it for it in self.members.live if it != self._config.node]

    def applied_by_followers(self, partition: int) -> int | None:
        """Returns the sequence that each other live node that follows a partition has applied.

        None if no other node follows it.
        """
        live, own = self.members.live, self._config.node
        follows = (it.follows.get(partition) for name, it in live.items() if name != own)
        return min((it for it in follows if it is not None), default=None)

    def _drop_links(self) -> None:
        """Ends the links to nodes that are gone; else that needs a while of silence."""
        live = self.members.live
        for name in self._lived - live.keys():
            self.links.drop(name)
        self._lived = frozenset(live)

    def _own_record(self) -> Member:
        roles = self.roles
        return Member(
            name=self._config.node,
            incarnation=self._incarnation,
            address=self._address,
            http_address=self._http_address,
            internal_address=self._internal_address,
            version=__version__,
            format_level=FORMAT_LEVEL,
            level_hold=self._config.format_level,
            draining=roles.draining,
            stopping=roles.stopping,
            leads=roles.leads,
            takes=roles.takes,
            follows=roles.follows,
            lease=self._config.lease,
        )

    def _internal_address_of(self, node: str) -> str | None:
        member = self.members.live.get(node)
        return None if member is None else member.internal_address

    def _public(self, address: str) -> str:
        """Returns an address of this process as others reach it."""
        host, _, port = address.rpartition(":")
        return f"{self._config.advertise or host}:{port}"

    async def _all_led(self) -> None:
        """Waits until every partition has a leader, or READY_SECONDS have passed."""
        changed = asyncio.Event()
        end = self.members.listen(changed.set)
        self.ended.add_done_callback(lambda _: changed.set())
        try:
            async with asyncio.timeout(READY_SECONDS):
                while self._without_leader() and not self.ended.done():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            missing = ", ".join(map(str, self._without_leader()))
            logger.warning("after %g s nobody leads partition %s yet", READY_SECONDS, missing)
        finally:
            end()

    def _without_leader(self) -> list[int]:
        return [it for it in range(self._partitions) if self.members.leader(it) is None]

    def _failed(self, failing: asyncio.Future[None]) -> None:
        error = None if failing.cancelled() else failing.exception()
        if error is not None:
            fail(self.ended, error)
