"""The gRPC server: serves the services, reflection, health and channelz.

Some channel options differ from their defaults:
- `grpc.server.max_pending_requests`: by default a burst of more than 1,000 requests that are not yet
  picked up is answered CANCELLED without a trace. `requests.proposals` bounds admission instead, with a
  typed error.
- `grpc.so_reuseport`: on by default, it lets a second server take connections from the first.
- Keepalive: by default a server closes a connection with more than one ping in five minutes.
- Message sizes are explicit, because a Start carries a whole journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc, worker_pb2, worker_pb2_grpc

from .control import ControlService
from .reflection import serve_reflection
from .worker import WorkerService

MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message, in both directions: a journal of large values in one Start."""

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.server.max_pending_requests", 1_000_000),
    ("grpc.server.max_pending_requests_hard_limit", 2_000_000),
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_concurrent_streams", 1_000_000),
)

_SERVICES = (
    control_pb2.DESCRIPTOR.services_by_name["DurableControl"].full_name,
    worker_pb2.DESCRIPTOR.services_by_name["DurableWorker"].full_name,
)
LIVE = "durable.live"
"""Under this name the health service says that the process runs, whatever happens to the log."""
_FILES = (control_pb2.DESCRIPTOR, worker_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)


class AddressInUseError(Exception):
    """The address to listen on is taken."""


class Status(Protocol):
    """Whether the control plane can accept anything now."""

    @property
    def problem(self) -> str:
        """Why it cannot; empty when all is well."""
        ...

    def on_problem_changed(self, changed: Callable[[], None]) -> None:
        """Calls `changed` whenever `problem` may have changed."""
        ...


class RpcServer:
    """The control plane's gRPC server.

    With `channelz` its clients can also see its connections, calls and peers' addresses, but nothing
    of what the messages hold.
    """

    def __init__(
        self, control: ControlService, workers: WorkerService, status: Status, *, channelz: bool
    ) -> None:
        self._server = grpc.aio.server(options=OPTIONS)
        self._status = status
        self._updates: set[asyncio.Future[None]] = set()
        self._workers = workers
        self._health = health.aio.HealthServicer()
        control_pb2_grpc.add_DurableControlServicer_to_server(control, self._server)
        worker_pb2_grpc.add_DurableWorkerServicer_to_server(workers, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names, files = [*_SERVICES, health.SERVICE_NAME], [*_FILES]
        if channelz:
            # Imported here because it needs the extra `channelz`.
            from grpc_channelz.v1 import channelz as library
            from grpc_channelz.v1 import channelz_pb2

            library.add_channelz_servicer(self._server)
            names.append(channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name)
            files.append(channelz_pb2.DESCRIPTOR)
        serve_reflection(self._server, names, files)

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the port that it listens on.

        Raises AddressInUseError when the address is taken or does not exist.
        """
        host = listen.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise AddressInUseError(
                f"cannot listen on {listen}: it is taken by another process or is not an address "
                "of this machine; choose another with --listen HOST:PORT"
            ) from error
        await self._server.start()
        await self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        await self._update_health()
        self._status.on_problem_changed(self._problem_changed)
        return f"{host}:{port}"

    def _problem_changed(self) -> None:
        update = asyncio.ensure_future(self._update_health())
        self._updates.add(update)
        update.add_done_callback(self._updates.discard)

    async def _update_health(self) -> None:
        """Sets the health of each service: whether it can accept anything now."""
        status = health_pb2.HealthCheckResponse.SERVING
        if self._status.problem:
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *_SERVICES):
            await self._health.set(name, status)

    async def stop(self, grace: float) -> None:
        """Stops: reports NOT_SERVING, drains workers, and gives running calls `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        self._workers.drain()
        # One turn of the event loop writes the drain frames, before the server stops reading.
        await asyncio.sleep(0)
        await self._server.stop(grace)
