"""One session: one stream of frames between the worker and the control plane.

Theory. A session has a reader, a writer and a pulse, and ends when the first of them says so. The
reader is a task that only reads: each frame is handed to the loop by `call_soon`, so that frames are
handled in the stream's order and the engine is never entered inside a task. The writer is a task
that takes all that the desk's `outbound` holds and writes it as one frame: while a frame is being
written the next one fills, so batches grow with the load and an idle worker has no delay. The pulse
is a timer: it sends a heartbeat when nothing else was sent, and ends the session when nothing was
heard for the session timeout.

Rules.
- Hello is written first and alone; nothing follows before Welcome, whose limits hold for the rest.
- A frame is at most the server's limit `frame_bytes`; a batch that is larger is split. A single
  message that is larger cannot be sent at all, so its attempt is ended with a failure that says so.
- Frames are serialised here and not by gRPC, because only the serialised form shows the size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, cast

import grpc
import grpc.aio

from durable_proto.v1 import worker_pb2

from .._common.errors import RpcError
from .._common.transport import translate
from .attempt_runner import Desk
from .statistics import Traffic

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
"""A frame's size until the server has said its limit."""
"""The protocol's limit for a worker's frame."""
WELCOME_SECONDS_MAX: Final = 15.0
"""How long the control plane may take to answer a hello; it writes the handlers to its log first."""
METHOD: Final = "/durable.v1.DurableWorker/Session"

logger = logging.getLogger("durable.worker")


class End(NamedTuple):
    """Why a session ended."""

    error: RpcError | None = None
    """What the control plane or the transport said; None when the stream just ended."""
    reason: str = ""
    """Why we ended it, for the log."""
    delay: float | None = None
    """How long the control plane asks to stay away, in seconds."""
    finished: bool = False
    """Whether it ended because all was said: after our half-close."""


class Session:
    """One session. `run` is its life; the rest may be called while it runs."""

    def __init__(
        self,
        desk: Desk,
        channel: grpc.aio.Channel,
        address: str,
        hello: worker_pb2.Hello,
        welcomed: Callable[[], None],
        traffic: Traffic,
    ) -> None:
        self.welcome: worker_pb2.Welcome | None = None
        """The answer to the hello."""
        self.heard: float
        """The loop's time when the last frame came."""
        self.timeout_seconds = WELCOME_SECONDS_MAX
        """How long nothing may be heard."""
        self._desk: Final = desk
        self._address: Final = address
        self._hello: Final = hello
        self._loop: Final = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self._sent = self.heard
        self._call: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(
            METHOD,
            request_serializer=None,
            response_deserializer=worker_pb2.SessionResponse.FromString,
        )()
        self._ended: Final[asyncio.Future[End]] = self._loop.create_future()
        self._on_welcomed: Final = welcomed
        self._traffic: Final = traffic
        self._welcomed: Final = asyncio.Event()
        self._filled: Final = asyncio.Event()
        self._finishing = False
        self._heartbeat_seconds = 5.0
        self._frame_bytes = FRAME_BYTES_MAX
        self._pulse: asyncio.TimerHandle | None = None
        self._handlers: Final[dict[str | None, Callable[[worker_pb2.ServerMessage], None]]] = {
            "start": desk.start,
            "ack": desk.ack,
            "completion": desk.completion,
            "suspended": desk.suspended,
            "abandon": desk.abandon,
            "cancel_requested": desk.cancel_requested,
            "pause_requested": desk.pause_requested,
            "welcome": self._on_welcome,
            "drain": self._on_drain,
        }

    async def run(self) -> End:
        """Lives until the stream ends; returns why."""
        self._desk.wake = self._filled.set
        tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]
        self._beat()
        try:
            return await self._ended
        finally:
            self._desk.wake = self._forget
            if self._pulse is not None:
                self._pulse.cancel()
            self._call.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def finish(self) -> None:
        """Half-closes the stream when all that waits to be sent is sent."""
        self._finishing = True
        self._filled.set()

    def end(self, end: End) -> None:
        """Ends the session now; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(end)

    def break_off(self) -> None:
        """Ends the session now: what comes yet is not heard."""
        self._handlers.clear()
        self._call.cancel()
        self.end(End(reason="broken off"))

    def _forget(self) -> None:
        """What waits for the next session needs no waking now."""

    # Inbound

    async def _read(self) -> None:
        call, loop = self._call, self._loop
        try:
            while True:
                frame = await call.read()
                if frame is grpc.aio.EOF:
                    break
                loop.call_soon(self._on_frame, cast("worker_pb2.SessionResponse", frame))
            code = await call.code()
        except grpc.RpcError as error:
            self._end_soon(End(translate(error, self._address)))
        except asyncio.CancelledError:
            # Ours (the session has ended already), or the channel was closed below us.
            self._end_soon(End(reason="the stream was cancelled"))
            raise
        else:
            if code is grpc.StatusCode.OK:
                reason = "" if self._finishing else "the control plane closed the stream"
                self._end_soon(End(reason=reason, finished=self._finishing))
            else:
                refusal = grpc.aio.AioRpcError(
                    code,
                    await call.initial_metadata(),
                    await call.trailing_metadata(),
                    details=await call.details(),
                )
                self._end_soon(End(translate(refusal, self._address)))

    def _end_soon(self, end: End) -> None:
        # Behind the frames that were read before.
        self._loop.call_soon(self.end, end)

    def _on_frame(self, frame: worker_pb2.SessionResponse) -> None:
        self.heard = self._loop.time()
        self._traffic.frames_received += 1
        messages = frame.messages
        self._traffic.messages_received += len(messages)
        handlers = self._handlers
        for message in messages:
            handler = handlers.get(message.WhichOneof("message"))
            # What this version does not know, and heartbeats, only count as heard.
            if handler is not None:
                handler(message)

    def _on_welcome(self, message: worker_pb2.ServerMessage) -> None:
        welcome = message.welcome
        self.welcome = welcome
        if welcome.HasField("heartbeat_interval"):
            self._heartbeat_seconds = max(0.01, _seconds(welcome.heartbeat_interval))
        if welcome.HasField("session_timeout"):
            self.timeout_seconds = max(0.02, _seconds(welcome.session_timeout))
        if self._pulse is not None:
            self._pulse.cancel()
        self._beat()
        desk = self._desk
        payload_bytes = welcome.limits.get("payload_bytes")
        if payload_bytes:
            desk.limited(payload_bytes)
        self._frame_bytes = welcome.limits.get("frame_bytes") or FRAME_BYTES_MAX
        desk.connected()
        self._on_welcomed()
        self._welcomed.set()
        self._filled.set()

    def _on_drain(self, message: worker_pb2.ServerMessage) -> None:
        delay = _seconds(message.drain.delay)
        self.end(End(reason="the control plane asks to reconnect", delay=delay))

    # Outbound

    async def _write(self) -> None:
        call, desk, filled = self._call, self._desk, self._filled
        try:
            hello = worker_pb2.WorkerMessage(hello=self._hello)
            await call.write(worker_pb2.SessionRequest(messages=[hello]).SerializeToString())
            await self._welcomed.wait()
            while True:
                await filled.wait()
                filled.clear()
                while desk.outbound:
                    batch, desk.outbound = desk.outbound, []
                    self._traffic.messages_sent += len(batch)
                    for frame in frames(batch, self._refuse, self._frame_bytes):
                        self._traffic.frames_sent += 1
                        await call.write(frame)
                    self._sent = self._loop.time()
                if self._finishing:
                    await call.done_writing()
                    return
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            # The reader knows better why; this is for the case that it waits for ever.
            logger.debug("writing failed: %r", error)
            await asyncio.sleep(1.0)
            self.end(End(reason="the stream can no longer be written"))

    def _refuse(self, message: worker_pb2.WorkerMessage, size: int) -> worker_pb2.WorkerMessage:
        """Replaces a message that no frame can hold by the end of its invocation."""
        problem = (
            f"a message of {size} bytes ({message.WhichOneof('message')}) is more than a frame can"
            f" hold ({self._frame_bytes}); store the value elsewhere and pass a reference"
        )
        invocation_id, attempt = message.invocation_id, message.attempt
        about = {"invocation_id": invocation_id, "attempt": attempt}
        logger.error("%s: %s", invocation_id, problem, extra=about)
        self._loop.call_soon(self._desk.forget, invocation_id, attempt)
        replaced = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=attempt)
        failure = replaced.finished.outcome.failure
        failure.type = "durable.PayloadTooLarge"
        failure.message = problem
        failure.terminal = True
        return replaced

    # The pulse

    def _beat(self) -> None:
        """Looks whether both sides live; runs twice in each heartbeat interval."""
        loop = self._loop
        now = loop.time()
        interval = self._heartbeat_seconds / 2
        if now - self.heard >= self.timeout_seconds:
            # If our own loop stood still, frames may wait to be read: look again after a turn.
            late = self._pulse is not None and now - self._pulse.when() > interval
            if not late:
                silent = f"nothing was heard for {self.timeout_seconds:g} s"
                self.end(End(reason=silent))
                return
        desk = self._desk
        if self.welcome is not None and now - self._sent >= interval and not desk.outbound:
            message = worker_pb2.WorkerMessage()
            message.heartbeat.SetInParent()
            desk.outbound.append(message)
            self._filled.set()
        self._pulse = loop.call_later(interval, self._beat)


def _seconds(duration: Any) -> float:
    seconds: float = duration.seconds + duration.nanos / 1e9
    return seconds


Refuse = Callable[[worker_pb2.WorkerMessage, int], worker_pb2.WorkerMessage]


def frames(messages: list[worker_pb2.WorkerMessage], refuse: Refuse, limit: int) -> Iterator[bytes]:
    """Serialises messages into frames of at most `limit` bytes, in order.

    `refuse` is given a message that is too large alone and its size, and returns a replacement.
    """
    data = worker_pb2.SessionRequest(messages=messages).SerializeToString()
    if len(data) <= limit:
        yield data
    elif len(messages) > 1:
        middle = len(messages) // 2
        yield from frames(messages[:middle], refuse, limit)
        yield from frames(messages[middle:], refuse, limit)
    else:
        yield from frames([refuse(messages[0], len(data))], refuse, limit)
