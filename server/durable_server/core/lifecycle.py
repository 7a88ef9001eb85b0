"""The lifecycle: records that take an invocation from its acceptance through its attempts to its end.

A worker's record counts only if the invocation is in the attempt that the record names, and a worker
owns that attempt (docs/design/principles.md, 5). Any other such record is left over from a reconnect or
a takeover, and is dropped without a reply. The rules need not check which worker sent it: that was
checked when the record was proposed, ownership changes only through records, and each attempt number is
given to one worker only.
"""

from __future__ import annotations

from . import retry
from .attempts import end_attempt
from .cancellation import CANCELLED, TIMED_OUT, request_cancel
from .effects import Dispatch, Free, SetTimer
from .model import AttemptEnd, HandlerKind, Invocation, State
from .outcomes import NULL_OUTCOME, invoked_with, make_failure, terminal_outcome
from .records import (
    DEADLINE,
    WAKE,
    AttemptFailed,
    AttemptHeld,
    AttemptReleased,
    FailedStep,
    Finished,
    Invoked,
    Started,
    SuspendAsked,
    TimerFired,
)
from .replies import Attached, Created, Mismatch, Reply
from .states import FINAL, Event
from .step_failures import count_step_failure
from .transaction import Transaction
from .transitions import (
    back_off,
    change_state,
    clear_pause,
    complete_entry,
    end,
    handler_of,
    hold,
    make_ready,
    owned,
    pause_if_requested,
    release,
)

_REASON_CHARS = 500
"""How much of a failure a pause's reason repeats; the invocation's last failure has all of it."""


def invoked(tx: Transaction, record: Invoked) -> Reply:
    """Creates an invocation, or attaches to the one that has this id."""
    known = tx.find(record.invocation_id)
    if known is not None:
        for field in ("handler", "key"):
            if getattr(known, field) != getattr(record, field):
                return Mismatch(known, field)
        if not invoked_with(known, record.input):
            return Mismatch(known, "input")
        return Attached(known)
    return Created(create(tx, record))


def create(tx: Transaction, record: Invoked) -> Invocation:
    """Creates an invocation: SCHEDULED, or PENDING and ready for a worker."""
    partition, now_ms = tx.partition, tx.now_ms
    partition.last_number += 1
    scheduled = record.start_ms > now_ms
    handler = partition.handlers.get(record.handler)
    invocation = Invocation(
        id=record.invocation_id,
        number=partition.last_number,
        handler=record.handler,
        key=record.key,
        input=record.input,
        headers=record.headers,
        service=record.service,
        partition_key=record.partition_key,
        idempotency_key=record.idempotency_key,
        parent=record.parent,
        priority=record.priority,
        created_ms=now_ms,
        kind=HandlerKind.WORKFLOW if handler is None else handler.kind,
        state=State.SCHEDULED if scheduled else State.PENDING,
        updated_ms=now_ms,
        wake_ms=record.start_ms if scheduled else 0,
    )
    tx.invocations[invocation.id] = invocation
    tx.changes.created[invocation.number] = invocation
    tx.changes.last_number = invocation.number
    if scheduled:
        tx.effects.append(SetTimer(record.start_ms, invocation.id, WAKE))
    if handler is not None and handler.timeout_ms:
        invocation.deadline_ms = max(record.start_ms, now_ms) + handler.timeout_ms
        tx.effects.append(SetTimer(invocation.deadline_ms, invocation.id, DEADLINE))
    if not scheduled:
        make_ready(tx, invocation)
    return invocation


def started(tx: Transaction, record: Started) -> Reply:
    """Gives an attempt to the worker that the dispatcher chose."""
    invocation = tx.find(record.invocation_id)
    if (
        invocation is None
        or invocation.state is not State.PENDING
        or record.attempt != invocation.attempt + 1
        or not serves(invocation, record.build_id)
    ):
        # An earlier record of the same batch has changed what the dispatcher decided on.
        tx.effects.append(Free(record.worker_id, record.invocation_id, record.attempt))
        return None
    change_state(tx, invocation, Event.START)
    invocation.attempt = record.attempt
    invocation.worker_id = invocation.last_worker_id = record.worker_id
    _note_version(invocation, record.version)
    invocation.started_ms = invocation.started_ms or tx.now_ms
    invocation.attempt_ms = tx.now_ms
    if invocation.run > 1 and not invocation.run_ms:
        invocation.run_ms = tx.now_ms
    invocation.attempt_build = record.build_id
    if not (invocation.recorded or invocation.repinned):
        invocation.build, invocation.pinned = record.build_id, record.pinned
    tx.effects.append(Dispatch(invocation))
    return None


def serves(invocation: Invocation, build_id: str) -> bool:
    """Returns whether workers of a build may go on with an invocation."""
    if invocation.pinned and (invocation.recorded or invocation.repinned):
        return build_id == invocation.build
    return True


def _note_version(invocation: Invocation, version: str) -> None:
    """Notes the version that runs the attempt, and the version that wrote to the journal last, until
    the new one has written to it."""
    if version == invocation.recorded_by:
        invocation.recorded_by = ""
    elif invocation.version and version != invocation.version and not invocation.recorded_by:
        invocation.recorded_by = invocation.version
    invocation.version = version


def finished(tx: Transaction, record: Finished) -> Reply:
    """Ends an invocation with what its handler returned or raised."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    end_attempt(tx, invocation, None)
    invocation.failure = record.failure
    clear_pause(invocation)
    outcome, event = record.outcome, Event.COMPLETE
    if record.failure is not None:
        event = Event.FAIL
        if invocation.cancel_ms and record.failure.type == CANCELLED:
            if invocation.timed_out:
                invocation.failure = make_failure(TIMED_OUT, invocation.cancel_reason)
                outcome = terminal_outcome(invocation.failure)
            else:
                event = Event.CANCEL
    end(tx, invocation, event, outcome)
    return None


def attempt_failed(tx: Transaction, record: AttemptFailed) -> Reply:
    """Retries a failed attempt by the handler's policy, or ends or holds its invocation.

    When a step has failed, the worker has applied the step's policy, and the record has the delay.
    """
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    invocation.failure = record.failure
    delay = record.retry_ms
    for step in record.other_steps:
        count_step_failure(invocation, step, tx.now_ms)
    if record.entry_index >= 0:
        # Last, because it is the invocation's last failure too.
        first = FailedStep(record.entry_index, record.kind, record.name, record.failure)
        count_step_failure(invocation, first, tx.now_ms)
        delay = max(delay, 1)
    else:
        policy = handler_of(tx, invocation).retry
        invocation.failures += 1
        if invocation.failures == 1:
            invocation.failing_ms = tx.now_ms
        if retry.exhausted(policy, invocation.failures, tx.now_ms - invocation.failing_ms):
            if policy.pause_when_exhausted:
                end_attempt(tx, invocation, AttemptEnd.HELD, record.failure)
                why = record.failure.text[:_REASON_CHARS]
                reason = f"the retry policy's attempts are used up; the last failure was {why}"
                hold(tx, invocation, reason)
            else:
                end_attempt(tx, invocation, None)
                clear_pause(invocation)
                end(tx, invocation, Event.FAIL, terminal_outcome(record.failure))
            return None
        if delay < 0:
            delay = retry.delay_ms(policy, invocation.failures, record.chance)
    end_attempt(tx, invocation, AttemptEnd.RETRIED, record.failure)
    if not pause_if_requested(tx, invocation):
        back_off(tx, invocation, delay)
    return None


def attempt_held(tx: Transaction, record: AttemptHeld) -> Reply:
    """Holds an invocation that its worker cannot continue."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    end_attempt(tx, invocation, AttemptEnd.HELD, record.failure)
    invocation.failure = record.failure
    hold(tx, invocation, f"{record.failure.type}: see last_failure")
    return None


def attempt_released(tx: Transaction, record: AttemptReleased) -> Reply:
    """Gives an attempt that ended without a result to another worker."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    end_attempt(tx, invocation, AttemptEnd.LOST if record.lost else AttemptEnd.RELEASED)
    if pause_if_requested(tx, invocation):
        return None
    if record.lost:
        # A handler that crashes its worker must not crash all workers in a row. So the first loss is
        # retried at once, and further ones without progress back off like failures.
        invocation.failures += 1
        if invocation.failures > 1:
            policy = handler_of(tx, invocation).retry
            delay = retry.delay_ms(policy, invocation.failures - 1, record.chance)
            back_off(tx, invocation, delay)
            return None
    release(tx, invocation)
    return None


def suspend_asked(tx: Transaction, record: SuspendAsked) -> Reply:
    """Suspends an attempt that only waits, unless something has completed since its worker asked."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None or record.completion != invocation.completions:
        return None
    if all(invocation.recorded.values()):
        return None
    end_attempt(tx, invocation, AttemptEnd.SUSPENDED)
    if not pause_if_requested(tx, invocation):
        change_state(tx, invocation, Event.SUSPEND)
    return None


def timer_fired(tx: Transaction, record: TimerFired) -> Reply:
    """Does what a timer was set for, if it is still wanted."""
    invocation = tx.find(record.invocation_id)
    if invocation is None or invocation.state in FINAL:
        return None
    if record.entry_index == WAKE:
        if invocation.state in (State.SCHEDULED, State.BACKING_OFF):
            change_state(tx, invocation, Event.DUE)
            invocation.wake_ms = 0
            make_ready(tx, invocation)
    elif record.entry_index == DEADLINE:
        # A later deadline has a timer of its own; this one is that of a run before.
        if 0 < invocation.deadline_ms <= tx.now_ms:
            handler = handler_of(tx, invocation)
            reason = f"it has not ended within its timeout of {handler.timeout_ms / 1000:g} s"
            invocation.timed_out = True
            request_cancel(tx, invocation, reason, "durable")
    elif invocation.recorded.get(record.entry_index) == 0:
        complete_entry(tx, invocation, record.entry_index, NULL_OUTCOME)
    return None
