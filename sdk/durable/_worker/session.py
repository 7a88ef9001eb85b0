"""The session: one bidirectional stream of frames between the worker and the control plane.

A session has a reader, a writer and a heartbeat timer, and ends when the first of them ends it. The
reader is a task that only reads. It passes each frame to the loop with `call_soon`, so that frames are
handled in the order of the stream and the replay engine is never entered inside a task. The writer is a
task that takes all that the send queue holds and writes it as one frame. While a frame is being written
the next one fills, so batches grow with the load and an idle worker has no delay. The heartbeat timer
sends a heartbeat when nothing else was sent, and ends the session when nothing was received for the
session timeout.

Rules.
- Hello is written first and alone. Nothing follows before Welcome, which brings the server's limits.
- A frame has at most `frame_bytes` bytes, a limit of the server; a larger batch is split. A single
  message that is larger cannot be sent at all, so its invocation fails with an error that says so.
- With a codec, payloads are encoded when a message is written, and decoded when it is received. So the
  rest of the worker, and what is kept to be sent again, has plain values only. A message that cannot be
  encoded is replaced by a failure of the attempt, which is retried.
- Frames are serialised here instead of by gRPC, because only the serialised form shows the size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, cast

import grpc
import grpc.aio

from durable_proto.v1 import worker_pb2

from .._common.addresses import Address
from .._common.codecs.interface import Codec
from .._common.codecs.messages import (
    decode_message,
    encode_message,
    note_all,
    payloads_of,
)
from .._common.errors import RpcError
from .._common.transport import translate
from .._engine.failures import internal_failure
from .attempt_runner import AttemptRunner
from .send_queue import wakes_nobody
from .statistics import Traffic

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
"""The largest frame if the server names no other limit; the protocol's own limit."""
WELCOME_SECONDS_MAX: Final = 15.0
"""How long the control plane may take to answer Hello: it writes the handlers to its log first."""
METHOD: Final = "/durable.v1.DurableWorker/Session"

logger = logging.getLogger("durable.worker")


class End(NamedTuple):
    """Why a session ended."""

    error: RpcError | None = None
    """The error of the control plane or of the transport; None when the stream ended without one."""
    reason: str = ""
    """Why the worker ended it, for the log."""
    delay: float | None = None
    """How many seconds the control plane asks the worker to wait before it reconnects."""
    elsewhere: bool = False
    """Whether it asks the worker to go to another address."""
    finished: bool = False
    """Whether the control plane closed the stream after the worker's half-close."""


class Session:
    """One session. `run` opens and serves it; the other methods may be called while it runs."""

    def __init__(
        self,
        runner: AttemptRunner,
        channel: grpc.aio.Channel,
        address: Address,
        hello: worker_pb2.Hello,
        on_welcome: Callable[[], None],
        traffic: Traffic,
        codec: Codec | None = None,
    ) -> None:
        self.welcome: worker_pb2.Welcome | None = None
        """The server's answer to Hello; None until it comes."""
        self._loop: Final = asyncio.get_running_loop()
        self.received_at = self._loop.time()
        """The loop's time when the last frame was received."""
        self.timeout_seconds = WELCOME_SECONDS_MAX
        """How long the session lives without receiving anything."""
        self._runner: Final = runner
        self._queue: Final = runner.send_queue
        self._address: Final = address
        self._hello: Final = hello
        self._sent_at = self.received_at
        self._call: grpc.aio.StreamStreamCall[Any, Any] = channel.stream_stream(
            METHOD,
            request_serializer=None,
            response_deserializer=worker_pb2.SessionResponse.FromString,
        )()
        self._ended: Final[asyncio.Future[End]] = self._loop.create_future()
        self._on_welcomed: Final = on_welcome
        self._traffic: Final = traffic
        self._codec: Final = codec
        self._welcomed: Final = asyncio.Event()
        self._filled: Final = asyncio.Event()
        self._finishing = False
        self._heartbeat_seconds = 5.0
        self._frame_bytes = FRAME_BYTES_MAX
        self._heartbeat: asyncio.TimerHandle | None = None
        self._handlers: Final[dict[str | None, Callable[[worker_pb2.ServerMessage], None]]] = {
            "start": runner.on_start,
            "ack": runner.on_ack,
            "completion": runner.on_completion,
            "suspended": runner.on_suspended,
            "abandon": runner.on_abandon,
            "cancel_requested": runner.on_cancel_requested,
            "pause_requested": runner.on_pause_requested,
            "welcome": self._on_welcome,
            "drain": self._on_drain,
        }

    async def run(self) -> End:
        """Serves the session until it ends; returns why it ended."""
        self._queue.wake = self._filled.set
        tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._write())]
        self._on_heartbeat_due()
        try:
            return await self._ended
        finally:
            self._queue.wake = wakes_nobody
            if self._heartbeat is not None:
                self._heartbeat.cancel()
            self._call.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def finish(self) -> None:
        """Half-closes the stream as soon as the send queue is empty."""
        self._finishing = True
        self._filled.set()

    def end(self, end: End) -> None:
        """Ends the session now; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(end)

    def break_off(self) -> None:
        """Ends the session now, and ignores the frames that are still to be handled."""
        self._handlers.clear()
        self._call.cancel()
        self.end(End(reason="broken off"))

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
            # `run` cancels this task when the session has ended. Or the channel was closed.
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
        # The frames that were read before this are handled before this.
        self._loop.call_soon(self.end, end)

    def _on_frame(self, frame: worker_pb2.SessionResponse) -> None:
        self.received_at = self._loop.time()
        self._traffic.frames_received += 1
        messages = frame.messages
        self._traffic.messages_received += len(messages)
        handlers = self._handlers
        for message in messages:
            handler = handlers.get(message.WhichOneof("message"))
            # A heartbeat, or a message that this version does not know, has no handler.
            if handler is not None:
                if self._codec is not None:
                    _decode(self._codec, message)
                handler(message)

    def _on_welcome(self, message: worker_pb2.ServerMessage) -> None:
        welcome = message.welcome
        self.welcome = welcome
        if welcome.HasField("heartbeat_interval"):
            self._heartbeat_seconds = max(0.01, _seconds(welcome.heartbeat_interval))
        if welcome.HasField("session_timeout"):
            self.timeout_seconds = max(0.02, _seconds(welcome.session_timeout))
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._on_heartbeat_due()
        limits = welcome.limits
        payload_bytes = limits.get("payload_bytes") or 0
        if payload_bytes and self._codec is not None:
            payload_bytes = max(1, payload_bytes - self._codec.overhead_bytes)
        self._runner.set_limits(
            payload_bytes, limits.get("journal_entries") or 0, limits.get("journal_bytes") or 0
        )
        self._frame_bytes = welcome.limits.get("frame_bytes") or FRAME_BYTES_MAX
        self._runner.session_opened()
        self._on_welcomed()
        self._welcomed.set()
        self._filled.set()

    def _on_drain(self, message: worker_pb2.ServerMessage) -> None:
        drain = message.drain
        reason = "the control plane asks to reconnect"
        self.end(End(reason=reason, delay=_seconds(drain.delay), elsewhere=drain.elsewhere))

    # Outbound

    async def _write(self) -> None:
        call, queue, filled = self._call, self._queue, self._filled
        try:
            hello = worker_pb2.WorkerMessage(hello=self._hello)
            await call.write(worker_pb2.SessionRequest(messages=[hello]).SerializeToString())
            await self._welcomed.wait()
            while True:
                await filled.wait()
                filled.clear()
                while queue.messages:
                    batch = queue.take()
                    self._traffic.messages_sent += len(batch)
                    if self._codec is not None:
                        batch = [self._encoded(self._codec, message) for message in batch]
                    for frame in frames(batch, self._refuse, self._frame_bytes):
                        self._traffic.frames_sent += 1
                        await call.write(frame)
                    self._sent_at = self._loop.time()
                if self._finishing:
                    await call.done_writing()
                    return
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            # The reader usually gets the reason and ends the session; this is for when it does not.
            logger.debug("writing failed: %r", error)
            await asyncio.sleep(1.0)
            self.end(End(reason="the stream can no longer be written"))

    def _encoded(self, codec: Codec, message: worker_pb2.WorkerMessage) -> worker_pb2.WorkerMessage:
        """Returns a message with encoded payloads, or the failure of the attempt instead of it."""
        if not payloads_of(message):
            return message
        encoded = worker_pb2.WorkerMessage()
        encoded.CopyFrom(message)
        try:
            encode_message(codec, encoded)
        except Exception as error:  # noqa: BLE001  # whatever a user's codec raises
            invocation_id, attempt = message.invocation_id, message.attempt
            about = {"invocation_id": invocation_id, "attempt": attempt}
            logger.error("%s: a value cannot be encoded: %s", invocation_id, error, extra=about)
            self._loop.call_soon(self._runner.forget, invocation_id, attempt)
            encoded = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=attempt)
            encoded.attempt_failed.failure.CopyFrom(internal_failure(error))
            encoded.attempt_failed.failure.type = "durable.UnencodableValueError"
        return encoded

    def _refuse(self, message: worker_pb2.WorkerMessage, size: int) -> worker_pb2.WorkerMessage:
        """Returns a failure of the invocation, to send instead of a message too large for a frame."""
        problem = (
            f"a message of {size} bytes ({message.WhichOneof('message')}) is more than a frame can"
            f" hold ({self._frame_bytes}); store the value elsewhere and pass a reference"
        )
        invocation_id, attempt = message.invocation_id, message.attempt
        about = {"invocation_id": invocation_id, "attempt": attempt}
        logger.error("%s: %s", invocation_id, problem, extra=about)
        self._loop.call_soon(self._runner.forget, invocation_id, attempt)
        final = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=attempt)
        failure = final.finished.outcome.failure
        failure.type = "durable.PayloadTooLarge"
        failure.message = problem
        failure.terminal = True
        return final

    # Heartbeats

    def _on_heartbeat_due(self) -> None:
        """Ends a session that receives nothing, and sends a heartbeat if nothing else was sent.

        Runs twice in each heartbeat interval.
        """
        loop = self._loop
        now = loop.time()
        interval = self._heartbeat_seconds / 2
        if now - self.received_at >= self.timeout_seconds:
            # If this loop was blocked, frames may wait to be read: decide at the next call.
            late = self._heartbeat is not None and now - self._heartbeat.when() > interval
            if not late:
                self.end(End(reason=f"nothing was heard for {self.timeout_seconds:g} s"))
                return
        queue = self._queue
        if self.welcome is not None and now - self._sent_at >= interval and not queue.messages:
            message = worker_pb2.WorkerMessage()
            message.heartbeat.SetInParent()
            queue.put(message)
        self._heartbeat = loop.call_later(interval, self._on_heartbeat_due)


def _seconds(duration: Any) -> float:
    seconds: float = duration.seconds + duration.nanos / 1e9
    return seconds


def _decode(codec: Codec, message: worker_pb2.ServerMessage) -> None:
    """Decodes a message's payloads. One that cannot be decoded holds the attempt that reads it."""
    try:
        decode_message(codec, message)
    except Exception as error:  # noqa: BLE001  # whatever a user's codec raises
        note_all(codec, message, error)


Refuse = Callable[[worker_pb2.WorkerMessage, int], worker_pb2.WorkerMessage]


def frames(messages: list[worker_pb2.WorkerMessage], refuse: Refuse, limit: int) -> Iterator[bytes]:
    """Serialises messages into frames of at most `limit` bytes, in order.

    `refuse` gets a message that is too large for a frame, and its size, and returns a replacement.
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
