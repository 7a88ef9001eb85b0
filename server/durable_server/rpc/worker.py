"""DurableWorker: translates the streams of workers; the rules of sessions are in `sessions`.

This module reads and writes frames, sends heartbeats, and ends a stream that is silent or breaks the
protocol. worker.proto is the specification.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import grpc

from durable_proto.v1 import worker_pb2, worker_pb2_grpc

from ..core.limits import Limits
from ..processor.errors import RequestError
from ..sessions.sessions import Hello, Sessions
from ..sessions.sessions import Session as OpenSession
from ..sessions.times import SessionTimes
from . import convert
from .protocol import PROTOCOL_VERSION
from .refusal import Refusal, abort, protocol_violation, unavailable
from .session_reader import SessionReader
from .session_writer import Context, SessionWriter


class WorkerService(worker_pb2_grpc.DurableWorkerServicer):
    """The servicer of DurableWorker."""

    def __init__(self, sessions: Sessions, limits: Limits, times: SessionTimes) -> None:
        self._sessions = sessions
        self._limits = limits
        self._times = times

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
        heartbeat = _Heartbeat(stream, self._times, task.cancel)
        left = False
        try:
            first = await self._first_frame(context)
            if first is None:
                return
            session = await self._open(stream, first)
            heartbeat.start()
            reader = SessionReader(self._sessions, session)
            reader.receive(first)
            while (read := await context.read()) is not grpc.aio.EOF:
                frame = self._checked(read)
                heartbeat.received = True
                reader.receive(frame)
            # A broken connection may look like a half-close, so only a worker that has announced that
            # it leaves has left.
            left = session.worker.draining
        except (Refusal, RequestError) as error:
            await abort(context, error)
        except asyncio.CancelledError:
            if not heartbeat.gave_up:
                raise
            task.uncancel()
            seconds = self._times.timeout
            await abort(context, unavailable("silent", f"nothing was heard for {seconds:g} s"))
        finally:
            heartbeat.stop()
            writing.cancel()
            if session is not None:
                self._sessions.close(session, left=left)

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

    async def _open(self, stream: SessionWriter, frame: worker_pb2.SessionRequest) -> OpenSession:
        """Opens the session by the hello of a frame, and removes it from the frame."""
        if not frame.messages or frame.messages[0].WhichOneof("message") != "hello":
            raise protocol_violation("the first message of a session must be a hello")
        hello = frame.messages[0].hello
        if hello.protocol_version < 1:
            raise protocol_violation(
                f"protocol version {hello.protocol_version} is not supported; "
                f"this control plane speaks {PROTOCOL_VERSION}"
            )
        self._sessions.check(hello.worker_id, hello.slot_count, len(hello.handlers))
        session = await self._sessions.open(self._hello(hello), stream)
        del frame.messages[0]
        return session

    def _hello(self, hello: worker_pb2.Hello) -> Hello:
        limits = self._limits
        convert.check_text("identity", hello.identity, limits.id_bytes, "id_bytes")
        convert.check_text("build_id", hello.build_id, limits.id_bytes, "id_bytes")
        return Hello(
            hello.worker_id,
            hello.identity,
            hello.build_id,
            hello.slot_count,
            [convert.handler(spec, limits) for spec in hello.handlers],
            {it.invocation_id: it.attempt for it in hello.resumed},
        )


class _Heartbeat:
    """The heartbeat of one session: sends one when nothing else was sent, and ends a silent session."""

    def __init__(
        self, stream: SessionWriter, times: SessionTimes, give_up: Callable[[], object]
    ) -> None:
        self._stream = stream
        self._times = times
        self._give_up = give_up
        self._silent_seconds = 0.0
        self.gave_up = False
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
            self.gave_up = True
            self._give_up()
            return
        self._stream.heartbeat()
        self.start()
