"""The gRPC server: services, reflection, health, channelz, and channel options that had to be learned.

- `grpc.server.max_pending_requests`: by default a burst of more than 1,000 requests that are not yet
  picked up is answered CANCELLED without a trace. Admission is bounded by us, with a typed error.
- `grpc.so_reuseport`: on by default, it lets a second server take connections from the first.
- Keepalive: a server tolerates one ping in five minutes unless told otherwise, and then hangs up.
- Message sizes are explicit: a Start carries a whole journal.
"""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc, worker_pb2, worker_pb2_grpc

from ..processor.loop import Processor
from ..webhooks.service import Webhooks
from .control import ControlService
from .reflection import serve_reflection
from .session_writer import SessionTimes
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
"""Under this name the health service says that the process lives, whatever becomes of the log."""
_FILES = (control_pb2.DESCRIPTOR, worker_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)


class AddressInUseError(Exception):
    """The address to listen on is taken."""


class RpcServer:
    """The control plane's gRPC server over one processor.

    With `channelz` it also shows whoever asks its connections, calls and peers' addresses, but
    nothing of what was said.
    """

    def __init__(
        self,
        processor: Processor,
        times: SessionTimes,
        webhooks: Webhooks | None,
        *,
        channelz: bool,
    ) -> None:
        self._server = grpc.aio.server(options=OPTIONS)
        self._processor = processor
        self._telling: set[asyncio.Future[None]] = set()
        self._workers = WorkerService(processor, times)
        self._health = health.aio.HealthServicer()
        control_pb2_grpc.add_DurableControlServicer_to_server(
            ControlService(processor, webhooks), self._server
        )
        worker_pb2_grpc.add_DurableWorkerServicer_to_server(self._workers, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names, files = [*_SERVICES, health.SERVICE_NAME], [*_FILES]
        if channelz:
            # Not at the top: it is of the extra `channelz`.
            from grpc_channelz.v1 import channelz as library
            from grpc_channelz.v1 import channelz_pb2

            library.add_channelz_servicer(self._server)
            names.append(channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name)
            files.append(channelz_pb2.DESCRIPTOR)
        serve_reflection(self._server, names, files)

    async def start(self, listen: str) -> str:
        """Starts to serve; returns the address with the port that was taken.

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
        await self._tell_health()
        self._processor.on_problem_changed = self._trouble_changed
        return f"{host}:{port}"

    def _trouble_changed(self) -> None:
        telling = asyncio.ensure_future(self._tell_health())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_health(self) -> None:
        """Says of each service whether it can accept anything now."""
        status = health_pb2.HealthCheckResponse.SERVING
        if self._processor.problem:
            status = health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *_SERVICES):
            await self._health.set(name, status)

    async def stop(self, grace: float) -> None:
        """Stops: not healthy, workers sent away, and `grace` seconds for what is under way."""
        await self._health.enter_graceful_shutdown()
        self._workers.drain()
        # One turn for the drain frames to be written before the server stops reading.
        await asyncio.sleep(0)
        await self._server.stop(grace)
