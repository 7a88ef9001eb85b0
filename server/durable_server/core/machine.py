"""What each record does: `apply(partition, record, now_ms, effects) -> reply`.

One function for each record, none longer than a screen. A function looks at the state, lets the
table in `states` decide where the event leads, notes what the store must write in
`partition.changes`, and appends what must be done to `effects`. It returns a reply only for records
that someone waits for.

A worker's record counts only when the named attempt is the one that the invocation is in and is
owned by a worker (design law 5); anything else is what a reconnect or a takeover left behind and
is dropped without a word. Whether the worker that sent it is the owner was checked when the record
was proposed, and ownership changes only through records, so the check on (invocation, attempt)
suffices: each attempt number is given to one worker only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from . import retry
from .effects import Acknowledge, Changed, Complete, Dispatch, Effect, Free, Ready, SetTimer
from .model import EntryKind, EntryRow, Fault, Handler, Invocation, State
from .partition import Partition
from .records import (
    AttemptFailed,
    AttemptHeld,
    AttemptReleased,
    EntryRecorded,
    EpochStarted,
    Finished,
    HandlerRegistered,
    Invoked,
    Record,
    Removed,
    Resumed,
    Started,
    SuspendAsked,
    TimerFired,
)
from .states import FINAL, Event, after

NULL_OUTCOME = b"\x0a\x06\x12\x04null"
"""A serialized `durable.v1.Outcome` whose value is JSON null: how a timer ends."""


class Created(NamedTuple):
    """The invocation is new."""

    invocation: Invocation


class Attached(NamedTuple):
    """The id was known, and asked for the same."""

    invocation: Invocation


class Mismatch(NamedTuple):
    """The id was known, and asked for something else."""

    invocation: Invocation
    field: str


class Refused(NamedTuple):
    """The invocation's state does not allow it."""

    invocation: Invocation


class Missing(NamedTuple):
    """There is no such invocation."""


class Done(NamedTuple):
    """It has happened."""

    invocation: Invocation


Reply: TypeAlias = Created | Attached | Mismatch | Refused | Missing | Done | None
Effects: TypeAlias = list[Effect]


def apply(partition: Partition, record: Record, now_ms: int, effects: Effects) -> Reply:
    """Applies one record; appends to `effects`; returns the reply to whoever proposed it."""
    return _APPLY[type(record)](partition, record, now_ms, effects)


def _epoch_started(
    partition: Partition, record: EpochStarted, _now_ms: int, _effects: Effects
) -> Reply:
    partition.epoch = record.epoch
    return None


def _handler_registered(
    partition: Partition, record: HandlerRegistered, now_ms: int, _effects: Effects
) -> Reply:
    partition.handlers[record.handler.name] = record.handler
    partition.changes.handlers.append((record.handler, now_ms))
    return None


def _invoked(partition: Partition, record: Invoked, now_ms: int, effects: Effects) -> Reply:
    known = partition.invocations.get(record.invocation_id)
    if known is not None:
        for field in ("handler", "key", "input"):
            if getattr(known, field) != getattr(record, field):
                return Mismatch(known, field)
        return Attached(known)
    partition.last_number += 1
    scheduled = record.start_ms > now_ms
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
        state=State.SCHEDULED if scheduled else State.PENDING,
        updated_ms=now_ms,
        wake_ms=record.start_ms if scheduled else 0,
    )
    partition.invocations[invocation.id] = invocation
    partition.changes.created[invocation.number] = invocation
    if scheduled:
        effects.append(SetTimer(record.start_ms, invocation.id, -1))
    else:
        effects.append(Ready(invocation))
    return Created(invocation)


def _started(partition: Partition, record: Started, now_ms: int, effects: Effects) -> Reply:
    invocation = partition.invocations.get(record.invocation_id)
    if invocation is None or invocation.state is not State.PENDING:
        # It was assigned on what an earlier record of the same batch has changed.
        effects.append(Free(record.worker_id, record.invocation_id, record.attempt))
        return None
    _move(partition, invocation, Event.START, now_ms, effects)
    invocation.attempt = record.attempt
    invocation.worker_id = record.worker_id
    invocation.version = record.version
    invocation.started_ms = invocation.started_ms or now_ms
    effects.append(Dispatch(invocation))
    return None


def _entry_recorded(
    partition: Partition, record: EntryRecorded, now_ms: int, effects: Effects
) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    position = record.position
    completion = invocation.recorded.get(position)
    time_ms = 0
    if completion is None:
        completion, time_ms = 0, now_ms
        if record.outcome is not None:
            completion = invocation.completions = invocation.completions + 1
        invocation.recorded[position] = completion
        if invocation.failures:
            invocation.failures = 0
            partition.changes.touch(invocation)
        due_ms = now_ms + record.delay_ms if record.kind == EntryKind.SLEEP else 0
        row = EntryRow(
            position,
            record.kind,
            record.name,
            record.argument,
            record.outcome,
            completion,
            now_ms,
            now_ms if completion else 0,
            due_ms,
            record.target,
            record.attempt,
        )
        partition.changes.entries.append((invocation.number, row))
        if due_ms:
            effects.append(SetTimer(due_ms, invocation.id, position))
    effects.append(
        Acknowledge(
            invocation.worker_id,
            invocation.id,
            record.attempt,
            position,
            # An open entry that the system has completed meanwhile is told by Complete.
            completion if record.outcome is not None else 0,
            time_ms,
            invocation.number,
        )
    )
    return None


def _finished(partition: Partition, record: Finished, now_ms: int, effects: Effects) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    _disown(invocation, effects)
    invocation.fault = record.fault
    event = Event.COMPLETE if record.fault is None else Event.FAIL
    _end(partition, invocation, event, record.outcome, now_ms, effects)
    return None


def _attempt_failed(
    partition: Partition, record: AttemptFailed, now_ms: int, effects: Effects
) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    _disown(invocation, effects)
    invocation.fault = record.fault
    invocation.failures += 1
    policy = _handler(partition, invocation).retry
    if retry.exhausted(policy, invocation.failures):
        if policy.pause_when_exhausted:
            _hold(partition, invocation, "the retry policy's attempts are used up", now_ms, effects)
        else:
            outcome = _failure_outcome(record.fault)
            _end(partition, invocation, Event.FAIL, outcome, now_ms, effects)
        return None
    delay = record.retry_ms
    if delay < 0:
        delay = retry.delay_ms(policy, invocation.failures, record.chance)
    _back_off(partition, invocation, delay, now_ms, effects)
    return None


def _attempt_held(
    partition: Partition, record: AttemptHeld, now_ms: int, effects: Effects
) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    _disown(invocation, effects)
    invocation.fault = record.fault
    _hold(partition, invocation, f"{record.fault.type}: see last_failure", now_ms, effects)
    return None


def _attempt_released(
    partition: Partition, record: AttemptReleased, now_ms: int, effects: Effects
) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    _disown(invocation, effects)
    if record.lost:
        # A handler that takes its worker down with it must not take down all of them in a row: the
        # first loss is repeated at once, later ones without progress back off like failures.
        invocation.failures += 1
        if invocation.failures > 1:
            policy = _handler(partition, invocation).retry
            delay = retry.delay_ms(policy, invocation.failures - 1, record.chance)
            _back_off(partition, invocation, delay, now_ms, effects)
            return None
    _move(partition, invocation, Event.RELEASE, now_ms, effects)
    effects.append(Ready(invocation))
    return None


def _suspend_asked(
    partition: Partition, record: SuspendAsked, now_ms: int, effects: Effects
) -> Reply:
    invocation = _owned(partition, record.invocation_id, record.attempt)
    if invocation is None or record.completion != invocation.completions:
        return None
    if all(invocation.recorded.values()):
        return None
    _disown(invocation, effects, suspended=True)
    _move(partition, invocation, Event.SUSPEND, now_ms, effects)
    return None


def _timer_fired(partition: Partition, record: TimerFired, now_ms: int, effects: Effects) -> Reply:
    invocation = partition.invocations.get(record.invocation_id)
    if invocation is None:
        return None
    if record.position < 0:
        if invocation.state in (State.SCHEDULED, State.BACKING_OFF):
            _move(partition, invocation, Event.DUE, now_ms, effects)
            invocation.wake_ms = 0
            effects.append(Ready(invocation))
        return None
    if invocation.recorded.get(record.position) == 0 and invocation.state not in FINAL:
        _complete_entry(partition, invocation, record.position, NULL_OUTCOME, now_ms, effects)
    return None


def _resumed(partition: Partition, record: Resumed, now_ms: int, effects: Effects) -> Reply:
    invocation = partition.invocations.get(record.invocation_id)
    if invocation is None:
        return Missing()
    if invocation.state is not State.PAUSED:
        return Refused(invocation)
    invocation.failures = 0
    invocation.pause_reason = invocation.pause_identity = ""
    invocation.pause_ms = 0
    _move(partition, invocation, Event.RESUME, now_ms, effects)
    effects.append(Ready(invocation))
    return Done(invocation)


def _removed(partition: Partition, record: Removed, _now_ms: int, effects: Effects) -> Reply:
    invocation = partition.invocations.get(record.invocation_id)
    if invocation is None:
        return Missing()
    if invocation.state not in FINAL:
        return Refused(invocation)
    del partition.invocations[invocation.id]
    partition.changes.changed.pop(invocation.number, None)
    partition.changes.removed.append(invocation.number)
    effects.append(Changed(invocation))
    return Done(invocation)


def _handler(partition: Partition, invocation: Invocation) -> Handler:
    return partition.handlers.get(invocation.handler) or Handler(invocation.handler)


def _owned(partition: Partition, invocation_id: str, attempt: int) -> Invocation | None:
    """Returns the invocation if it is in this attempt and a worker owns it."""
    invocation = partition.invocations.get(invocation_id)
    if invocation is None or invocation.attempt != attempt or not invocation.worker_id:
        return None
    return invocation


def _disown(invocation: Invocation, effects: Effects, *, suspended: bool = False) -> None:
    effects.append(Free(invocation.worker_id, invocation.id, invocation.attempt, suspended))
    invocation.worker_id = ""


def _move(
    partition: Partition, invocation: Invocation, event: Event, now_ms: int, effects: Effects
) -> None:
    invocation.state = after(invocation.state, event)
    invocation.updated_ms = now_ms
    partition.changes.touch(invocation)
    effects.append(Changed(invocation))


def _end(
    partition: Partition,
    invocation: Invocation,
    event: Event,
    outcome: bytes,
    now_ms: int,
    effects: Effects,
) -> None:
    invocation.outcome = outcome
    invocation.completed_ms = now_ms
    invocation.expire_ms = now_ms + _handler(partition, invocation).retention_ms
    _move(partition, invocation, event, now_ms, effects)


def _hold(
    partition: Partition, invocation: Invocation, reason: str, now_ms: int, effects: Effects
) -> None:
    invocation.pause_reason = reason
    invocation.pause_identity = "durable"
    invocation.pause_ms = now_ms
    _move(partition, invocation, Event.HOLD, now_ms, effects)


def _back_off(
    partition: Partition, invocation: Invocation, delay_ms: int, now_ms: int, effects: Effects
) -> None:
    invocation.wake_ms = now_ms + delay_ms
    _move(partition, invocation, Event.BACK_OFF, now_ms, effects)
    effects.append(SetTimer(invocation.wake_ms, invocation.id, -1))


def _complete_entry(
    partition: Partition,
    invocation: Invocation,
    position: int,
    outcome: bytes,
    now_ms: int,
    effects: Effects,
) -> None:
    """Ends an open entry; wakes the invocation or tells the worker that runs it."""
    invocation.completions += 1
    completion = invocation.completions
    invocation.recorded[position] = completion
    partition.changes.completions.append((outcome, completion, now_ms, invocation.number, position))
    if invocation.state is State.SUSPENDED:
        _move(partition, invocation, Event.WAKE, now_ms, effects)
        effects.append(Ready(invocation))
    elif invocation.worker_id:
        effects.append(
            Complete(
                invocation.worker_id,
                invocation.id,
                invocation.attempt,
                position,
                outcome,
                completion,
                now_ms,
            )
        )


def _failure_outcome(fault: Fault) -> bytes:
    """Returns the serialized Outcome{failure} of a fault, marked as terminal.

    Built on the wire format, so that the rules need no message classes: field 2 of Outcome holds
    the Failure; in a Failure field 7 is `terminal`, and of a field that occurs twice the last counts.
    """
    data = fault.data + b"\x38\x01"
    size = len(data)
    prefix = bytearray(b"\x12")
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + data


# The key decides the type of the record, which a dict's type cannot say.
_APPLY: dict[type[Record], Callable[[Partition, Any, int, Effects], Reply]] = {
    EpochStarted: _epoch_started,
    HandlerRegistered: _handler_registered,
    Invoked: _invoked,
    Started: _started,
    EntryRecorded: _entry_recorded,
    Finished: _finished,
    AttemptFailed: _attempt_failed,
    AttemptHeld: _attempt_held,
    AttemptReleased: _attempt_released,
    SuspendAsked: _suspend_asked,
    TimerFired: _timer_fired,
    Resumed: _resumed,
    Removed: _removed,
}
