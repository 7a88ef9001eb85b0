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
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from .cluster.identity import Identity, read_identity, write_identity
from .cluster.metadata import load_or_create
from .config import Config, ConfigError
from .core.limits import Limits
from .log.jetstream import JetStreamLog, log_bytes
from .log.preflight import check_logs, fit_limits
from .metrics.rpc_tally import RpcTally
from .nats.datadir import DataDir, DataDirError
from .nats.disk_guard import DiskGuard
from .nats.embedded import EmbeddedNats
from .nats.endpoint import Endpoint, EndpointSource, parse_urls
from .processor.build import build_processor
from .processor.clock import WallClock
from .processor.loop import Processor
from .processor.router import Router
from .processor.workers import Workers
from .requests.build import build_requests
from .rpc.control import ControlService
from .rpc.server import RpcServer
from .rpc.worker import WorkerService
from .sessions.sessions import Sessions
from .snapshots.build import CLUSTER, NONE, open_snapshots
from .snapshots.keeper import PartitionSnapshots
from .store.files import store_partitions, store_path
from .store.sqlite import CACHE_BYTES, SqliteStore, explain_error
from .webhooks.service import Webhooks, open_webhooks

FILES_PER_PARTITION = 4
"""The open files of a partition: its store with two files beside it, and a connection to NATS."""
FILES_FOR_OTHERS = 200
"""Open files for everything else, above all the connections of clients and workers."""

logger = logging.getLogger("durable.app")


class _Partition(NamedTuple):
    """One partition of the control plane. Errors of its store name the store's file."""

    processor: Processor
    store_path: Path

    async def start(self, leader: str) -> None:
        """Starts the processor."""
        with _explained(self.store_path):
            await self.processor.start(leader)

    def check_ended(self) -> None:
        """Raises the error with which the processor has ended, if there is one."""
        ended = self.processor.ended
        with _explained(self.store_path):
            if ended.done():
                ended.result()


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
        self._partitions: Sequence[_Partition] = ()
        self._router: Router | None = None

    @property
    def router(self) -> Router:
        """The partitions, once started."""
        assert self._router is not None
        return self._router

    def check_ended(self) -> None:
        """Raises the error with which a partition has ended; StoreUnusableError if SQLite raised it."""
        for partition in self._partitions:
            partition.check_ended()

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
            replicas=config.replicas,
            # Without stores the data dir may be used for another system.
            known=read_identity(data.path) if store_partitions(data.path) else None,
        )
        count = metadata.partitions
        _check_file_limit(count)
        if config.nats_url and count > 1:
            await check_logs(range(1, count), source)
        keeper = await open_snapshots(
            config.snapshots or (CLUSTER if config.nats_url else NONE),
            source,
            metadata,
            data.path,
            replicas=config.replicas,
            trim_bytes=limits.trim_bytes,
        )
        snapshots = keeper.partitions if keeper is not None else []
        workers = Workers()
        partitions = [
            self._partition(
                *(data.path, source, limits, workers, index, count),
                snapshots[index] if snapshots else None,
            )
            for index in range(count)
        ]
        stack.push_async_callback(_stop, partitions)
        if keeper is not None:
            stack.push_async_callback(keeper.close)
        self._partitions = partitions
        await _start(partitions, f"{socket.gethostname()}:{os.getpid()}")
        # The logs and the stores fit each other.
        write_identity(data.path, Identity(metadata.id, count))
        if keeper is not None:
            await keeper.start(optional=not config.snapshots)
        router = self._router = Router(count, [it.processor for it in partitions])
        for it in partitions:
            it.processor.ended.add_done_callback(self._partition_ended)
        webhooks = self._webhooks(data.path) if config.http else None
        rpcs = RpcTally()
        await self._serve_grpc(router, workers, rpcs, limits, webhooks)
        if webhooks is not None:
            await self._serve_http(router, workers, rpcs, snapshots, limits, webhooks)
        if count == 1:
            logger.info("serving on %s, epoch %d", self.address, router.any().epoch)
        else:
            logger.info("serving on %s, %d partitions", self.address, count)

    def _partition(
        self,
        data_dir: Path,
        source: EndpointSource,
        limits: Limits,
        workers: Workers,
        index: int,
        count: int,
        snapshots: PartitionSnapshots | None,
    ) -> _Partition:
        """Opens the log and the store of one partition, and makes its processor."""
        log = JetStreamLog(
            source,
            index,
            replicas=self.config.replicas,
            max_bytes=log_bytes(count),
        )
        self._stack.push_async_callback(log.close)
        path = store_path(data_dir, index)
        with _explained(path):
            store = SqliteStore(path, CACHE_BYTES // count)
        self._stack.callback(store.close)
        processor = build_processor(
            *(log, store, limits, WallClock(), workers),
            index=index,
            count=count,
            snapshots=snapshots,
        )
        return _Partition(processor, path)

    def _partition_ended(self, ended: asyncio.Future[None]) -> None:
        if self.ended.done():
            return
        error = ended.exception()
        if error is None:
            self.ended.set_result(None)
        else:
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
    ) -> None:
        config = self.config
        requests = build_requests(router, workers, limits, webhooks)
        sessions = Sessions(router, workers, limits, config.times)
        server = RpcServer(
            ControlService(requests, rpcs),
            WorkerService(sessions, limits, config.times),
            router,
            channelz=config.channelz,
        )
        self._stack.push_async_callback(server.stop, config.grace_seconds)
        self.address = await server.start(config.listen)

    async def _serve_http(
        self,
        router: Router,
        workers: Workers,
        rpcs: RpcTally,
        snapshots: Sequence[PartitionSnapshots],
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
                Exposition(router, workers, rpcs, snapshots).render,
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
            key_text=config.webhook_key,
            secrets_dir=config.webhook_secrets_dir,
        )

    async def _nats(self, data: DataDir) -> EndpointSource:
        if self.config.nats_url:
            endpoint = parse_urls(self.config.nats_url)

            async def external() -> Endpoint:
                return endpoint

            return external
        embedded = EmbeddedNats(data.path / "nats")
        embedded.add_listener(lambda line: logger.warning("%s", line))
        self._stack.push_async_callback(embedded.stop)
        await embedded.start()
        return DiskGuard(embedded)


def _check_file_limit(partitions: int) -> None:
    """Refuses a number of partitions whose files and connections this process may not open."""
    needed = partitions * FILES_PER_PARTITION + FILES_FOR_OTHERS
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if partitions > 1 and limit != resource.RLIM_INFINITY and limit < needed:
        raise ConfigError(
            f"{partitions} partitions need {needed} open files, and this process may have {limit};"
            f" raise the limit: ulimit -n {needed}, or LimitNOFILE in a unit of systemd"
        )


@contextmanager
def _explained(store: Path) -> Iterator[None]:
    """Turns SQLite's errors into StoreUnusableError."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain_error(store, error) from error


async def _start(partitions: Sequence[_Partition], leader: str) -> None:
    """Starts all concurrently; after the first error it cancels the others, and raises that error."""
    starts = [asyncio.ensure_future(it.start(leader)) for it in partitions]
    try:
        await asyncio.gather(*starts)
    finally:
        for start in starts:
            start.cancel()
        await asyncio.wait(starts)


async def _stop(partitions: Sequence[_Partition]) -> None:
    """Stops all concurrently, each to its end; then raises the first error."""
    stops = [asyncio.ensure_future(it.processor.stop()) for it in partitions]
    await asyncio.wait(stops)
    for stop in stops:
        stop.result()
