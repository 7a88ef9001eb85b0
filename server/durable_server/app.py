"""The control plane: the composition root, which starts the parts and stops them in the reverse order.

    data dir (lock) ─► embedded NATS ─► log ─► store ─► processor ─► requests, sessions ─► gRPC ─► HTTP

Each part is started after the parts that it needs and stopped before them. An error during the start
stops what was started. `ended` is done when the control plane cannot go on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path

from .config import Config
from .core.limits import Limits
from .log.jetstream import JetStreamLog
from .log.preflight import fit_limits
from .nats.datadir import DataDir, DataDirError
from .nats.disk_guard import DiskGuard
from .nats.embedded import EmbeddedNats
from .nats.endpoint import Endpoint, EndpointSource, parse_urls
from .processor.build import build_processor
from .processor.clock import WallClock
from .processor.loop import Processor
from .processor.router import Router
from .requests.build import build_requests
from .rpc.control import ControlService
from .rpc.server import RpcServer
from .rpc.worker import WorkerService
from .sessions.sessions import Sessions
from .store.sqlite import SqliteStore
from .webhooks.service import Webhooks, open_webhooks

logger = logging.getLogger("durable.app")

STORE = "partition-0.db"
"""The name of the store's file in the data dir."""


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
        self._processor: Processor | None = None

    @property
    def processor(self) -> Processor:
        """The processor, once started."""
        assert self._processor is not None
        return self._processor

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the control plane cannot go on; holds the error."""
        return self.processor.ended

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
        source = await self._nats(data)
        limits = config.limits
        if config.nats_url:
            limits = await fit_limits(limits, source)
        log = JetStreamLog(source, partition=0, replicas=config.replicas)
        stack.push_async_callback(log.close)
        store = SqliteStore(data.path / STORE)
        stack.callback(store.close)
        processor = build_processor(log, store, limits, WallClock())
        self._processor = processor
        stack.push_async_callback(processor.stop)
        await processor.start(f"{socket.gethostname()}:{os.getpid()}")
        webhooks = self._webhooks(data.path) if config.http else None
        router = Router(processor)
        await self._serve_grpc(processor, router, limits, webhooks)
        if webhooks is not None:
            await self._serve_http(processor, router, limits, webhooks)
        logger.info("serving on %s, epoch %d", self.address, processor.epoch)

    async def _serve_grpc(
        self, processor: Processor, router: Router, limits: Limits, webhooks: Webhooks | None
    ) -> None:
        config = self.config
        requests = build_requests(router, processor.workers, limits)
        sessions = Sessions(router, processor.workers, limits, config.times)
        server = RpcServer(
            ControlService(requests, processor.tally, webhooks),
            WorkerService(sessions, limits, config.times),
            router,
            channelz=config.channelz,
        )
        self._stack.push_async_callback(server.stop, config.grace_seconds)
        self.address = await server.start(config.listen)

    async def _serve_http(
        self, processor: Processor, router: Router, limits: Limits, webhooks: Webhooks
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
                Exposition(processor).render,
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
