"""What people do to an invocation: pause, resume, cancel, restart, remove.

A pause of something that runs is a handshake. The worker is asked, lets the steps in flight come to
their end, and says that it has stopped (`AttemptPaused`); until then the invocation is RUNNING with
`pause_ms` set, and any other end of the attempt without a verdict leads to PAUSED as well. Whatever
takes the request back meanwhile (a resume, a cancellation) only clears `pause_ms`: the worker's
answer then finds nothing to hold, and the invocation goes to the next worker.
"""

from __future__ import annotations

from .dedup import answered, done
from .effects import Abandon, Changed, RequestPause, SetTimer
from .ids import from_name
from .lifecycle import ask_to_end, children, create, end_unasked, release
from .model import UNNUMBERED, EntryKind, EntryRow, HandlerKind, Invocation, State
from .partition import Partition
from .records import (
    WAKE,
    AttemptPaused,
    CancelAsked,
    Invoked,
    PauseAsked,
    Removed,
    Restarted,
    Resumed,
)
from .replies import Attached, Created, Done, Missing, Refused, Reply
from .states import FINAL, RESTING, Event
from .transitions import (
    Effects,
    disown,
    forget_pause,
    hold_if_asked,
    make_ready,
    move,
    owned,
)


def pause_asked(partition: Partition, record: PauseAsked, now_ms: int, effects: Effects) -> Reply:
    """Holds an invocation, or asks the worker that runs it to stop."""
    invocation = partition.find(record.invocation_id)
    if invocation is None:
        return Missing()
    repeated = answered(invocation, record.request_id)
    if repeated is not None:
        return repeated
    if invocation.state in FINAL:
        return Refused(invocation)
    if invocation.state is not State.PAUSED and not invocation.pause_ms:
        invocation.pause_ms = now_ms
        invocation.pause_reason = record.reason
        invocation.pause_identity = record.identity
        partition.changes.touch(invocation)
        if invocation.state is State.RUNNING:
            effects.append(RequestPause(invocation.worker_id, invocation.id, invocation.attempt))
            effects.append(Changed(invocation))
        else:
            move(partition, invocation, Event.HOLD, now_ms, effects)
    return done(partition, invocation, record.request_id)


def attempt_paused(
    partition: Partition, record: AttemptPaused, now_ms: int, effects: Effects
) -> Reply:
    """A worker has stopped where it was asked to."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    disown(invocation, effects)
    if not hold_if_asked(partition, invocation, now_ms, effects):
        release(partition, invocation, now_ms, effects)
    return None


def resumed(partition: Partition, record: Resumed, now_ms: int, effects: Effects) -> Reply:
    """Lets a paused invocation go on, or begins an attempt that backs off, now.

    Takes a pause back that has not happened yet.
    """
    invocation = partition.find(record.invocation_id)
    if invocation is None:
        return Missing()
    repeated = answered(invocation, record.request_id)
    if repeated is not None:
        return repeated
    if invocation.state is State.BACKING_OFF:
        # Only earlier: the failures so far still count.
        invocation.wake_ms = 0
        move(partition, invocation, Event.DUE, now_ms, effects)
        make_ready(partition, invocation, effects)
        return done(partition, invocation, record.request_id)
    if not invocation.pause_ms or invocation.state in FINAL:
        return Refused(invocation)
    forget_pause(invocation)
    partition.changes.touch(invocation)
    if invocation.state is State.PAUSED:
        invocation.failures = invocation.failing_ms = 0
        invocation.step_failures = ()
        if not invocation.attempt and invocation.wake_ms > now_ms:
            move(partition, invocation, Event.POSTPONE, now_ms, effects)
            effects.append(SetTimer(invocation.wake_ms, invocation.id, WAKE))
        else:
            invocation.wake_ms = 0
            move(partition, invocation, Event.RESUME, now_ms, effects)
            make_ready(partition, invocation, effects)
    return done(partition, invocation, record.request_id)


def cancel_asked(partition: Partition, record: CancelAsked, now_ms: int, effects: Effects) -> Reply:
    """Asks an invocation to end, or ends it."""
    invocation = partition.find(record.invocation_id)
    if invocation is None:
        return Missing()
    repeated = answered(invocation, record.request_id)
    if repeated is not None:
        return repeated
    if invocation.state in FINAL and invocation.state is not State.CANCELLED:
        return Refused(invocation)
    if invocation.state is not State.CANCELLED:
        if record.force:
            _cancel_at_once(partition, invocation, record, now_ms, effects)
        else:
            ask_to_end(partition, invocation, record.reason, record.identity, now_ms, effects)
    return done(partition, invocation, record.request_id)


def _cancel_at_once(
    partition: Partition,
    invocation: Invocation,
    record: CancelAsked,
    now_ms: int,
    effects: Effects,
) -> None:
    if invocation.worker_id:
        why = "it was cancelled by force"
        effects.append(Abandon(invocation.worker_id, invocation.id, invocation.attempt, why))
        disown(invocation, effects)
    invocation.cancel_ms = now_ms
    invocation.cancel_reason = record.reason
    invocation.cancel_identity = record.identity
    invocation.timed_out = False
    awaited = children(invocation)
    end_unasked(partition, invocation, now_ms, effects)
    for child_id in awaited:
        child = partition.find(child_id)
        if child is not None and child.parent == invocation.id and child.state not in FINAL:
            _cancel_at_once(partition, child, record, now_ms, effects)


def restarted(partition: Partition, record: Restarted, now_ms: int, effects: Effects) -> Reply:
    """Makes a new invocation like an old one, with the beginning of its journal."""
    known = partition.find(record.invocation_id)
    if known is not None:
        return Attached(known)
    source = partition.find(record.source_id)
    if source is None:
        return Missing()
    if source.state not in RESTING:
        return Refused(source)
    invocation = create(
        partition,
        Invoked(
            record.invocation_id,
            source.handler,
            source.input if record.input is None else record.input,
            source.key,
            source.headers,
            source.service,
            source.partition_key,
            parent=source.id,
            priority=source.priority,
        ),
        now_ms,
        effects,
    )
    _copy_journal(partition, source, invocation, record.from_index)
    return Created(invocation)


def _copy_journal(
    partition: Partition, source: Invocation, invocation: Invocation, before: int
) -> None:
    """Copies what was done before an index; what was open there is asked for anew.

    Completions keep their order and get new numbers, without those of entries that are left out:
    an entry of a lower index was asked for first, so none of them can have depended on such a one.
    """
    rows = [
        it for it in partition.journal(source.number) if it.entry_index < before and it.completion
    ]
    ordered = sorted(it.completion for it in rows if it.completion > 0)
    numbers = {completion: number for number, completion in enumerate(ordered, 1)}
    for row in rows:
        copied = row._replace(
            name=_renamed(row, source.id, invocation.id),
            completion=numbers.get(row.completion, UNNUMBERED),
        )
        invocation.recorded[copied.entry_index] = copied.completion
        invocation.journal_bytes += copied.size
        partition.changes.entries.append((invocation.number, copied))
        if invocation.kind == HandlerKind.WORKFLOW:
            if row.kind == EntryKind.SET_STATE:
                partition.set_state(invocation.id, row.name, row.argument)
            elif row.kind == EntryKind.CLEAR_STATE and row.name:
                partition.set_state(invocation.id, row.name, None)
            elif row.kind == EntryKind.CLEAR_STATE:
                partition.clear_state(invocation.id)
    invocation.completions = len(ordered)
    invocation.signal_count = max((it.signal for it in rows), default=0)


def _renamed(row: EntryRow, old_id: str, new_id: str) -> str:
    """Returns an entry's name in the new journal: a generated awakeable's has the invocation's id."""
    if row.kind == EntryKind.AWAKEABLE and row.name.startswith(old_id):
        return new_id + row.name.removeprefix(old_id)
    return row.name


def restart_id(source_id: str, request_id: str) -> str:
    """Returns the id of the invocation that a restart request makes; it stays in its partition."""
    made = from_name("restart", source_id, "", request_id)
    return source_id[:4] + made[4:]


def removed(partition: Partition, record: Removed, _now_ms: int, effects: Effects) -> Reply:
    """Removes a finished invocation and all that is its own."""
    invocation = partition.find(record.invocation_id)
    if invocation is None:
        return Missing()
    if invocation.state not in FINAL:
        return Refused(invocation)
    del partition.invocations[invocation.id]
    partition.changes.changed.pop(invocation.number, None)
    partition.changes.removed[invocation.id] = invocation.number
    effects.append(Changed(invocation))
    return Done(invocation, invocation.state)
