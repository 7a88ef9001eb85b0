"""The local control plane: the server half of local mode, in memory, inside the program that uses it.

    memory log ─► store in memory ─► processor ─► requests, sessions ─► the servicers, called directly
                                         │
                                       clock: the wall's, or a virtual one

It has the same parts as `app`, except for the log and for what is around the servicers: nothing
listens, nothing is written to disk, and everything ends with the object. The SDK imports this module
by its name, because it must not depend on the control plane, and uses only `LocalPlane`.

Webhooks: the first URL opens a port on loopback that serves webhooks and nothing else. They use the
clock of this control plane.

Times: a session here cannot break, but a debugger can stop the whole event loop for an hour. So a
silent worker is not a lost one, and a worker whose session has ended will not come back.

Restarts: the frames of the log outlive the leader here too. `restart` makes a new leader, over the
store as it was or over an empty one. `on_append` can end a leader at any frame, as a crash would: it
is called when the frame is in the log and before it is applied. An error that it raises ends the leader
as any error of the processor does: no other follows, and `failure` has the error.

Idle: `idle` says that nothing can happen any more but a timer or a call from outside. It combines facts
that the parts keep anyway: whether the loop is idle, which frames are unsent, and which workers are
away.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from durable_proto.v1 import access_pb2, control_pb2, worker_pb2

from .access.access import Access
from .core.levels import FORMAT_LEVEL
from .core.limits import Limits
from .log.batch import decode
from .log.interface import Position
from .log.memory import MemoryLog, MemoryStream
from .metrics.rpc_tally import RpcTally
from .processor.build import build_processor
from .processor.clock import Clock, VirtualClock, WallClock
from .processor.loop import Processor
from .processor.router import Router
from .processor.workers import Workers
from .requests.build import build_requests
from .rpc.access_service import AccessService
from .rpc.audit_listing import AuditListing
from .rpc.control import ControlService
from .rpc.worker import WorkerService
from .sessions.sessions import Sessions
from .sessions.times import SessionTimes
from .store.sqlite import SqliteStore
from .webhooks.files import SecretTexts
from .webhooks.service import NotServedError, Webhooks
from .webhooks.tokens import Keyring

if TYPE_CHECKING:
    from .http.server import HttpServer

TIMES = SessionTimes(heartbeat=5.0, timeout=24 * 3600.0, grace=0.02)

_CONTROL = control_pb2.DESCRIPTOR.services_by_name["DurableControl"].full_name
_ACCESS = access_pb2.DESCRIPTOR.services_by_name["DurableAccess"].full_name
_WORKER = worker_pb2.DESCRIPTOR.services_by_name["DurableWorker"].full_name


Facts: TypeAlias = list[tuple[str, Mapping[str, Any]]]
"""The records of a frame: the name and the fields of each."""


class _Crash(Exception):
    """Ends the leader at the frame that it has just appended."""


class _Log(MemoryLog):
    """A memory log that calls back for each appended frame, before the processor knows of it."""

    def __init__(self, stream: MemoryStream, appended: Callable[[bytes], None]) -> None:
        super().__init__(stream)
        self._appended = appended

    async def append(self, body: bytes) -> Position:
        position = await super().append(body)
        self._appended(body)
        return position


class LocalPlane:
    """One control plane on the event loop that starts it.

    With `start_ms` it has a virtual clock, which begins at that time and stands still until `move`.
    With `one_by_one` each record is a frame of its own, so that `on_append` is called between any two.
    `webhook_secrets` has the secrets with which the senders of webhooks sign, by name.
    """

    def __init__(
        self,
        *,
        start_ms: int | None = None,
        one_by_one: bool = False,
        webhook_secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Raises ValueError for a malformed secret."""
        self.services: Mapping[str, Any] = {}
        """The servicers by the full names of their services, once started."""
        self.on_append: Callable[[Facts], bool] | None = None
        """Called with the records of a frame that is in the log and not applied; True means: crash."""
        self.on_idle: Callable[[], None] = _nothing
        """Called when the processor has nothing to do, and when it has failed."""
        self.failure: Exception | None = None
        """The error that has ended the leader, for example one that `on_append` raised."""
        self._virtual = None if start_ms is None else VirtualClock(start_ms)
        self._clock: Clock = self._virtual or WallClock()
        self._limits = Limits(batch_records=1) if one_by_one else Limits()
        self._stream = MemoryStream()
        self._store: SqliteStore | None = None
        self._processor: Processor | None = None
        self._sessions: Sessions | None = None
        self._webhooks = Webhooks(
            Keyring([secrets.token_bytes(32)]),
            SecretTexts(webhook_secrets or {}),
            now=lambda: self.now_ms / 1000,
            serve=self._serve_http,
        )
        self._http: asyncio.Task[HttpServer] | None = None

    @property
    def processor(self) -> Processor:
        """The processor, once started."""
        assert self._processor is not None
        return self._processor

    async def start(self) -> None:
        """Starts the control plane; an error stops what was started."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        if self._store is None:
            self._store = SqliteStore(":memory:")
        log = _Log(self._stream, self._appended)
        workers = Workers()
        processor = build_processor(log, self._store, self._limits, self._clock, workers)
        processor.on_idle = self._processor_idle
        processor.ended.add_done_callback(self._leader_ended)
        self._processor = processor
        self.failure = None
        await processor.start(f"local:{os.getpid()}")
        processor.allow_level(FORMAT_LEVEL)
        router = Router(1, [processor])
        self._sessions = Sessions(router, workers, self._limits, TIMES)
        requests = build_requests(router, workers, self._limits, self._webhooks)
        self.services = {
            _CONTROL: ControlService(requests, RpcTally()),
            _ACCESS: AccessService(RpcTally(), AuditListing(None, self._limits)),
            _WORKER: WorkerService(self._sessions, self._limits, TIMES),
        }

    async def halt(self) -> None:
        """Stops the processor; every call that waits gets an error."""
        self.services = {}
        if self._processor is not None:
            await self._processor.stop()

    async def restart(self, *, empty_store: bool = False) -> None:
        """Starts a new leader over the same log; no session may be open any more.

        With `empty_store` it reads the whole log; otherwise the store is as it was last committed.
        """
        await self.halt()
        if empty_store and self._store is not None:
            self._store.close()
            self._store = None
        await self._start()

    async def stop(self) -> None:
        """Stops everything. No session may be open; one that ends after `halt` is not a lost worker."""
        await self.halt()
        if self._http is not None:
            serving, self._http = self._http, None
            await asyncio.wait({serving})
            if serving.exception() is None:
                await serving.result().stop(0.0)
        if self._store is not None:
            self._store.close()
            self._store = None

    async def _serve_http(self) -> None:
        """Serves webhooks from the first URL on; the port stays the same across restarts."""
        if self._http is None:
            self._http = asyncio.get_running_loop().create_task(self._open_http())
        # The task is shared: a caller that is cancelled must not cancel it for the others.
        await asyncio.shield(self._http)

    async def _open_http(self) -> HttpServer:
        try:
            # Imported here because they need the extra `http`.
            from .http.asgi import WEBHOOKS
            from .http.control_client import ControlClient
            from .http.requests import Backend
            from .http.server import HttpServer
        except ModuleNotFoundError as error:
            raise NotServedError(
                f"a webhook needs HTTP, and {error.name!r} is not installed:"
                " pip install 'durable-grpc[http]'"
            ) from error
        control = ControlClient(_Direct(self))
        backend = Backend(
            control, self._webhooks, _no_metrics, _no_problem, self._limits.payload_bytes
        )
        http = HttpServer(backend, routes=WEBHOOKS)
        await http.start("127.0.0.1:0")
        return http

    def _appended(self, body: bytes) -> None:
        if self.on_append is not None:
            records = decode(body).records
            if self.on_append([(type(it).__name__, it._asdict()) for it in records]):
                raise _Crash("the control plane was ended here on purpose")

    def _leader_ended(self, ended: asyncio.Future[None]) -> None:
        error = ended.exception()
        if isinstance(error, Exception) and not isinstance(error, _Crash):
            # No new leader follows this one. Callers that wait for it to be idle must be told.
            self.failure = error
            self.on_idle()

    # Time and idleness

    def _processor_idle(self) -> None:
        self.on_idle()

    @property
    def waiter_count(self) -> int:
        """How many calls wait for an invocation to settle."""
        return 0 if self._processor is None else self._processor.subscriptions.waiter_count

    @property
    def idle(self) -> bool:
        """Whether nothing happens here until a timer is due or a message comes."""
        processor, sessions = self._processor, self._sessions
        return processor is not None and sessions is not None and processor.idle and sessions.idle

    @property
    def now_ms(self) -> int:
        """What the clock shows."""
        return self._clock.now_ms()

    @property
    def next_timer_ms(self) -> int:
        """When the next timer of an invocation is due; 0 when there is none."""
        return 0 if self._processor is None else self._processor.next_timer_ms()

    def move(self, to_ms: int) -> bool:
        """Moves the virtual clock; see `VirtualClock.move`."""
        assert self._virtual is not None, "this control plane has no virtual clock"
        return self._virtual.move(to_ms)


class _Direct:
    """A stub of DurableControl whose unary calls are plain calls of the servicer."""

    def __init__(self, plane: LocalPlane) -> None:
        self._plane = plane

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def call(request: Any, *, timeout: float) -> Any:  # noqa: ASYNC109  # as in a stub
            service = self._plane.services.get(_CONTROL)
            if service is None:
                raise _error(grpc.StatusCode.UNAVAILABLE, "the control plane is stopped")
            async with asyncio.timeout(timeout):
                return await getattr(service, method)(request, _Context())

        return call


class _Context:
    """The context that the servicer gets for such a call."""

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: tuple[tuple[str, str | bytes], ...] = (),
    ) -> NoReturn:
        raise _error(code, details, trailing_metadata)


def _error(
    code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, str | bytes], ...] = ()
) -> grpc.aio.AioRpcError:
    metadata = grpc.aio.Metadata
    return grpc.aio.AioRpcError(code, metadata(), metadata(*trailers), details=details)


async def _no_metrics(accept: str, access: Access) -> tuple[bytes, str]:
    return b"", "text/plain"


def _no_problem() -> str:
    return ""


def _nothing() -> None:
    pass
