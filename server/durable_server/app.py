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
import resource
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from .cluster.identity import Identity, read_identity, write_identity
from .cluster.members import check_no_members
from .cluster.metadata import Metadata, load_or_create
from .cluster.secret import load_or_create_secret
from .clustered import CLUSTER_BUDGET, ClusterNode
from .config import CLUSTER_PARTITIONS, Config, ConfigError
from .core.limits import Limits
from .log.fenced import DEFAULT_BUDGET
from .log.interface import Log
from .log.preflight import check_logs, fit_limits
from .metrics.rpc_tally import RpcTally
from .nats.datadir import DataDir, DataDirError
from .nats.disk_guard import DiskGuard
from .nats.embedded import EmbeddedNats
from .nats.endpoint import Endpoint, EndpointSource, parse_urls
from .nats.forming import until_formed
from .node.host import PartitionHost
from .node.storage import Storage
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
from .rpc.answering import ControlMethods
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
from .store.files import store_partitions
from .store.interface import Store
from .webhooks.service import Webhooks, open_webhooks

FILES_PER_PARTITION = 4
"""The open files of a partition: its store with two files beside it, and a connection to NATS."""
FILES_FOR_OTHERS = 200
"""Open files for everything else, above all the connections of clients and workers."""

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


class ControlPlane:
    """One running control plane; an async context manager."""

    def __init__(self, config: Config) -> None:
        config.check()
        self.config = config
        self.address = ""
        """Where gRPC is served, once started."""
        self.http_address = ""
        """Where HTTP is served, once started; empty when it is not."""
        self._stack = AsyncExitStack()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the control plane cannot go on; holds the error."""
        self.node: ClusterNode | None = None
        """The membership in a cluster, once started; None without one."""
        self._hosts: Sequence[PartitionHost] = ()
        self._router: Router | None = None

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
                await self.node.drain()
        finally:
            await self._stack.aclose()

    async def _start(self) -> None:
        config, stack = self.config, self._stack
        data = DataDir(config.data_dir)
        stack.callback(data.close)
        # Before the metadata: the number of partitions of a new system is for good.
        _check_file_limit(config.partitions)
        source = await self._nats(data)
        limits = config.limits
        if config.nats_url:
            limits = await fit_limits(limits, source)
        metadata = await load_or_create(
            source,
            partitions=config.partitions,
            default=CLUSTER_PARTITIONS if config.node else 1,
            replicas=config.copies,
            # Without stores the data dir may be used for another system.
            known=read_identity(data.path) if store_partitions(data.path) else None,
        )
        count = metadata.partitions
        _check_file_limit(count)
        if config.nats_url and count > 1:
            await check_logs(range(1, count), source)
        keeper = open_keeper(
            config.snapshots or (CLUSTER if config.shares_nats else NONE),
            source,
            metadata,
            data.path,
            replicas=config.copies,
            trim_bytes=limits.trim_bytes,
        )
        workers = Workers()
        router = self._router = Router(count)
        storage = Storage(
            *(source, metadata, data.path, keeper),
            replicas=config.copies,
            budget=CLUSTER_BUDGET if config.node else DEFAULT_BUDGET,
        )
        builders = _Builders(limits, workers, count)
        leader = f"{socket.gethostname()}:{os.getpid()}"
        hosts = self._hosts = [
            PartitionHost(it, router, storage, builders, leader) for it in range(count)
        ]
        stack.push_async_callback(_close, hosts)
        if keeper is not None:
            stack.push_async_callback(keeper.close)
        node = None
        if config.node:
            node = self.node = await self._node(metadata, source, router, hosts)
        else:
            if config.nats_url:
                await check_no_members(source, count)
            await self._lead(hosts)
            # The logs and the stores fit each other.
            write_identity(data.path, Identity(metadata.id, count))
        if keeper is not None:
            await keeper.start(optional=not config.snapshots)
        webhooks = self._webhooks(data.path) if config.http else None
        rpcs = RpcTally()
        facts = ClusterFacts(
            metadata.id, metadata.format_level, config.standbys if config.node else 0
        )
        await self._serve_grpc(router, workers, rpcs, limits, webhooks, facts)
        if node is not None:
            await node.join(self.address, stack)
            write_identity(data.path, Identity(metadata.id, count))
        if webhooks is not None:
            await self._serve_http(router, workers, rpcs, keeper, limits, webhooks)
        if node is not None:
            logger.info("node %s serves on %s, %d partitions", config.node, self.address, count)
            return
        if count == 1:
            logger.info("serving on %s, epoch %d", self.address, router.any().epoch)
        else:
            logger.info("serving on %s, %d partitions", self.address, count)

    async def _node(
        self,
        metadata: Metadata,
        source: EndpointSource,
        router: Router,
        hosts: Sequence[PartitionHost],
    ) -> ClusterNode:
        """Makes this process a node that has not joined yet."""
        config = self.config
        await asyncio.gather(*(it.log.create() for it in hosts))
        secret = await load_or_create_secret(source, config.copies)
        node = ClusterNode(config, metadata, source, secret, router, hosts)
        node.ended.add_done_callback(self._partition_ended)
        return node

    def _relay(
        self,
        node: ClusterNode,
        sessions: Sessions,
        router: Router,
        workers: Workers,
        limits: Limits,
    ) -> Relay:
        """Joins the sessions of workers, and the limits of handlers, to those on the other nodes."""
        sessions.demand = Demand(workers)
        node.methods.add(RelayedSessions(sessions, limits, self.config.times))
        quotas = Concurrency(router, workers, node.members, node.links)
        node.methods.streams[CONCURRENCY] = quotas.serve
        self._stack.callback(quotas.close)
        quotas.start()
        relay = Relay(sessions, node.links, Leaders(router, node.members))
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
        if not self.ended.done():
            self.ended.set_exception(error)
            # Marks the exception as retrieved, because the reason may stay unread.
            self.ended.exception()

    async def _serve_grpc(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        limits: Limits,
        webhooks: Webhooks | None,
        facts: ClusterFacts,
    ) -> None:
        config, node = self.config, self.node
        requests = build_requests(router, workers, limits, webhooks)
        sessions = Sessions(router, workers, limits, config.times)
        others = relay = None
        if node is not None:
            others = ClusterLinks(node.members, node.links, router.listen)
            relay = self._relay(node, sessions, router, workers, limits)
        control = ControlService(requests, rpcs, facts, others)
        if node is not None:
            node.methods.add(ControlMethods(control))
            await node.listen(self._stack)
        server = RpcServer(
            control,
            WorkerService(sessions, limits, config.times, relay),
            router,
            channelz=config.channelz,
        )
        self._stack.push_async_callback(server.stop, config.grace_seconds)
        self._stack.callback(control.close)
        self.address = control.address = await server.start(config.listen)

    async def _serve_http(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        keeper: Keeper | None,
        limits: Limits,
        webhooks: Webhooks,
    ) -> None:
        # Imported here because they need the extra `http`.
        from .http.control_client import ControlClient
        from .http.requests import Backend
        from .http.server import HttpAddressError, HttpServer
        from .prometheus import Exposition

        config = self.config
        http = HttpServer(
            Backend(
                ControlClient.at(self.address),
                webhooks,
                Exposition(router, workers, rpcs, keeper).render,
                lambda: router.problem,
                limits.payload_bytes,
            ),
            public_url=config.public_url.rstrip("/"),
            allowed_hosts=config.allowed_hosts,
            insecure=config.insecure,
        )
        try:
            self.http_address = await http.start(config.http)
        except HttpAddressError:
            if not config.http_optional:
                raise
            webhooks.disabled = True
        else:
            self._stack.push_async_callback(http.stop, config.grace_seconds)

    def _webhooks(self, data_dir: Path) -> Webhooks:
        config = self.config
        return open_webhooks(
            data_dir,
            key_file=config.webhook_key_file,
            key_text=config.webhook_key or (self.node.webhook_key if self.node else ""),
            secrets_dir=config.webhook_secrets_dir,
        )

    async def _nats(self, data: DataDir) -> EndpointSource:
        if self.config.nats_url:
            endpoint = parse_urls(self.config.nats_url)

            async def external() -> Endpoint:
                return endpoint

            return external
        routes = self.config.routes
        data.keep_nats_mode(routes)
        embedded = EmbeddedNats(data.path / "nats", routes=routes)
        embedded.add_listener(_warn)
        self._stack.push_async_callback(embedded.stop)
        await embedded.start()
        if routes is not None:
            # On its own, the logs notice: a partition that they end ends the control plane.
            embedded.on_given_up = self._end
            await until_formed(embedded, routes, _warn)
        return DiskGuard(embedded)


def _warn(line: str) -> None:
    logger.warning("%s", line)


def _check_file_limit(partitions: int) -> None:
    """Refuses a number of partitions whose files and connections this process may not open."""
    needed = partitions * FILES_PER_PARTITION + FILES_FOR_OTHERS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if partitions > 1 and limit != resource.RLIM_INFINITY and limit < needed:
        raise ConfigError(
            f"{partitions} partitions need {needed} open files, and this process may have {limit};"
            f" raise the limit: ulimit -n {needed}, or LimitNOFILE in a unit of systemd"
        )


async def _close(hosts: Sequence[PartitionHost]) -> None:
    """Closes all concurrently, each to its end; then raises the first error."""
    closings = [asyncio.ensure_future(it.close()) for it in hosts]
    await asyncio.wait(closings)
    for closing in closings:
        closing.result()
