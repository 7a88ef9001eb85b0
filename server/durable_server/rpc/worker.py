"""DurableWorker: worker streams, translated into records, and effects into frames.

One `Stream` for each session. What is to be sent is added to the next frame at once, by plain calls
from the processor; one writer task writes frames, so that a frame holds whatever has accumulated
while the one before was being written. What arrives is checked against ownership and handed to the
processor as records. The head of worker.proto is the specification.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, TypeAlias, cast

import grpc

from durable_proto.v1 import payload_pb2, worker_pb2, worker_pb2_grpc

from ..core.effects import Acknowledge, Complete
from ..core.model import EntryKind, EntryRow, Invocation
from ..core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptReleased,
    EntryRecorded,
    Finished,
    HandlerRegistered,
    SuspendAsked,
)
from ..processor.loop import Processor
from ..processor.workers import Worker
from . import convert
from .refusal import Refusal, abort, invalid, protocol_violation, unavailable

logger = logging.getLogger("durable.workers")

PROTOCOL_VERSION = 1
_FRAME_SOFT_BYTES = 1024 * 1024
"""A frame is closed when it holds this much; one message more may go over it."""
_OWN_WORK: frozenset[int] = frozenset({EntryKind.RUN, EntryKind.CALL})
"""Kinds whose outcome the worker makes."""
_BUILT: frozenset[int] = _OWN_WORK | {EntryKind.SLEEP}
"""Kinds that this version serves."""

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class SessionTimes(NamedTuple):
    """The intervals of worker sessions, in seconds."""

    heartbeat: float = 5.0
    timeout: float = 20.0
    grace: float = 3.0


class Stream:
    """One session of one worker; the processor's Outbound."""

    def __init__(self, processor: Processor, times: SessionTimes) -> None:
        self.worker: Worker | None = None
        self.heard = True
        self.sent = True
        self._processor = processor
        self._times = times
        self._frame = worker_pb2.SessionResponse()
        self._frame_bytes = 0
        self._full: deque[worker_pb2.SessionResponse] = deque()
        self._filled = asyncio.Event()

    # Outbound

    def start(self, invocation: Invocation, journal: list[EntryRow]) -> None:
        """Hands an attempt to the worker."""
        size = len(invocation.input or b"") + 512
        message = self._message(invocation.id, invocation.attempt)
        start = message.start
        start.handler = invocation.handler
        if invocation.input is not None:
            start.input.MergeFromString(invocation.input)
        start.key = invocation.key
        start.service = invocation.service
        start.partition_key = invocation.partition_key
        if invocation.headers:
            start.headers.update(invocation.headers)
        start.create_time.seconds, rest = divmod(invocation.created_ms, 1000)
        start.create_time.nanos = rest * 1_000_000
        start.random_seed = int(invocation.id[16:], 16)
        if invocation.attempt > 1:
            start.version = invocation.version
            if invocation.fault is not None:
                start.last_failure.MergeFromString(invocation.fault.data)
        for row in journal:
            convert.entry(row, start.journal.add())
            size += len(row.outcome or b"") + len(row.argument or b"") + 128
        self._added(size)

    def acknowledge(self, effect: Acknowledge) -> None:
        """Says that an entry is in the log."""
        ack = self._message(effect.invocation_id, effect.attempt).ack
        ack.index = effect.position
        ack.completion_number = effect.completion
        ack.time.seconds, rest = divmod(effect.time_ms, 1000)
        ack.time.nanos = rest * 1_000_000
        self._added(64)

    def complete(self, effect: Complete) -> None:
        """Says that an open entry has ended."""
        completion = self._message(effect.invocation_id, effect.attempt).completion
        completion.index = effect.position
        completion.outcome.MergeFromString(effect.outcome)
        completion.completion_number = effect.completion
        completion.time.seconds, rest = divmod(effect.time_ms, 1000)
        completion.time.nanos = rest * 1_000_000
        self._added(len(effect.outcome) + 64)

    def suspended(self, invocation_id: str, attempt: int) -> None:
        """Says that the attempt is suspended."""
        self._message(invocation_id, attempt).suspended.SetInParent()
        self._added(64)

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        """Says that the attempt is not the worker's any more."""
        self._message(invocation_id, attempt).abandon.reason = reason
        self._added(64 + len(reason))

    def drain(self) -> None:
        """Asks the worker to reconnect: this control plane stops."""
        self._message("", 0).drain.delay.SetInParent()
        self._added(16)

    def heartbeat(self) -> None:
        """Sends a sign of life if nothing else was sent since the last one."""
        if not self.sent:
            self._message("", 0).heartbeat.SetInParent()
            self._added(16)
        self.sent = False

    def welcome(self) -> None:
        """Accepts the worker."""
        processor, times = self._processor, self._times
        welcome = self._message("", 0).welcome
        welcome.protocol_version = PROTOCOL_VERSION
        welcome.epoch = processor.partition.epoch
        welcome.heartbeat_interval.FromTimedelta(timedelta(seconds=times.heartbeat))
        welcome.session_timeout.FromTimedelta(timedelta(seconds=times.timeout))
        welcome.reconnect_grace.FromTimedelta(timedelta(seconds=times.grace))
        limits = processor.limits
        for name in ("payload_bytes", "frame_bytes", "journal_entries"):
            welcome.limits[name] = getattr(limits, name)
        self._added(128)

    def _message(self, invocation_id: str, attempt: int) -> worker_pb2.ServerMessage:
        return self._frame.messages.add(invocation_id=invocation_id, attempt=attempt)

    def _added(self, size: int) -> None:
        self._frame_bytes += size
        if self._frame_bytes > _FRAME_SOFT_BYTES:
            self._full.append(self._frame)
            self._frame = worker_pb2.SessionResponse()
            self._frame_bytes = 0
        self._filled.set()

    async def write(self, context: Context) -> None:
        """Writes frames as they fill, until it is cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._full or self._frame_bytes:
                if self._full:
                    frame = self._full.popleft()
                else:
                    frame, self._frame = self._frame, worker_pb2.SessionResponse()
                    self._frame_bytes = 0
                self.sent = True
                await context.write(frame)

    # Inbound

    def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Handles a frame in order; raises Refusal for what ends the session."""
        self.heard = True
        worker = self.worker
        assert worker is not None
        for message in frame.messages:
            kind = message.WhichOneof("message")
            if kind is None:
                continue
            about = self._about.get(kind)
            if about is not None:
                # What the session does not own is what a reconnect leaves behind (design law 5).
                if worker.owned.get(message.invocation_id) == message.attempt:
                    about(self, message)
            elif kind == "draining":
                worker.draining = True
            elif kind == "hello":
                raise protocol_violation("a second hello; a session has one, at its beginning")

    def _entry(self, message: worker_pb2.WorkerMessage) -> None:
        entry = message.entry
        limits = self._processor.limits
        kind = entry.kind
        outcome: bytes | None = None
        problem = ""
        if kind in _OWN_WORK:
            outcome = entry.outcome.SerializeToString()
            if not outcome:
                problem = "an entry of kind RUN or CALL must have an outcome"
            elif len(outcome) > limits.payload_bytes + 1024:
                self._too_large(message, len(outcome))
                return
        elif kind not in _BUILT:
            problem = f"this control plane does not serve entries of kind {kind} yet"
        if entry.index < 0 or entry.index >= limits.journal_entries:
            problem = (
                f"entry {entry.index} is beyond the limit journal_entries "
                f"({limits.journal_entries}); split the work into child invocations"
            )
        elif len(entry.name) > limits.id_bytes:
            problem = f"a name of {len(entry.name)} characters is over id_bytes"
        if problem:
            self._hold(message, "durable.ProtocolError", problem)
            return
        delay_ms = 0
        if entry.HasField("delay"):
            delay_ms = max(1, entry.delay.ToMilliseconds())
        record = EntryRecorded(
            message.invocation_id,
            message.attempt,
            entry.index,
            kind,
            entry.name,
            outcome,
            entry.argument.SerializeToString() if entry.HasField("argument") else None,
            delay_ms,
            entry.target,
        )
        self._processor.submit(record, len(outcome) if outcome else 0)

    def _finished(self, message: worker_pb2.WorkerMessage) -> None:
        outcome = message.finished.outcome
        data = outcome.SerializeToString()
        if len(data) > self._processor.limits.payload_bytes + 1024:
            self._too_large(message, len(data))
            return
        fault = None
        if outcome.WhichOneof("result") == "failure":
            fault = convert.fault(outcome.failure)
        self._processor.submit(
            Finished(message.invocation_id, message.attempt, data, fault), len(data)
        )

    def _attempt_failed(self, message: worker_pb2.WorkerMessage) -> None:
        failed = message.attempt_failed
        retry_ms = -1
        if failed.HasField("retry_delay"):
            retry_ms = max(0, failed.retry_delay.ToMilliseconds())
        fault = convert.fault(failed.failure)
        chance = self._processor.chance()
        self._processor.submit(
            AttemptFailed(message.invocation_id, message.attempt, fault, chance, retry_ms),
            len(fault.data),
        )

    def _held(self, message: worker_pb2.WorkerMessage) -> None:
        fault = convert.fault(message.held.failure)
        self._processor.submit(
            AttemptHeld(message.invocation_id, message.attempt, fault), len(fault.data)
        )

    def _suspend(self, message: worker_pb2.WorkerMessage) -> None:
        number = message.suspend.completion_number
        self._processor.submit(SuspendAsked(message.invocation_id, message.attempt, number))

    def _released(self, message: worker_pb2.WorkerMessage) -> None:
        self._processor.submit(AttemptReleased(message.invocation_id, message.attempt))

    def _hold(self, message: worker_pb2.WorkerMessage, kind: str, problem: str) -> None:
        failure = payload_pb2.Failure(type=kind, message=problem)
        self.abandon(message.invocation_id, message.attempt, problem)
        self._processor.submit(
            AttemptHeld(message.invocation_id, message.attempt, convert.fault(failure))
        )

    def _too_large(self, message: worker_pb2.WorkerMessage, size: int) -> None:
        """Fails the invocation: the same code would make the same value again."""
        limit = self._processor.limits.payload_bytes
        failure = payload_pb2.Failure(
            type="durable.PayloadTooLarge",
            message=f"a value of {size} bytes is more than the limit payload_bytes ({limit}); "
            "store it elsewhere and return a reference",
            terminal=True,
        )
        outcome = payload_pb2.Outcome(failure=failure).SerializeToString()
        self.abandon(message.invocation_id, message.attempt, failure.message)
        self._processor.submit(
            Finished(message.invocation_id, message.attempt, outcome, convert.fault(failure))
        )

    _about: ClassVar[dict[str, Callable[[Stream, worker_pb2.WorkerMessage], None]]] = {
        "entry": _entry,
        "finished": _finished,
        "attempt_failed": _attempt_failed,
        "held": _held,
        "suspend": _suspend,
        "released": _released,
    }


class WorkerService(worker_pb2_grpc.DurableWorkerServicer):
    """The servicer of DurableWorker over one processor."""

    def __init__(self, processor: Processor, times: SessionTimes) -> None:
        self._processor = processor
        self._times = times
        self._streams: set[Stream] = set()
        for worker in processor.workers:
            # Owners from before this leader: they come back, or their work goes to others.
            self._grant_grace(worker)

    def drain(self) -> None:
        """Asks all workers to reconnect: this control plane stops."""
        for stream in self._streams:
            stream.drain()

    # The stubs only know servicers that yield; grpc.aio also takes a coroutine that writes.
    async def Session(  # type: ignore[override]
        self, request_iterator: AsyncIterator[worker_pb2.SessionRequest], context: Context
    ) -> None:
        """Serves one session; see worker.proto."""
        stream = Stream(self._processor, self._times)
        task = asyncio.current_task()
        assert task is not None
        writer = asyncio.create_task(stream.write(context))
        beat = _Beat(stream, self._times, task.cancel)
        clean = False
        try:
            first = await context.read()
            if first is grpc.aio.EOF:
                return
            rest = await self._hello(stream, cast("worker_pb2.SessionRequest", first))
            beat.begin()
            self._streams.add(stream)
            stream.receive(rest)
            while (frame := await context.read()) is not grpc.aio.EOF:
                stream.receive(cast("worker_pb2.SessionRequest", frame))
            # A broken connection may look like a half-close; a worker that leaves has said so.
            clean = stream.worker is not None and stream.worker.draining
        except Refusal as error:
            await abort(context, error)
        except asyncio.CancelledError:
            if not beat.gave_up:
                raise
            task.uncancel()
            seconds = self._times.timeout
            await abort(context, unavailable("silent", f"nothing was heard for {seconds:g} s"))
        finally:
            beat.end()
            writer.cancel()
            self._streams.discard(stream)
            self._leave(stream, clean)

    async def _hello(
        self, stream: Stream, frame: worker_pb2.SessionRequest
    ) -> worker_pb2.SessionRequest:
        """Puts the worker into service; returns what came with its hello."""
        processor = self._processor
        limits = processor.limits
        if not frame.messages or frame.messages[0].WhichOneof("message") != "hello":
            raise protocol_violation("the first message of a session must be a hello")
        hello = frame.messages[0].hello
        if hello.protocol_version < 1:
            raise protocol_violation(
                f"protocol version {hello.protocol_version} is not supported; "
                f"this control plane speaks {PROTOCOL_VERSION}"
            )
        if not 1 <= len(hello.worker_id) <= 64:
            size = f"{len(hello.worker_id)} characters"
            raise invalid("worker_id", "must have 1 to 64 characters", value=size)
        if not 1 <= hello.slot_count <= limits.slots:
            problem = f"must be from 1 to {limits.slots}"
            raise invalid("slot_count", problem, value=hello.slot_count, limit=limits.slots)
        if len(hello.handlers) > limits.handlers:
            count = len(hello.handlers)
            raise invalid(
                "handlers", f"{count} are more than the limit", value=count, limit=limits.handlers
            )
        convert.check_text("identity", hello.identity, limits.id_bytes, "id_bytes")
        convert.check_text("build_id", hello.build_id, limits.id_bytes, "id_bytes")
        handlers = [convert.handler(spec, limits) for spec in hello.handlers]
        known = processor.partition.handlers
        try:
            await asyncio.gather(
                *(
                    processor.propose(HandlerRegistered(it))
                    for it in handlers
                    if known.get(it.name) != it
                )
            )
        except RuntimeError as error:
            raise unavailable("ended", "the control plane has stopped") from error
        worker = processor.workers.expect(hello.worker_id)
        worker.identity, worker.build_id = hello.identity, hello.build_id
        worker.handlers = {it.name: it.version for it in handlers}
        worker.slots = hello.slot_count
        stream.worker = worker
        stream.welcome()
        self._take_up(stream, worker, hello)
        processor.workers.connect(worker, stream, processor.now_ms())
        processor.wake()
        logger.info(
            "worker %s (%s) serves %s", worker.id, worker.identity, ", ".join(worker.handlers)
        )
        del frame.messages[0]
        return frame

    def _take_up(self, stream: Stream, worker: Worker, hello: worker_pb2.Hello) -> None:
        """Brings both sides' view of the worker's work together after a reconnect."""
        processor = self._processor
        resumed = {it.invocation_id: it.attempt for it in hello.resumed}
        for invocation_id, attempt in worker.owned.items():
            # What is assigned but not committed yet is dispatched on this stream when it is.
            found = processor.partition.invocations.get(invocation_id)
            committed = found is not None and found.attempt == attempt
            if committed and resumed.get(invocation_id) != attempt:
                processor.submit(AttemptReleased(invocation_id, attempt))
        for invocation_id, attempt in resumed.items():
            if worker.owned.get(invocation_id) != attempt:
                stream.abandon(invocation_id, attempt, "it was given to another worker")
                continue
            found = processor.find(invocation_id)
            for row in processor.store.journal(found.number) if found is not None else ():
                if row.kind not in _OWN_WORK and row.completion and row.outcome is not None:
                    stream.complete(
                        Complete(
                            worker.id,
                            invocation_id,
                            attempt,
                            row.position,
                            row.outcome,
                            row.completion,
                            row.completed_ms,
                        )
                    )

    def _leave(self, stream: Stream, clean: bool) -> None:
        worker = stream.worker
        if worker is None or worker.outbound is not stream:
            return
        processor = self._processor
        processor.workers.disconnect(worker)
        if processor.ended.done():
            return
        if clean:
            for invocation_id, attempt in worker.owned.items():
                processor.submit(AttemptReleased(invocation_id, attempt))
            processor.workers.remove(worker)
            logger.info("worker %s (%s) left", worker.id, worker.identity)
        else:
            logger.info("worker %s (%s) is away", worker.id, worker.identity)
            self._grant_grace(worker)

    def _grant_grace(self, worker: Worker) -> None:
        def over() -> None:
            if worker.outbound is None and processor.workers.get(worker.id) is worker:
                logger.warning("worker %s (%s) is lost", worker.id, worker.identity)
                processor.lose(worker)

        processor = self._processor
        asyncio.get_running_loop().call_later(self._times.grace, over)


class _Beat:
    """Sends signs of life, and ends a session that gives none."""

    def __init__(self, stream: Stream, times: SessionTimes, give_up: Callable[[], object]) -> None:
        self._stream = stream
        self._times = times
        self._give_up = give_up
        self._silent = 0.0
        self.gave_up = False
        self._handle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(self._times.heartbeat, self._beat)

    def end(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        stream = self._stream
        self._silent = 0.0 if stream.heard else self._silent + self._times.heartbeat
        stream.heard = False
        if self._silent >= self._times.timeout:
            self.gave_up = True
            self._give_up()
            return
        stream.heartbeat()
        self.begin()
