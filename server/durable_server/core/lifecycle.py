"""From acceptance to the end: records about invocations and their attempts.

A worker's record counts only when the named attempt is the one that the invocation is in and is
owned by a worker (design law 5); anything else is what a reconnect or a takeover left behind and
is dropped without a word. Whether the worker that sent it is the owner was checked when the record
was proposed, and ownership changes only through records, so the check on (invocation, attempt)
suffices: each attempt number is given to one worker only.
"""

from __future__ import annotations

from . import retry
from .effects import Dispatch, Free, RequestCancel, SetTimer
from .model import EntryKind, HandlerKind, Invocation, State
from .outcomes import NULL_OUTCOME, make_failure, terminal_outcome
from .partition import Partition
from .records import (
    DEADLINE,
    WAKE,
    AttemptFailed,
    AttemptHeld,
    AttemptReleased,
    Finished,
    Invoked,
    Started,
    SuspendAsked,
    TimerFired,
)
from .replies import Attached, Created, Mismatch, Reply
from .states import FINAL, Event
from .step_failures import count_step_failure
from .transitions import (
    Effects,
    back_off,
    complete_entry,
    disown,
    end,
    forget_pause,
    handler_of,
    hold,
    hold_if_asked,
    make_ready,
    move,
    owned,
)

CANCELLED = "durable.Cancelled"
"""The failure of a handler that ended because it was cancelled."""
TIMED_OUT = "durable.TimedOut"
"""The failure of an invocation that did not end in its time."""
_REASON_CHARS = 500
"""How much of a failure a pause's reason repeats; all of it is the invocation's last failure."""


def invoked(partition: Partition, record: Invoked, now_ms: int, effects: Effects) -> Reply:
    """Makes an invocation, or attaches to the one with this id."""
    known = partition.find(record.invocation_id)
    if known is not None:
        for field in ("handler", "key", "input"):
            if getattr(known, field) != getattr(record, field):
                return Mismatch(known, field)
        return Attached(known)
    return Created(create(partition, record, now_ms, effects))


def create(partition: Partition, record: Invoked, now_ms: int, effects: Effects) -> Invocation:
    """Makes an invocation: SCHEDULED, or PENDING and ready for a worker."""
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
    partition.invocations[invocation.id] = invocation
    partition.changes.created[invocation.number] = invocation
    if scheduled:
        effects.append(SetTimer(record.start_ms, invocation.id, WAKE))
    if handler is not None and handler.timeout_ms:
        invocation.deadline_ms = max(record.start_ms, now_ms) + handler.timeout_ms
        effects.append(SetTimer(invocation.deadline_ms, invocation.id, DEADLINE))
    if not scheduled:
        make_ready(partition, invocation, effects)
    return invocation


def started(partition: Partition, record: Started, now_ms: int, effects: Effects) -> Reply:
    """Hands an attempt to the worker that was chosen for it."""
    invocation = partition.find(record.invocation_id)
    if (
        invocation is None
        or invocation.state is not State.PENDING
        or record.attempt != invocation.attempt + 1
    ):
        # It was assigned on what an earlier record of the same batch has changed.
        effects.append(Free(record.worker_id, record.invocation_id, record.attempt))
        return None
    move(partition, invocation, Event.START, now_ms, effects)
    invocation.attempt = record.attempt
    invocation.worker_id = record.worker_id
    _note_version(invocation, record.version)
    invocation.started_ms = invocation.started_ms or now_ms
    effects.append(Dispatch(invocation))
    return None


def _note_version(invocation: Invocation, version: str) -> None:
    """Notes who runs the attempt, and until it has recorded something, who did before it."""
    if version == invocation.recorded_by:
        invocation.recorded_by = ""
    elif invocation.version and version != invocation.version and not invocation.recorded_by:
        invocation.recorded_by = invocation.version
    invocation.version = version


def finished(partition: Partition, record: Finished, now_ms: int, effects: Effects) -> Reply:
    """Ends an invocation by what its handler returned or raised."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    disown(invocation, effects)
    invocation.failure = record.failure
    forget_pause(invocation)
    outcome, event = record.outcome, Event.COMPLETE
    if record.failure is not None:
        event = Event.FAIL
        if invocation.cancel_ms and record.failure.type == CANCELLED:
            if invocation.timed_out:
                invocation.failure = make_failure(TIMED_OUT, invocation.cancel_reason)
                outcome = terminal_outcome(invocation.failure)
            else:
                event = Event.CANCEL
    end(partition, invocation, event, outcome, now_ms, effects)
    return None


def attempt_failed(
    partition: Partition, record: AttemptFailed, now_ms: int, effects: Effects
) -> Reply:
    """Lets a failed attempt be repeated, if it was a step's when its worker wants it."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    disown(invocation, effects)
    invocation.failure = record.failure
    delay = record.retry_ms
    if record.entry_index >= 0:
        count_step_failure(invocation, record, now_ms)
        delay = max(delay, 1)
    else:
        policy = handler_of(partition, invocation).retry
        invocation.failures += 1
        if invocation.failures == 1:
            invocation.failing_ms = now_ms
        if retry.exhausted(policy, invocation.failures, now_ms - invocation.failing_ms):
            if policy.pause_when_exhausted:
                why = f"{record.failure.type}: {record.failure.message}"[:_REASON_CHARS]
                reason = f"the retry policy's attempts are used up; the last failure was {why}"
                hold(partition, invocation, reason, now_ms, effects)
            else:
                outcome = terminal_outcome(record.failure)
                forget_pause(invocation)
                end(partition, invocation, Event.FAIL, outcome, now_ms, effects)
            return None
        if delay < 0:
            delay = retry.delay_ms(policy, invocation.failures, record.chance)
    if not hold_if_asked(partition, invocation, now_ms, effects):
        back_off(partition, invocation, delay, now_ms, effects)
    return None


def attempt_held(partition: Partition, record: AttemptHeld, now_ms: int, effects: Effects) -> Reply:
    """Holds an invocation whose worker cannot go on with it."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    disown(invocation, effects)
    invocation.failure = record.failure
    hold(partition, invocation, f"{record.failure.type}: see last_failure", now_ms, effects)
    return None


def attempt_released(
    partition: Partition, record: AttemptReleased, now_ms: int, effects: Effects
) -> Reply:
    """Gives an attempt that ended without a verdict to another worker."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    disown(invocation, effects)
    if hold_if_asked(partition, invocation, now_ms, effects):
        return None
    if record.lost:
        # A handler that takes its worker down with it must not take down all of them in a row: the
        # first loss is repeated at once, later ones without progress back off like failures.
        invocation.failures += 1
        if invocation.failures > 1:
            policy = handler_of(partition, invocation).retry
            delay = retry.delay_ms(policy, invocation.failures - 1, record.chance)
            back_off(partition, invocation, delay, now_ms, effects)
            return None
    release(partition, invocation, now_ms, effects)
    return None


def release(partition: Partition, invocation: Invocation, now_ms: int, effects: Effects) -> None:
    """Lets another worker go on at once."""
    move(partition, invocation, Event.RELEASE, now_ms, effects)
    make_ready(partition, invocation, effects)


def suspend_asked(
    partition: Partition, record: SuspendAsked, now_ms: int, effects: Effects
) -> Reply:
    """Takes an attempt that only waits off its worker, if nothing has happened meanwhile."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None or record.completion != invocation.completions:
        return None
    if all(invocation.recorded.values()):
        return None
    disown(invocation, effects, suspended=True)
    if not hold_if_asked(partition, invocation, now_ms, effects):
        move(partition, invocation, Event.SUSPEND, now_ms, effects)
    return None


def timer_fired(partition: Partition, record: TimerFired, now_ms: int, effects: Effects) -> Reply:
    """Does what was to be done at a time, if it still means anything."""
    invocation = partition.find(record.invocation_id)
    if invocation is None or invocation.state in FINAL:
        return None
    if record.entry_index == WAKE:
        if invocation.state in (State.SCHEDULED, State.BACKING_OFF):
            move(partition, invocation, Event.DUE, now_ms, effects)
            invocation.wake_ms = 0
            make_ready(partition, invocation, effects)
    elif record.entry_index == DEADLINE:
        if invocation.deadline_ms:
            handler = handler_of(partition, invocation)
            reason = f"it has not ended within its timeout of {handler.timeout_ms / 1000:g} s"
            invocation.timed_out = True
            ask_to_end(partition, invocation, reason, "durable", now_ms, effects)
    elif invocation.recorded.get(record.entry_index) == 0:
        complete_entry(partition, invocation, record.entry_index, NULL_OUTCOME, now_ms, effects)
    return None


def ask_to_end(
    partition: Partition,
    invocation: Invocation,
    reason: str,
    identity: str,
    now_ms: int,
    effects: Effects,
) -> None:
    """Asks a handler to end; ends at once what has not begun. Asking twice is asking once.

    The request takes its place among the completions, so that a replay sees it where it was seen.
    """
    if invocation.cancel_ms:
        return
    invocation.cancel_ms = now_ms
    invocation.cancel_reason = reason
    invocation.cancel_identity = identity
    invocation.deadline_ms = 0
    partition.changes.touch(invocation)
    if not invocation.attempt and not invocation.recorded:
        end_unasked(partition, invocation, now_ms, effects)
        return
    invocation.completions += 1
    invocation.cancel_number = invocation.completions
    forget_pause(invocation)
    if invocation.state is State.RUNNING:
        effects.append(RequestCancel(invocation))
        return
    event = _AWAKENING.get(invocation.state)
    if event is not None:
        invocation.wake_ms = 0
        move(partition, invocation, event, now_ms, effects)
        make_ready(partition, invocation, effects)


_AWAKENING = {
    State.SCHEDULED: Event.DUE,
    State.SUSPENDED: Event.WAKE,
    State.BACKING_OFF: Event.DUE,
    State.PAUSED: Event.RESUME,
}


def end_unasked(
    partition: Partition, invocation: Invocation, now_ms: int, effects: Effects
) -> None:
    """Ends an invocation whose end was asked for, without asking its handler."""
    kind, event = CANCELLED, Event.CANCEL
    if invocation.timed_out:
        kind, event = TIMED_OUT, Event.FAIL
    invocation.failure = make_failure(kind, invocation.cancel_reason or "cancelled")
    forget_pause(invocation)
    end(partition, invocation, event, terminal_outcome(invocation.failure), now_ms, effects)


def children(invocation: Invocation) -> list[str]:
    """Returns the children that an invocation awaits."""
    return [it.target for it in invocation.opened.values() if it.kind == EntryKind.INVOKE]
