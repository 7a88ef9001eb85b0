"""The attempts of one session: checks what a worker reports about them, and submits it as records.

A report counts only for an attempt that the worker owns; everything else is left over from before a
reconnect and is dropped (law 5 in docs/design/principles.md). The checks here are those that a record
could not undo: sizes, names, indexes, and handlers that no worker has ever registered.

A report that breaks a rule does not end the session, because other attempts share it. It ends its own
attempt, and the rule decides how:
- the invocation is held when a person must change the program or the worker (a limit of the journal, a
  violation of the protocol);
- the invocation fails when a value is too large, because the same code would make the same value again;
- the attempt fails, and is retried, when a handler is unknown, because it may be deployed in a minute.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..core.entry_kinds import KINDS, EntryKind, KindFacts
from ..core.limits import LIMIT_REACHED, SPAN_SECONDS, Limits
from ..core.model import Failure, HandlerKind
from ..core.outcomes import failure_outcome, make_failure
from ..core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    EntryRecorded,
    FailedStep,
    Finished,
    SuspendAsked,
)
from ..core.step_failures import brief_failure
from ..processor.checks import text_bytes, too_long
from ..processor.errors import NotLeadingError
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.schema_check import SCHEMA_BYTES_MAX, SchemaCheck
from ..processor.workers import Outbound, Worker

_OVERHEAD_BYTES = 1024
"""What an outcome or an argument may have beside its value's data, which may fill the limit alone."""
_PROTOCOL_ERROR = "durable.ProtocolError"


class Attempts:
    """The reports of one worker about its attempts."""

    def __init__(self, router: Router, limits: Limits, worker: Worker, outbound: Outbound) -> None:
        self._router = router
        self._limits = limits
        self._owned = worker.owned
        self._outbound = outbound
        self._schemas = SchemaCheck(router)
        self._random = random.Random()

    def owns(self, invocation_id: str, attempt: int) -> bool:
        """Returns whether the worker owns this attempt; reports about any other must be dropped."""
        return self._owned.get(invocation_id) == attempt

    def entry(
        self,
        record: EntryRecorded,
        *,
        value_bytes: int,
        has_result: bool,
        resolution: tuple[str, bytes] | None = None,
    ) -> None:
        """Records a journal entry.

        `value_bytes` is the size of the larger of its two values. `has_result` says whether its
        outcome holds a value or a failure, because an outcome may also be empty. `resolution` is the
        content type and data of the value that a RESOLVE entry gives.
        """
        limits = self._limits
        if record.entry_index >= limits.journal_entries:
            problem = (
                f"entry {record.entry_index} is beyond the limit journal_entries "
                f"({limits.journal_entries}); split the work into child invocations"
            )
            self._hold(record, LIMIT_REACHED, problem)
            return
        problem = self._entry_problem(record, has_result)
        if problem:
            self._hold(record, _PROTOCOL_ERROR, problem)
            return
        size = len(record.outcome or b"") + len(record.argument or b"")
        if max(value_bytes, size - _OVERHEAD_BYTES) > limits.payload_bytes:
            self._fail_too_large(record, size)
            return
        processor = self._router.for_record(record.invocation_id)
        if KINDS[record.kind].starts_invocation and not self._may_start(processor, record):
            return
        found = processor.partition.invocations.get(record.invocation_id)
        if (
            found is not None
            and record.entry_index not in found.recorded  # one that is resent is counted already
            and found.journal_bytes + size > limits.journal_bytes
        ):
            problem = limits.journal_too_large(found.journal_bytes + size)
            self._hold(record, LIMIT_REACHED, problem)
            return
        if resolution is not None:
            record = self._with_refusal(record, *resolution)
        processor.inputs.submit(record)

    def finished(self, record: Finished, *, value_bytes: int) -> None:
        """Records how the handler ended; `value_bytes` is the size of its value."""
        size = len(record.outcome)
        if max(value_bytes, size - _OVERHEAD_BYTES) > self._limits.payload_bytes:
            self._fail_too_large(record, size)
            return
        self._router.for_record(record.invocation_id).inputs.submit(record)

    def failed(
        self,
        invocation_id: str,
        attempt: int,
        failure: Failure,
        *,
        retry_ms: int,
        index: int,
        kind: int,
        name: str,
        other_steps: Sequence[FailedStep] = (),
    ) -> None:
        """Records a failed attempt; see `AttemptFailed` for what the fields mean."""
        others = tuple(it._replace(failure=brief_failure(it.failure)) for it in other_steps)
        record = AttemptFailed(
            invocation_id,
            attempt,
            failure,
            self._random.random(),
            retry_ms=min(retry_ms, SPAN_SECONDS * 1000),
            entry_index=index,
            kind=kind,
            name=name,
            other_steps=others,
        )
        if problem := self._step_problem(record):
            self._hold(record, _PROTOCOL_ERROR, problem)
        else:
            self._router.for_record(invocation_id).inputs.submit(record)

    def ended(self, record: AttemptHeld | AttemptReleased | AttemptPaused | SuspendAsked) -> None:
        """Records an attempt that is held, given back, paused, or wants to be suspended."""
        self._router.for_record(record.invocation_id).inputs.submit(record)

    # Checks

    def _entry_problem(self, record: EntryRecorded, has_result: bool) -> str:
        """Returns what is wrong with an entry; an empty string when nothing is."""
        limits = self._limits
        kind = record.kind
        facts = KINDS.get(kind)
        if facts is None:
            return f"{kind} is no kind of entry that this control plane knows"
        if record.entry_index < 0:
            return f"{record.entry_index} is no index of an entry"
        for field in ("name", "target", "idempotency_key", "partition_key"):
            text = getattr(record, field)
            size = text_bytes(text)
            if size <= limits.id_bytes and "\0" not in text:
                continue
            word = "key" if field == "target" and facts.starts_invocation else field
            if size > limits.id_bytes:
                return f"{word}: {size} bytes are more than the limit id_bytes ({limits.id_bytes})"
            return f"{word}: {text!r} holds a NUL character"
        size = text_bytes(record.schema)
        if size > SCHEMA_BYTES_MAX:
            return f"schema: {size} bytes are more than {SCHEMA_BYTES_MAX}; leave it out"
        if problem := too_long(record.delay_ms):
            return f"delay: {problem}"
        if facts.by_worker and not has_result:
            return f"an entry of kind {EntryKind(kind).name} must have an outcome"
        if facts.needs_name and not record.name:
            return f"an entry of kind {EntryKind(kind).name} must have a name"
        if facts.needs_argument and record.argument is None:
            return f"an entry of kind {EntryKind(kind).name} must have an argument"
        if facts.writes_state:
            found = self._router.for_record(record.invocation_id).find(record.invocation_id)
            if found is not None and found.kind == HandlerKind.OBJECT_SHARED:
                return f"{found.handler} is a shared handler: it reads state, and cannot change it"
        return ""

    def _with_refusal(self, record: EntryRecorded, content_type: str, data: bytes) -> EntryRecorded:
        """Adds to a RESOLVE entry why its value does not fit the program that waits for it.

        With a target the value is for a signal, without one for an awakeable. The rule ends an entry
        that is refused with a failure, and the wait goes on. A value for a program of a partition that
        is led elsewhere is not checked, because its schema is not known here.
        """
        try:
            if record.target:
                found = self._schemas.signal(record.target, record.name, content_type, data)
            else:
                found = self._schemas.awakeable(record.name, content_type, data)
        except NotLeadingError:
            return record
        if found is None:
            return record
        return record._replace(refused=f"value{found.place}: {found.problem}")

    def _may_start(self, processor: Processor, record: EntryRecorded) -> bool:
        """Checks that an entry names a known handler, with a key if it needs one; else fails it."""
        handler = self._router.handler(processor, record.name)
        kind, problem = "durable.InvalidField", ""
        if handler is None:
            kind = "durable.HandlerNotFound"
            problem = f"no worker has ever registered a handler {record.name!r}"
        elif handler.kind == HandlerKind.WORKFLOW and record.target:
            problem = f"{record.name} is not a keyed handler; leave the key out"
        elif handler.kind != HandlerKind.WORKFLOW and not record.target:
            problem = f"{record.name} is a keyed handler; say which key it is for"
        if not problem:
            return True
        self._outbound.abandon(record.invocation_id, record.attempt, problem)
        failure = make_failure(kind, problem, terminal=False)
        processor.inputs.submit(
            AttemptFailed(record.invocation_id, record.attempt, failure, self._random.random())
        )
        return False

    def _step_problem(self, record: AttemptFailed) -> str:
        """Returns what is wrong with the steps at which an attempt failed; empty when nothing is."""
        steps = [(record.kind or EntryKind.RUN, record.name)]
        steps += [(it.kind, it.name) for it in record.other_steps]
        for kind, name in steps:
            if not KINDS.get(kind, KindFacts()).by_worker:
                allowed = " or ".join(EntryKind(it).name for it in KINDS if KINDS[it].by_worker)
                return f"{kind} is no kind of a step: it must be {allowed}"
            size, limit = text_bytes(name), self._limits.id_bytes
            if size > limit:
                return f"name: {size} bytes are more than the limit id_bytes ({limit})"
        indexes = [it.entry_index for it in record.other_steps]
        if any(not 0 <= it < self._limits.journal_entries for it in indexes):
            return "other_steps: an index is negative or beyond the limit journal_entries"
        if len({record.entry_index, *indexes}) <= len(indexes):
            return "other_steps: a step is named twice"
        return ""

    # Ends of attempts that broke a rule

    def _hold(self, record: EntryRecorded | AttemptFailed, kind: str, problem: str) -> None:
        self._outbound.abandon(record.invocation_id, record.attempt, problem)
        failure = make_failure(kind, problem, terminal=False)
        self._router.for_record(record.invocation_id).inputs.submit(
            AttemptHeld(record.invocation_id, record.attempt, failure)
        )

    def _fail_too_large(self, record: EntryRecorded | Finished, size: int) -> None:
        limit = self._limits.payload_bytes
        kind = "durable.PayloadTooLarge"
        problem = (
            f"a value of {size} bytes is more than the limit payload_bytes ({limit}); "
            "store it elsewhere and return a reference"
        )
        self._outbound.abandon(record.invocation_id, record.attempt, problem)
        self._router.for_record(record.invocation_id).inputs.submit(
            Finished(
                record.invocation_id,
                record.attempt,
                failure_outcome(kind, problem),
                make_failure(kind, problem),
            )
        )
