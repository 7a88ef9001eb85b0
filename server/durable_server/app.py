"""The control plane: the composition root, which starts the parts and stops them in the reverse order.

    data dir (lock) ─► embedded NATS ─► metadata ─► for each partition: log ─► store ─► processor
                                           │                                              │
                                           └─► snapshots, which give back a lost store ◄──┤
                                                                                          │
                                    HTTP ◄─ gRPC ◄─ requests, sessions

Each part is started after the parts that it needs and stopped before them. An error during the start
stops what was started. The partitions start concurrently, and stop so. `ended` is done when the control
plane cannot go on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .audit.build import OpenAudit, open_audit
from .callers import Callers, open_callers
from .cluster.identity import Identity, write_identity
from .cluster.level import SystemLevel
from .cluster.members import check_no_members
from .cluster.metadata import Metadata, load_or_create
from .cluster.raising import raise_alone
from .cluster.secret import load_or_create_secret
from .clustered import CLUSTER_BUDGET, ClusterNode
from .config import AUDIT_STDOUT, CLUSTER_PARTITIONS, Config
from .core.levels import FORMAT_LEVEL
from .core.limits import Limits
from .futures import fail
from .log.fenced import DEFAULT_BUDGET
from .log.interface import Log
from .log.preflight import check_logs, fit_limits
from .metrics.rpc_tally import RpcTally
from .nats.datadir import DataDir, DataDirError
from .nats.endpoint import EndpointSource
from .node.host import PartitionHost
from .node.storage import Storage
from .node_parts import NodeParts
from .open_files import check_files, fit_connections
from .peers.interface import PeerUnavailableError
from .peers.transport import LinkTls
from .processor.build import build_follower, build_processor
from .processor.clock import WallClock
from .processor.demand import Demand
from .processor.follower import Follower
from .processor.loop import Processor
from .processor.router import Router
from .processor.trimming import Snapshots
from .processor.workers import Workers
from .quotas.service import METHOD as CONCURRENCY
from .quotas.service import Concurrency
from .requests.build import build_requests
from .rpc.access_check import AccessCheck
from .rpc.access_service import AccessService
from .rpc.answering import ControlMethods
from .rpc.audit_listing import AuditListing
from .rpc.audited import Auditor
from .rpc.cluster import ClusterFacts
from .rpc.control import ClusterLinks, ControlService
from .rpc.relay import Relay
from .rpc.relayed import RelayedSessions
from .rpc.server import RpcServer
from .rpc.worker import WorkerService
from .sessions.leaders import Leaders
from .sessions.sessions import Sessions
from .snapshots.build import CLUSTER, NONE, open_keeper
from .snapshots.keeper import Keeper
from .startup import known_identity, open_nats, open_tokens
from .store.interface import Store
from .tls.certificates import Certificates
from .tokens.store import TokenStore
from .webhooks.service import Webhooks, open_webhooks

if TYPE_CHECKING:
    from .access.access import Access
    from .http.requests import Render

_METRICS = "Metrics"
"""The method with which the processes of a machine ask each other for their metrics."""
_METRICS_SECONDS = 2.0
"""How long the answer is waited for; a scrape has 10 s."""

logger = logging.getLogger("durable.app")


class _Builders:
    """Makes the parts of the partitions of one process. Implements `node.host.Builders`."""

    def __init__(self, limits: Limits, workers: Workers, count: int) -> None:
        self._limits = limits
        self._workers = workers
        self._count = count
        self._clock = WallClock()

    def processor(
        self, partition: int, log: Log, store: Store, snapshots: Snapshots | None
    ) -> Processor:
        """See `Builders.processor`."""
        return build_processor(
            *(log, store, self._limits, self._clock, self._workers),
            index=partition,
            count=self._count,
            snapshots=snapshots,
        )

    def follower(self, partition: int, log: Log, store: Store) -> Follower:
        """See `Builders.follower`."""
        return build_follower(log, store, self._clock, index=partition, count=self._count)


class Parent(Protocol):
    """What one of several processes of a machine has from their parent (`processes`)."""

    @property
    def source(self) -> EndpointSource | None:
        """The NATS server that the parent runs; None if there is an external one."""
        ...

    @property
    def stopping(self) -> asyncio.Event:
        """Set when all processes are to stop, and not this one alone."""
        ...


class ControlPlane:
    """One running control plane; an async context manager.

    With a parent it is one of several processes of a machine: a node that has its data dir, its NATS
    server and its addresses in common with the others, and is nobody's but the parent's to announce.
    """

    def __init__(self, config: Config, parent: Parent | None = None) -> None:
        config.check()
        self._parent = parent
        self.config = config
        self.address = ""
        """Where gRPC is served, once started."""
        self.http_address = ""
        """Where HTTP is served, once started; empty when it is not."""
        self._times = config.times
        if config.node:
            # Who waits as long for the partitions of a node that is gone can wait for a worker, which
            # may have to look for another node meanwhile.
            grace = max(config.times.grace, config.lease)
            self._times = config.times._replace(grace=grace)
        self._stack = AsyncExitStack()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the control plane cannot go on; holds the error."""
        self.node: ClusterNode | None = None
        """The membership in a cluster, once started; None without one."""
        self._certificates: Certificates | None = None
        self.callers: Callers | None = None
        """The ways for callers to show who they are; None where callers are not authenticated."""
        self._check: AccessCheck | None = None
        """What checks every call; None where callers are not authenticated."""
        self.tokens: TokenStore | None = None
        """The API tokens, once started; None where callers are not authenticated."""
        self._audit: OpenAudit | None = None
        self._node_parts: NodeParts | None = None
        self._hosts: Sequence[PartitionHost] = ()
        self._router: Router | None = None
        self._relay: Relay | None = None

    @property
    def router(self) -> Router:
        """The partitions, once started."""
        assert self._router is not None
        return self._router

    def check_ended(self) -> None:
        """Raises the error with which this control plane has ended.

        It is StoreUnusableError if SQLite raised it in a partition.
        """
        # A node goes on without a partition; what it cannot go on without is in `ended`.
        for host in self._hosts if self.node is None else ():
            if host.processor is not None and host.processor.ended.done():
                with host.explained():
                    host.processor.ended.result()
        if self.ended.done():
            self.ended.result()

    async def __aenter__(self) -> ControlPlane:
        try:
            await self._start()
        except BaseException as error:
            await self._stack.aclose()
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                place = self.config.data_dir.resolve()
                problem = f"the disk of {place} is full; free some, or name another --data-dir"
                raise DataDirError(problem) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self.node is not None and not self.ended.done():
                await self._drain(self.node)
        finally:
            await self._stack.aclose()

    def hurry(self) -> None:
        """Ends the wait for other nodes to take over what this one leads, if it stops."""
        if self.node is not None:
            self.node.hurry()

    def reopen_files(self) -> None:
        """Opens the file of the audit anew, as after it was moved."""
        if self._audit is not None and self._audit.file is not None:
            self._audit.file.reopen()

    async def _drain(self, node: ClusterNode) -> None:
        """Gives partitions and workers to other nodes, unless these stop too."""
        if self._parent is None:
            await self._hand_over(node)
            return
        stopping = asyncio.ensure_future(self._parent.stopping.wait())
        tasks: set[asyncio.Future[Any]] = {stopping}
        if not self._parent.stopping.is_set():
            tasks.add(asyncio.ensure_future(self._hand_over(node)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            node.hold()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _hand_over(self, node: ClusterNode) -> None:
        await node.drain()
        assert self._relay is not None
        # Before this node leaves the cluster: until then, it passes on what the workers send.
        await self._relay.leave()

    async def _start(self) -> None:
        config, stack = self.config, self._stack
        if config.tls is not None:
            self._certificates = Certificates(config.tls)
            stack.callback(self._certificates.close)
            self._certificates.watch()
        data = self._data_dir()
        # Before the metadata: the number of partitions of a new system is for good.
        check_files(config.partitions)
        source = await self._source(data)
        limits = config.limits
        if config.nats_url:
            limits = await fit_limits(limits, source)
        metadata = await load_or_create(
            source,
            partitions=config.partitions,
            default=CLUSTER_PARTITIONS if config.node else 1,
            replicas=config.copies,
            known=known_identity(data),
            level_hold=config.format_level,
        )
        level = SystemLevel(metadata.format_level)
        count = metadata.partitions
        check_files(count)
        limits = fit_connections(limits, count)
        if config.nats_url and count > 1:
            await check_logs(range(1, count), source)
        keeper = open_keeper(
            config.snapshots or (CLUSTER if config.shares_nats else NONE),
            source,
            metadata,
            data,
            replicas=config.copies,
            trim_bytes=limits.trim_bytes,
            process=config.node if self._parent else "",
        )
        workers = Workers()
        router = self._router = Router(count)
        storage = Storage(
            *(source, metadata, data, keeper),
            replicas=config.copies,
            budget=CLUSTER_BUDGET if config.node else DEFAULT_BUDGET,
            shared=self._parent is not None,
        )
        builders = _Builders(limits, workers, count)
        leader = f"{socket.gethostname()}:{os.getpid()}"
        hosts = self._hosts = [
            PartitionHost(it, router, storage, builders, leader, level) for it in range(count)
        ]
        stack.push_async_callback(_close, hosts)
        if keeper is not None:
            stack.push_async_callback(keeper.close)
        node = secret = None
        if config.node:
            await asyncio.gather(*(it.log.create() for it in hosts))
            secret = await load_or_create_secret(source, config.copies)
            node = self.node = self._node(metadata, source, secret, router, hosts, level)
            storage.applied_by_followers = node.applied_by_followers
        else:
            if config.nats_url:
                await check_no_members(source, count)
            await raise_alone(source, level, config.format_level or FORMAT_LEVEL)
            await self._lead(hosts)
            # The logs and the stores fit each other.
            write_identity(data, Identity(metadata.id, count))
        if keeper is not None:
            await keeper.start(optional=not config.snapshots)
        # After the logs, because its stream must not take the room that they need.
        self._audit = await open_audit(
            stack,
            source,
            file=config.audit_file,
            stdout=config.audit == AUDIT_STDOUT,
            log=config.audits_to_log,
            replicas=config.copies,
            days=config.audit_days,
        )
        webhooks = self._webhooks(data) if config.http else None
        rpcs = RpcTally()
        facts = ClusterFacts(
            metadata.id,
            lambda: level.now,
            FORMAT_LEVEL,
            standbys=config.standbys if config.node else 0,
        )
        render = self._metrics(router, workers, rpcs, keeper) if config.http else None
        if config.authenticates:
            first = self._parent is None
            self.tokens = await open_tokens(config, source, data, first=first)
            stack.push_async_callback(self.tokens.close)
            secret = secret or await load_or_create_secret(source, config.copies)
            self.callers = open_callers(config, secret, stack, self.tokens.table)
        server, control = await self._make_grpc(router, workers, rpcs, limits, webhooks, facts)
        if node is not None and self._parent is not None:
            # Nobody connects to this process before it has joined: the others have its address too.
            await node.join(config.listen, stack)
            await self._serve_grpc(server, control)
        else:
            await self._serve_grpc(server, control)
            if node is not None:
                await node.join(self.address, stack)
                write_identity(data, Identity(metadata.id, count))
        if webhooks is not None and render is not None:
            await self._serve_http(server.own_address, render, limits, webhooks)
        if node is not None:
            logger.info("node %s serves on %s, %d partitions", config.node, self.address, count)
            return
        if count == 1:
            logger.info("serving on %s, epoch %d", self.address, router.any().epoch)
        else:
            logger.info("serving on %s, %d partitions", self.address, count)

    def _node(
        self,
        metadata: Metadata,
        source: EndpointSource,
        secret: bytes,
        router: Router,
        hosts: Sequence[PartitionHost],
        level: SystemLevel,
    ) -> ClusterNode:
        """Makes this process a node that has not joined yet."""
        config = self.config
        node = ClusterNode(config, metadata, source, secret, router, hosts, level, self._link_tls())
        node.ended.add_done_callback(self._partition_ended)
        return node

    def _link_tls(self) -> LinkTls | None:
        """Returns the TLS of links to other nodes; None where they are on this machine or have none."""
        certificates = self._certificates
        if certificates is None or certificates.serving_nodes is None:
            return None
        return LinkTls(certificates.serving_nodes, certificates.dialling_nodes)

    def _relay_sessions(
        self,
        node: ClusterNode,
        sessions: Sessions,
        router: Router,
        workers: Workers,
        limits: Limits,
    ) -> Relay:
        """Joins the sessions of workers, and the limits of handlers, to those on the other nodes."""
        sessions.demand = Demand(workers)
        node.methods.add(RelayedSessions(sessions, limits, self._times))
        quotas = Concurrency(router, workers, node.members, node.links)
        node.methods.streams[CONCURRENCY] = quotas.serve
        self._stack.callback(quotas.close)
        quotas.start()
        leaders = Leaders(router, node.members)
        relay = Relay(sessions, node.links, leaders, missing_seconds=node.takeover_seconds)
        self._stack.push_async_callback(relay.close)
        return relay

    async def _lead(self, hosts: Sequence[PartitionHost]) -> None:
        """Takes all partitions over concurrently, for as long as this process runs.

        After the first error it cancels the others, and raises that error.
        """
        starts = [asyncio.ensure_future(it.lead()) for it in hosts]
        try:
            for processor in await asyncio.gather(*starts):
                processor.ended.add_done_callback(self._partition_ended)
        finally:
            for start in starts:
                start.cancel()
            await asyncio.wait(starts)

    def _partition_ended(self, ended: asyncio.Future[None]) -> None:
        if self.ended.done():
            return
        error = ended.exception()
        if error is None:
            self.ended.set_result(None)
        else:
            self._end(error)

    def _end(self, error: BaseException) -> None:
        """Ends the control plane with an error."""
        fail(self.ended, error)

    def _metrics(
        self, router: Router, workers: Workers, rpcs: RpcTally, keeper: Keeper | None
    ) -> Render:
        """Returns what renders the metrics, of all processes of the machine where there are some."""
        # Imported here because it needs the extra `http`.
        from .prometheus import Exposition, gathered

        own = Exposition(
            *(router, workers, rpcs, keeper, lambda: self._node_parts, self.config.data_dir),
            audits=() if self._audit is None else self._audit.collectors,
        )
        node = self.node
        if node is None or self._parent is None:

            async def render(accept: str, access: Access) -> tuple[bytes, str]:
                return own.render(accept, access)

            return render

        async def answer(_body: bytes) -> bytes:
            return own.render("")[0]

        node.methods.calls[_METRICS] = answer

        async def render_all(accept: str, access: Access) -> tuple[bytes, str]:
            names = sorted(node.members.live)
            texts = await asyncio.gather(*(text_of(it) for it in names))
            return gathered(
                {it: text for it, text in zip(names, texts, strict=True) if text is not None},
                accept,
                access,
            )

        async def text_of(name: str) -> bytes | None:
            if name == self.config.node:
                return await answer(b"")
            try:
                return await node.links.call(name, _METRICS, b"", _METRICS_SECONDS)
            except PeerUnavailableError:
                return None

        return render_all

    async def _make_grpc(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        limits: Limits,
        webhooks: Webhooks | None,
        facts: ClusterFacts,
    ) -> tuple[RpcServer, ControlService]:
        """Makes the servers, for clients and for nodes, of which the one for nodes serves already."""
        config, node = self.config, self.node
        requests = build_requests(router, workers, limits, webhooks)
        sessions = Sessions(router, workers, limits, self._times)
        others = relay = None
        if node is not None:
            others = ClusterLinks(
                node.members,
                node.links,
                router.listen,
                node.roles.set_drained,
                takeover_seconds=node.takeover_seconds,
            )
            relay = self._relay = self._relay_sessions(node, sessions, router, workers, limits)
        control = ControlService(requests, rpcs, facts, others)
        sessions.lookup = control
        if node is not None:
            node.methods.add(ControlMethods(control))
            await node.listen(self._stack)
            assert relay is not None
            assert control.forwarding is not None
            self._node_parts = NodeParts(
                *(node.members, node.roles, node.links.tally, control.forwarding, relay, workers)
            )
        serving = WorkerService(sessions, limits, self._times, relay)
        audit = self._audit
        access = AccessService(
            rpcs,
            AuditListing(None if audit is None else audit.reader, limits),
            authenticates=config.authenticates,
            tokens=self.tokens,
        )
        auditor = None
        if audit is not None:
            auditor = Auditor(audit.audit, node=config.node, strict=config.audit_strict)
            control.auditor = serving.auditor = access.auditor = auditor
        if self.callers is not None:
            self._check = self._access_check(self.callers, limits, rpcs, auditor)
        server = RpcServer(
            control,
            serving,
            router if node is None else node.health,
            limits=limits,
            access=access,
            channelz=config.channelz,
            share_port=self._parent is not None,
            check=self._check,
            certificates=self._certificates,
        )
        return server, control

    def _access_check(
        self, callers: Callers, limits: Limits, rpcs: RpcTally, auditor: Auditor | None
    ) -> AccessCheck:
        """Makes what checks every call."""
        check = AccessCheck(
            callers.authenticators,
            callers.revocations,
            *(callers.process_secret, limits, rpcs, auditor),
        )
        self._stack.callback(check.close)
        return check

    async def _serve_grpc(self, server: RpcServer, control: ControlService) -> None:
        self._stack.push_async_callback(server.stop, self.config.grace_seconds)
        self._stack.callback(control.close)
        self.address = control.address = await server.start(self.config.listen)

    async def _serve_http(
        self, control: str, render: Render, limits: Limits, webhooks: Webhooks
    ) -> None:
        """Serves HTTP as a client of the gRPC server at the address `control`."""
        # Imported here because they need the extra `http`.
        from .http.authentication import Authentication
        from .http.control_client import ControlClient
        from .http.requests import Backend
        from .http.server import HttpAddressError, HttpServer

        config, callers = self.config, self.callers
        status = self.router if self.node is None else self.node.health
        authentication = None
        if callers is not None and self._check is not None:
            authentication = Authentication(
                callers.authenticate,
                callers.process_secret.metadata,
                callers.sessions(),
                callers.sign_in(),
                self._check,
            )
        http = HttpServer(
            Backend(
                ControlClient.at(control),
                webhooks,
                render,
                lambda: status.problem,
                limits.payload_bytes,
                authentication,
                config.codec_endpoint,
            ),
            public_url=config.public_url.rstrip("/"),
            allowed_hosts=config.allowed_hosts,
            insecure=config.insecure,
            connections=limits.connections,
            share_port=self._parent is not None,
            tls=None if self._certificates is None else self._certificates.serving,
        )
        try:
            self.http_address = await http.start(config.http)
        except HttpAddressError:
            if not config.http_optional:
                raise
            webhooks.disabled = True
        else:
            self._stack.push_async_callback(http.stop, config.grace_seconds)
            if self.node is not None:
                self.node.serves_http(self.http_address)

    def _webhooks(self, data_dir: Path) -> Webhooks:
        config = self.config
        return open_webhooks(
            data_dir,
            key_file=config.webhook_key_file,
            # The processes of a machine have its data dir, and the key there.
            key_text=config.webhook_key
            or (self.node.webhook_key if self.node and self._parent is None else ""),
            secrets_dir=config.webhook_secrets_dir,
        )

    def _data_dir(self) -> Path:
        """Returns the data dir, which belongs to this process, or to its parent."""
        if self._parent is not None:
            return self.config.data_dir.resolve()
        data = DataDir(self.config.data_dir)
        self._stack.callback(data.close)
        if not self.config.nats_url:
            data.keep_nats_mode(self.config.routes)
        return data.path

    async def _source(self, data: Path) -> EndpointSource:
        """Returns where NATS is; starts the embedded server, if it is that of this process."""
        if self._parent is not None and self._parent.source is not None:
            return self._parent.source
        return await open_nats(self.config, data, self._stack, self._end, self._certificates)


async def _close(hosts: Sequence[PartitionHost]) -> None:
    """Closes all concurrently, each to its end; then raises the first error."""
    closings = [asyncio.ensure_future(it.close()) for it in hosts]
    await asyncio.wait(closings)
    for closing in closings:
        closing.result()
