"""What one worker says to the control plane: messages of a session become records.

A message counts only for an attempt that the worker owns; all else is what a reconnect leaves behind
(design law 5). What is checked here is what a record could not undo: sizes, names, indexes, handlers
that nobody has ever registered. A worker that breaks the protocol does not end its session for the
others: the one invocation is held, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from durable_proto.v1 import payload_pb2, worker_pb2

from ..core.entry_kinds import KINDS, EntryKind, KindFacts
from ..core.limits import LIMIT_REACHED, SPAN_SECONDS
from ..core.model import HandlerKind
from ..core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    EntryRecorded,
    Finished,
    SuspendAsked,
)
from ..processor.loop import Processor
from ..processor.workers import Worker
from . import convert
from .declared import SCHEMA_BYTES_MAX, Declared
from .refusal import protocol_violation

_SLACK_BYTES = 1024
"""What an outcome or an argument may have beside its value's data, which fills the limit alone."""


class Inbound:
    """The reader of one session."""

    def __init__(
        self,
        processor: Processor,
        worker: Worker,
        abandon: Callable[[str, int, str], None],
    ) -> None:
        self._processor = processor
        self._worker = worker
        self._abandon = abandon
        self._declared = Declared(processor)

    def receive(self, frame: worker_pb2.SessionRequest) -> None:
        """Handles a frame in order; raises Refusal for what ends the session."""
        worker = self._worker
        for message in frame.messages:
            kind = message.WhichOneof("message")
            if kind is None:
                continue
            about = self._about.get(kind)
            if about is not None:
                if worker.owned.get(message.invocation_id) == message.attempt:
                    about(self, message)
            elif kind == "draining":
                worker.draining = True
                # What waits for it because of its version may go to others now.
                self._processor.wake()
            elif kind == "hello":
                raise protocol_violation("a second hello; a session has one, at its beginning")

    # The journal

    def _entry(self, message: worker_pb2.WorkerMessage) -> None:
        entry = message.entry
        limits = self._processor.limits
        kind = int(entry.kind)
        if entry.index >= limits.journal_entries:
            problem = (
                f"entry {entry.index} is beyond the limit journal_entries "
                f"({limits.journal_entries}); split the work into child invocations"
            )
            self._hold(message, LIMIT_REACHED, problem)
            return
        problem = self._problem(message)
        if problem:
            self._hold(message, "durable.ProtocolError", problem)
            return
        facts = KINDS[kind]
        outcome = argument = None
        if entry.HasField("outcome"):
            outcome = entry.outcome.SerializeToString(deterministic=facts.gives_value)
        if entry.HasField("argument"):
            argument = entry.argument.SerializeToString(deterministic=bool(entry.argument.metadata))
        size = len(outcome or b"") + len(argument or b"")
        value = max(len(entry.argument.data), len(entry.outcome.value.data))
        if max(value, size - _SLACK_BYTES) > limits.payload_bytes:
            self._too_large(message, size)
            return
        if facts.starts_invocation and not self._may_start(message):
            return
        found = self._processor.partition.invocations.get(message.invocation_id)
        if (
            found is not None
            and entry.index not in found.recorded  # one that is said again counts already
            and found.journal_bytes + size > limits.journal_bytes
        ):
            problem = limits.journal_too_large(found.journal_bytes + size)
            self._hold(message, LIMIT_REACHED, problem)
            return
        delay_ms = 0
        if entry.HasField("delay"):
            delay_ms = entry.delay.ToMilliseconds()
            delay_ms = max(1, delay_ms) if facts.is_timer else max(0, delay_ms)
        record = EntryRecorded(
            message.invocation_id,
            message.attempt,
            entry.index,
            kind,
            entry.name,
            outcome,
            argument,
            delay_ms,
            entry.target,
            entry.idempotency_key,
            entry.partition_key,
            max(0, min(entry.elapsed.ToMilliseconds(), SPAN_SECONDS * 1000)),
            entry.schema,
            entry.renew,
            self._unfit(entry) if facts.gives_value else "",
        )
        self._processor.submit(record)

    def _unfit(self, entry: worker_pb2.EntryRecorded) -> str:
        """Says why the value of a RESOLVE entry does not fit what waits for it; empty if it does."""
        if not entry.HasField("argument"):
            return ""
        if entry.target:
            found = self._declared.signal(entry.target, entry.name, entry.argument)
        else:
            found = self._declared.awakeable(entry.name, entry.argument)
        return "" if found is None else f"value{found.place}: {found.problem}"

    def _problem(self, message: worker_pb2.WorkerMessage) -> str:
        """Says what is wrong with an entry; an empty string when nothing is."""
        entry = message.entry
        limits = self._processor.limits
        kind = int(entry.kind)
        facts = KINDS.get(kind)
        if facts is None:
            return f"{kind} is no kind of entry that this control plane knows"
        if entry.index < 0:
            return f"{entry.index} is no index of an entry"
        for field in ("name", "target", "idempotency_key", "partition_key"):
            text = getattr(entry, field)
            size = convert.text_bytes(text)
            if size <= limits.id_bytes and "\0" not in text:
                continue
            word = "key" if field == "target" and facts.starts_invocation else field
            if size > limits.id_bytes:
                return f"{word}: {size} bytes are more than the limit id_bytes ({limits.id_bytes})"
            return f"{word}: {text!r} holds a NUL character"
        size = convert.text_bytes(entry.schema)
        if size > SCHEMA_BYTES_MAX:
            return f"schema: {size} bytes are more than {SCHEMA_BYTES_MAX}; leave it out"
        if problem := convert.too_long(entry.delay.ToMilliseconds()):
            return f"delay: {problem}"
        if facts.by_worker and entry.outcome.WhichOneof("result") is None:
            return "an entry of kind RUN or CALL must have an outcome"
        if facts.needs_name and not entry.name:
            return f"an entry of kind {EntryKind(kind).name} must have a name"
        if facts.needs_argument and not entry.HasField("argument"):
            return f"an entry of kind {EntryKind(kind).name} must have an argument"
        if facts.writes_state:
            found = self._processor.find(message.invocation_id)
            if found is not None and found.kind == HandlerKind.OBJECT_SHARED:
                return f"{found.handler} is a shared handler: it reads state, and cannot change it"
        return ""

    def _may_start(self, message: worker_pb2.WorkerMessage) -> bool:
        """Says whether there is such a handler, and it is asked rightly; else ends the attempt.

        By failure, not by holding it: what is missing may be deployed in a minute, and the retries
        that the policy grants then find it.
        """
        entry = message.entry
        handler = self._processor.partition.handlers.get(entry.name)
        kind, problem = "durable.InvalidField", ""
        if handler is None:
            kind = "durable.HandlerNotFound"
            problem = f"no worker has ever registered a handler {entry.name!r}"
        elif handler.kind == HandlerKind.WORKFLOW and entry.target:
            problem = f"{entry.name} is not a keyed handler; leave the key out"
        elif handler.kind != HandlerKind.WORKFLOW and not entry.target:
            problem = f"{entry.name} is a keyed handler; say which key it is for"
        if not problem:
            return True
        failure = payload_pb2.Failure(type=kind, message=problem)
        self._end(message, problem)
        self._processor.submit(
            AttemptFailed(
                message.invocation_id,
                message.attempt,
                convert.fault(failure),
                self._processor.chance(),
            )
        )
        return False

    # The end of an attempt

    def _finished(self, message: worker_pb2.WorkerMessage) -> None:
        outcome = message.finished.outcome
        data = outcome.SerializeToString()
        size = max(len(outcome.value.data), len(data) - _SLACK_BYTES)
        if size > self._processor.limits.payload_bytes:
            self._too_large(message, len(data))
            return
        fault = None
        if outcome.WhichOneof("result") == "failure":
            fault = convert.fault(outcome.failure)
        self._processor.submit(Finished(message.invocation_id, message.attempt, data, fault))

    def _attempt_failed(self, message: worker_pb2.WorkerMessage) -> None:
        failed = message.attempt_failed
        if problem := self._step_problem(failed):
            self._hold(message, "durable.ProtocolError", problem)
            return
        retry_ms = -1
        if failed.HasField("retry_delay"):
            retry_ms = max(0, min(failed.retry_delay.ToMilliseconds(), SPAN_SECONDS * 1000))
        fault = convert.fault(failed.failure)
        record = AttemptFailed(
            message.invocation_id,
            message.attempt,
            fault,
            self._processor.chance(),
            retry_ms,
            failed.index if failed.HasField("index") else -1,
            int(failed.kind),
            failed.name,
        )
        self._processor.submit(record)

    def _step_problem(self, failed: worker_pb2.AttemptFailed) -> str:
        """Says what is wrong with the step that an attempt failed at; empty when nothing is."""
        if failed.kind and not KINDS.get(int(failed.kind), KindFacts()).by_worker:
            return f"{failed.kind} is no kind of a step: it must be RUN or CALL"
        size, limit = convert.text_bytes(failed.name), self._processor.limits.id_bytes
        if size > limit:
            return f"name: {size} bytes are more than the limit id_bytes ({limit})"
        return ""

    def _held(self, message: worker_pb2.WorkerMessage) -> None:
        fault = convert.fault(message.held.failure)
        self._processor.submit(AttemptHeld(message.invocation_id, message.attempt, fault))

    def _suspend(self, message: worker_pb2.WorkerMessage) -> None:
        number = message.suspend.completion_number
        self._processor.submit(SuspendAsked(message.invocation_id, message.attempt, number))

    def _released(self, message: worker_pb2.WorkerMessage) -> None:
        self._processor.submit(AttemptReleased(message.invocation_id, message.attempt))

    def _paused(self, message: worker_pb2.WorkerMessage) -> None:
        self._processor.submit(AttemptPaused(message.invocation_id, message.attempt))

    # What goes wrong

    def _end(self, message: worker_pb2.WorkerMessage, problem: str) -> None:
        self._abandon(message.invocation_id, message.attempt, problem)

    def _hold(self, message: worker_pb2.WorkerMessage, kind: str, problem: str) -> None:
        failure = payload_pb2.Failure(type=kind, message=problem)
        self._end(message, problem)
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
        self._end(message, failure.message)
        self._processor.submit(
            Finished(message.invocation_id, message.attempt, outcome, convert.fault(failure))
        )

    _about: ClassVar[dict[str, Callable[[Inbound, worker_pb2.WorkerMessage], None]]] = {
        "entry": _entry,
        "finished": _finished,
        "attempt_failed": _attempt_failed,
        "held": _held,
        "suspend": _suspend,
        "released": _released,
        "paused": _paused,
    }
