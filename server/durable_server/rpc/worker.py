"""DurableWorker: serves the streams of workers; the rules of sessions are in `sessions`.

This module reads and writes frames, sends heartbeats, and ends a stream that is silent or breaks the
protocol. worker.proto is the specification. In a cluster `relay` joins the worker's session here with
those on other nodes.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias, cast

import grpc

from durable_proto.v1 import worker_pb2, worker_pb2_grpc

from ..core.limits import Limits
from ..processor.errors import LimitReachedError, RequestError
from ..sessions.sessions import Sessions
from ..sessions.times import SessionTimes
from .audited import AuditedSession, Auditor
from .hello import read_hello
from .refusal import Refusal, abort, protocol_violation, refusal, unavailable
from .relay import Relay
from .session_reader import SessionReader
from .session_writer import SessionWriter

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class OpenSession(Protocol):
    """An open session, as the connection of its worker needs it."""

    @property
    def draining(self) -> bool:
        """Whether the worker has announced that it leaves."""
        ...

    async def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Handles the messages of a frame in order; raises Refusal for one that ends the session."""
        ...

    def close(self, *, left: bool) -> None:
        """Ends the session; `left` says that the worker has announced it and closed the stream."""
        ...


class WorkerService(worker_pb2_grpc.DurableWorkerServicer):
    """The servicer of DurableWorker; `relay` is there in a cluster only."""

    def __init__(
        self,
        sessions: Sessions,
        limits: Limits,
        times: SessionTimes,
        relay: Relay | None = None,
    ) -> None:
        self._sessions = sessions
        self._limits = limits
        self._times = times
        self._relay = relay
        self.auditor: Auditor | None = None
        """Who notes the sessions, if an audit is kept."""

    def drain(self) -> None:
        """Asks all workers to reconnect, because this control plane stops."""
        self._sessions.drain()

    # The stubs only know servicers that yield; grpc.aio also takes a coroutine that writes.
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[worker_pb2.SessionRequest], context: Context
    ) -> None:
        """Serves one session; see worker.proto."""
        stream = SessionWriter(self._limits, self._times)
        session: OpenSession | None = None
        task = asyncio.current_task()
        assert task is not None
        # The initial metadata is sent first and awaited. It would go with the first message, and if
        # the session's end cut off that write, the library would send it again with the status. That
        # fails, and the peer would never learn of the end.
        await context.send_initial_metadata(())
        writing = asyncio.create_task(stream.write(context))
        ending = _Ending(task)
        heartbeat = _Heartbeat(stream, self._times, ending)
        stream.on_full = functools.partial(ending.end, self._unread())
        audit = AuditedSession(self.auditor, context)
        left = False
        refused: Exception | None = None
        try:
            first = await self._first_frame(context)
            if first is None:
                return
            audit.begins(first)
            session = await self._open(stream, first, ending)
            audit.opened()
            heartbeat.start()
            await session.receive(first)
            while (read := await context.read()) is not grpc.aio.EOF:
                frame = self._checked(read)
                heartbeat.received = True
                await session.receive(frame)
            # A broken connection may look like a half-close, so only a worker that has announced that
            # it leaves has left.
            left = session.draining
            audit.lost = not left
        except (Refusal, RequestError) as error:
            audit.error = refused = error
        except asyncio.CancelledError:
            if ending.refusal is None:
                audit.lost = True
                raise
            audit.error = ending.refusal
            task.uncancel()
            refused = ending.refusal
        finally:
            heartbeat.stop()
            writing.cancel()
            if session is not None:
                session.close(left=left)
            audit.ended()
        # After the end of the session, because a worker that reads nothing does not take the refusal.
        if refused is not None:
            await abort(context, refused)

    def _unread(self) -> Refusal:
        """Returns the refusal for a worker that does not read what it is sent."""
        limit = self._limits.unread_bytes
        problem = "that many bytes wait for the worker, which reads nothing or too slowly"
        return refusal(LimitReachedError("unread_bytes", limit, problem))

    async def _first_frame(self, context: Context) -> worker_pb2.SessionRequest | None:
        """Returns the frame with the hello; None when the stream ends before it."""
        try:
            async with asyncio.timeout(self._times.timeout):
                read = await context.read()
        except TimeoutError:
            seconds = self._times.timeout
            raise unavailable("silent", f"no hello came within {seconds:g} s") from None
        return None if read is grpc.aio.EOF else self._checked(read)

    def _checked(self, read: object) -> worker_pb2.SessionRequest:
        """Returns a frame that was read; raises Refusal for one over the limit."""
        frame = cast("worker_pb2.SessionRequest", read)
        limit = self._limits.frame_bytes
        if (size := frame.ByteSize()) > limit:
            problem = f"a frame of {size} bytes is over the limit frame_bytes ({limit})"
            raise protocol_violation(f"{problem}; split it")
        return frame

    async def _open(
        self, stream: SessionWriter, frame: worker_pb2.SessionRequest, ending: _Ending
    ) -> OpenSession:
        """Opens the session by the hello of a frame, and removes it from the frame."""
        if not frame.messages or frame.messages[0].WhichOneof("message") != "hello":
            raise protocol_violation("the first message of a session must be a hello")
        message = frame.messages[0].hello
        hello = read_hello(message, self._sessions, self._limits)
        session: OpenSession
        if self._relay is None:
            session = SessionReader(self._sessions, await self._sessions.open(hello, stream))
        else:
            session = await self._relay.open(message, hello, stream, ending.end)
        del frame.messages[0]
        return session


class _Ending:
    """The end of a stream that this side decides: its task is cancelled, and answers the refusal."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task = task
        self.refusal: Refusal | None = None

    def end(self, refusal: Refusal) -> None:
        """Ends the stream with a refusal; the first one counts."""
        if self.refusal is None:
            self.refusal = refusal
            self._task.cancel()


class _Heartbeat:
    """The heartbeat of one session: sends one when nothing else was sent, and ends a silent session.

    A session is silent if nothing comes from the worker, and also if it does not take what is sent.
    """

    def __init__(self, stream: SessionWriter, times: SessionTimes, ending: _Ending) -> None:
        self._stream = stream
        self._times = times
        self._ending = ending
        self._silent_seconds = 0.0
        self._stuck_seconds = 0.0
        self._taken = 0
        self.received = True
        """Whether a frame has come since the last tick."""
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(self._times.heartbeat, self._tick)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _tick(self) -> None:
        times = self._times
        self._silent_seconds = 0.0 if self.received else self._silent_seconds + times.heartbeat
        self.received = False
        if self._silent_seconds >= times.timeout:
            seconds = times.timeout
            self._ending.end(unavailable("silent", f"nothing was heard for {seconds:g} s"))
            return
        stuck = self._stream.waiting > 0 and self._stream.taken == self._taken
        self._stuck_seconds = self._stuck_seconds + times.heartbeat if stuck else 0.0
        self._taken = self._stream.taken
        if self._stuck_seconds >= times.timeout:
            seconds = times.timeout
            self._ending.end(unavailable("silent", f"nothing was read for {seconds:g} s"))
            return
        self._stream.heartbeat()
        self.start()
