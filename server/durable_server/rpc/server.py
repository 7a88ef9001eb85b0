"""The gRPC server: serves the services, reflection, health and channelz.

Some channel options differ from their defaults:
- `grpc.server.max_pending_requests`: by default a burst of more than 1,000 requests that are not yet
  picked up is answered CANCELLED without a trace. `bounded` bounds the RPCs that are open, and
  `requests.proposals` those that wait, with typed errors.
- `grpc.max_allowed_incoming_connections`: a connection over the limit `connections` is closed at once.
- `grpc.so_reuseport`: on by default, it lets a second server take connections from the first. Only the
  processes of one machine want that.
- Keepalive: by default a server closes a connection with more than one ping in five minutes.
- Message sizes are explicit: a Start carries a whole journal, and what a client sends is smaller.
- Metadata: by default gRPC refuses some calls with more than 8 KiB, at random, and others not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from durable_proto.v1 import (
    access_pb2,
    access_pb2_grpc,
    control_pb2,
    control_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)

from ..core.limits import Limits
from ..tls.certificates import Certificates
from .access_check import AccessCheck
from .access_service import AccessService
from .bounded import BoundedServer, Bounds
from .control import ControlService
from .credentials import server_credentials
from .health import Health
from .own_socket import OwnSocket
from .reflection import serve_reflection
from .worker import WorkerService

MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message to a client: a journal of large values in one Start."""
METADATA_BYTES = 16 * 1024
"""The most metadata of one call."""
HANDSHAKE_SECONDS = 20
"""How long a new connection may take for TLS and the beginning of HTTP/2."""
_FRAMES_PER_MESSAGE = 2
"""How many of the largest frames of a worker the largest message from a client has room for: what is a
little too large gets the error that names the limit, and not that of gRPC.
"""

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)

_SERVICES = (
    control_pb2.DESCRIPTOR.services_by_name["DurableControl"].full_name,
    worker_pb2.DESCRIPTOR.services_by_name["DurableWorker"].full_name,
    access_pb2.DESCRIPTOR.services_by_name["DurableAccess"].full_name,
)
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
LIVE = "durable.live"
"""Under this name the health service says that the process runs, whatever happens to the log."""
_FILES = (
    control_pb2.DESCRIPTOR,
    worker_pb2.DESCRIPTOR,
    access_pb2.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
)


def options(limits: Limits, *, share_port: bool = False) -> tuple[tuple[str, int], ...]:
    """Returns the channel options of a server with these limits."""
    return (
        *_OPTIONS,
        ("grpc.so_reuseport", int(share_port)),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.http2.max_concurrent_streams", limits.streams),
        ("grpc.server.max_pending_requests", limits.streams),
        ("grpc.server.max_pending_requests_hard_limit", 2 * limits.streams),
        ("grpc.max_receive_message_length", _FRAMES_PER_MESSAGE * limits.frame_bytes),
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Returns whether a log record of gRPC is not about a connection that broke during a response."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, grpc.aio.InternalError)


# gRPC logs a traceback for it if the connection broke before the call was seen to end. Anybody who
# breaks connections would fill the log.
logging.getLogger("grpc._cython.cygrpc").addFilter(_is_news)


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
    of what the messages hold. With `share_port` other processes may listen at the same address, and the
    kernel gives each connection to one of them. With `certificates` the address has TLS. In both cases
    this process has a second address for its own use.
    """

    def __init__(
        self,
        control: ControlService,
        workers: WorkerService,
        status: Status,
        *,
        limits: Limits,
        access: AccessService,
        channelz: bool,
        share_port: bool = False,
        check: AccessCheck | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """`check` is there if callers must show who they are."""
        self._server = grpc.aio.server(options=options(limits, share_port=share_port))
        self._certificates = certificates
        self._needs_own = share_port or certificates is not None
        self._own: OwnSocket | None = None
        self.own_address = ""
        """Where this process reaches its own server, once started."""
        self._status = status
        self._workers = workers
        self._health = Health(limits)
        # The generated functions that add a servicer are typed for gRPC's own servers.
        server: Any = BoundedServer(self._server, Bounds(limits), check)
        control_pb2_grpc.add_DurableControlServicer_to_server(control, server)
        worker_pb2_grpc.add_DurableWorkerServicer_to_server(workers, server)
        access_pb2_grpc.add_DurableAccessServicer_to_server(access, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names, files = [*_SERVICES, _HEALTH], [*_FILES]
        if channelz:
            # Imported here because it needs the extra `channelz`.
            from grpc_channelz.v1 import channelz as library
            from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

            channelz_pb2_grpc.add_ChannelzServicer_to_server(library.aio.ChannelzServicer(), server)
            names.append(channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name)
            files.append(channelz_pb2.DESCRIPTOR)
        serve_reflection(server, names, files)

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the port that it listens on.

        Raises AddressInUseError when the address is taken or does not exist.
        """
        host = listen.rpartition(":")[0]
        try:
            if self._certificates is None:
                port = self._server.add_insecure_port(listen)
            else:
                credentials = server_credentials(self._certificates)
                port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise AddressInUseError(
                f"cannot listen on {listen}: it is taken by another process or is not an address "
                "of this machine; choose another with --listen HOST:PORT"
            ) from error
        self.own_address = address = f"{host}:{port}"
        if self._needs_own:
            self._own = OwnSocket()
            self.own_address = self._own.address
            self._server.add_insecure_port(self._own.address)
        await self._server.start()
        self._health.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        self._update_health()
        self._status.on_problem_changed(self._update_health)
        return address

    def _update_health(self) -> None:
        """Sets the health of each service: whether it can accept anything now."""
        status = health_pb2.HealthCheckResponse.SERVING
        if self._status.problem:
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *_SERVICES):
            self._health.set(name, status)

    async def stop(self, grace: float) -> None:
        """Stops: reports NOT_SERVING, drains workers, and gives running calls `grace` seconds."""
        self._health.stop()
        self._workers.drain()
        # One turn of the event loop writes the drain frames, before the server stops reading.
        await asyncio.sleep(0)
        await self._server.stop(grace)
        if self._own is not None:
            self._own.remove()
