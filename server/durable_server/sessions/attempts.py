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

A program of a worker that is bound to a namespace reaches nothing outside of it: it starts only its
handlers, and what it names by id must belong to one of them (`foreign`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..core.entry_kinds import KINDS, EntryKind, KindFacts
from ..core.ids import awakeable_partition
from ..core.limits import LIMIT_REACHED, SPAN_SECONDS, Limits
from ..core.model import Failure, HandlerKind
from ..core.outcomes import failure_outcome, make_failure
from ..core.records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    Continued,
    EntryRecorded,
    FailedStep,
    Finished,
    SuspendAsked,
)
from ..core.step_failures import brief_failure
from ..processor.checks import text_bytes, too_long
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.schema_check import SCHEMA_BYTES_MAX, check_awakeable, check_signal
from ..processor.workers import Outbound, Worker
from .foreign import Named

_OVERHEAD_BYTES = 1024
"""What an outcome or an argument may have beside its value's data, which may fill the limit alone."""
_PROTOCOL_ERROR = "durable.ProtocolError"
_INDEX_MAX = 2**31 - 1
"""The last index that the protocol can say; those of later runs go on from those of earlier ones."""


class Attempts:
    """The reports of one worker about its attempts."""

    def __init__(
        self,
        router: Router,
        limits: Limits,
        worker: Worker,
        outbound: Outbound,
        namespace: str = "",
    ) -> None:
        self.namespace = namespace
        """The prefix of the names of handlers that exist for the worker's programs."""
        self._router = router
        self._limits = limits
        self._owned = worker.owned
        self._outbound = outbound
        self._random = random.Random()

    def owns(self, invocation_id: str, attempt: int) -> bool:
        """Returns whether the worker owns this attempt; reports about any other must be dropped."""
        return self._owned.get(invocation_id) == attempt

    def lacks_handler(self, kind: int, name: str) -> bool:
        """Returns whether an entry is about to start an invocation of a handler unknown here."""
        facts = KINDS.get(kind)
        starts = facts is not None and facts.starts_invocation
        return starts and name.startswith(self.namespace) and self._router.known(name) is None

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
        processor = self._router.for_record(record.invocation_id)
        found = processor.partition.invocations.get(record.invocation_id)
        first = 0 if found is None else found.first_index
        if record.entry_index >= first + limits.journal_entries:
            problem = (
                f"entry {record.entry_index - first} is beyond the limit journal_entries "
                f"({limits.journal_entries}); end the run in time with ctx.continue_as, or split the "
                "work into child invocations"
            )
            self._hold(record, LIMIT_REACHED, problem)
            return
        problem = self._entry_problem(record, has_result, first)
        if problem:
            self._hold(record, _PROTOCOL_ERROR, problem)
            return
        size = len(record.outcome or b"") + len(record.argument or b"")
        if max(value_bytes, size - _OVERHEAD_BYTES) > limits.payload_bytes:
            self._fail_too_large(record, size)
            return
        if KINDS[record.kind].starts_invocation and not self._may_start(processor, record):
            return
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

    def continued(self, record: Continued, *, value_bytes: int) -> None:
        """Records that a program continues as new; `value_bytes` is the size of its input."""
        size = len(record.input or b"")
        processor = self._router.for_record(record.invocation_id)
        found = processor.partition.invocations.get(record.invocation_id)
        last = (0 if found is None else found.first_index) + self._limits.journal_entries
        if record.completion < 0 or not 0 <= record.next_index <= last:
            problem = (
                f"completion_number is {record.completion} and must not be negative; next_index is "
                f"{record.next_index} and must be from 0 to {last}"
            )
            self._hold(record, _PROTOCOL_ERROR, problem)
        elif record.next_index > _INDEX_MAX - min(self._limits.journal_entries, _INDEX_MAX // 2):
            problem = (
                f"the indexes of its runs have come to {record.next_index}, and there are none beyond "
                f"{_INDEX_MAX}; start another invocation that goes on with its work"
            )
            self._hold(record, LIMIT_REACHED, problem)
        elif max(value_bytes, size - _OVERHEAD_BYTES) > self._limits.payload_bytes:
            self._fail_too_large(record, size)
        else:
            processor.inputs.submit(record)

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

    def _entry_problem(self, record: EntryRecorded, has_result: bool, first: int) -> str:
        """Returns what is wrong with an entry; an empty string when nothing is.

        `first` is the index of the first entry of the run.
        """
        limits = self._limits
        kind = record.kind
        facts = KINDS.get(kind)
        if facts is None:
            return f"{kind} is no kind of entry that this control plane knows"
        if record.entry_index < first:
            return f"{record.entry_index} is no index of an entry: the run's first one has {first}"
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
        that is refused with a failure, and the wait goes on. A value for a program of another partition
        is checked there, by `check_received`.
        """
        router, name, target = self._router, record.name, record.target
        processor = router.for_record(record.invocation_id)
        home = router.partition(target) if target else awakeable_partition(name, router.count)
        if home != processor.partition.index:
            return record
        if target:
            found = check_signal(processor, target, name, content_type, data)
        else:
            found = check_awakeable(processor, name, content_type, data)
        return record if found is None else record._replace(refused=found.as_text())

    def _may_start(self, processor: Processor, record: EntryRecorded) -> bool:
        """Checks that an entry names a known handler, with a key if it needs one; else fails it."""
        handler = None
        if record.name.startswith(self.namespace):
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
        self._fail(record.invocation_id, record.attempt, kind, problem)
        return False

    def refuse_foreign(self, invocation_id: str, attempt: int, named: Named) -> None:
        """Fails an attempt whose program has named something that does not exist for it."""
        self._fail(invocation_id, attempt, named.failure, named.problem)

    def _fail(self, invocation_id: str, attempt: int, kind: str, problem: str) -> None:
        """Fails an attempt, which is retried."""
        self._outbound.abandon(invocation_id, attempt, problem)
        failure = make_failure(kind, problem, terminal=False)
        record = AttemptFailed(invocation_id, attempt, failure, self._random.random())
        self._router.for_record(invocation_id).inputs.submit(record)

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
        if indexes:
            processor = self._router.for_record(record.invocation_id)
            found = processor.partition.invocations.get(record.invocation_id)
            first = 0 if found is None else found.first_index
            if any(not 0 <= it - first < self._limits.journal_entries for it in indexes):
                return "other_steps: an index is not one of the run's, or beyond journal_entries"
        if len({record.entry_index, *indexes}) <= len(indexes):
            return "other_steps: a step is named twice"
        return ""

    # Ends of attempts that broke a rule

    def _hold(
        self, record: EntryRecorded | AttemptFailed | Continued, kind: str, problem: str
    ) -> None:
        self._outbound.abandon(record.invocation_id, record.attempt, problem)
        failure = make_failure(kind, problem, terminal=False)
        self._router.for_record(record.invocation_id).inputs.submit(
            AttemptHeld(record.invocation_id, record.attempt, failure)
        )

    def _fail_too_large(self, record: EntryRecorded | Finished | Continued, size: int) -> None:
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
