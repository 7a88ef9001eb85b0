"""One worker's stream: the processor's Outbound, and the reader of what the worker says.

What is to be sent is added to the next frame at once, by plain calls from the processor; one writer
task writes frames, so that a frame holds whatever has accumulated while the one before was being
written. What arrives is checked against ownership and handed to the processor as records. The head of
worker.proto is the specification.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, TypeAlias

import grpc

from durable_proto.v1 import payload_pb2, worker_pb2

from ..core.effects import Acknowledge, Complete
from ..core.model import EntryKind, EntryRow, Invocation
from ..core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptReleased,
    EntryRecorded,
    Finished,
    SuspendAsked,
)
from ..processor.loop import Processor
from ..processor.workers import Worker
from . import convert
from .refusal import protocol_violation

logger = logging.getLogger("durable.workers")

PROTOCOL_VERSION = 1
_FRAME_SOFT_BYTES = 1024 * 1024
"""A frame is closed when it holds this much; one message more may go over it."""
OWN_WORK: frozenset[int] = frozenset({EntryKind.RUN, EntryKind.CALL})
"""Kinds whose outcome the worker makes."""
_BUILT: frozenset[int] = OWN_WORK | {EntryKind.SLEEP}
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
        if kind in OWN_WORK:
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
