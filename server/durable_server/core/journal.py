"""Journal entries: what each kind does when it is recorded.

An entry is recorded once; a second record of the same index is a worker that has not heard the first
acknowledgement, and only gets it again. RUN and CALL come with their outcome. The rest is the system's
to do: at once, in the same record (state, sends, resolutions), or later, when what the entry waits for
happens. worker.proto, section 3, says what each kind is.
"""

from __future__ import annotations

from collections.abc import Callable

from . import ids
from .effects import Acknowledge, SetTimer
from .lifecycle import ask_to_end, create
from .limits import LIMIT_REACHED
from .model import UNNUMBERED, EntryKind, EntryRow, Invocation, OpenEntry
from .outcomes import NULL_OUTCOME, failure_outcome, names_outcome, text_outcome, value_outcome
from .outside import (
    GIVEN_UP_OUTCOME,
    await_awakeable,
    await_signal,
    awakeable_resolved,
    give_up_signal,
    signalled,
)
from .partition import Partition
from .records import AwakeableResolved, EntryRecorded, Invoked, Signalled
from .replies import Conflict, Full, Missing, Refused, Reply
from .states import FINAL
from .step_failures import tries_that_failed
from .transitions import Effects, complete_entry, owned

OWN_WORK = frozenset({EntryKind.RUN, EntryKind.CALL})
"""Kinds whose outcome the worker makes."""
WRITES = frozenset({EntryKind.SET_STATE, EntryKind.CLEAR_STATE})
"""Kinds that change the state."""
STARTS = frozenset({EntryKind.INVOKE, EntryKind.SEND})
"""Kinds that start an invocation."""
_READS = frozenset({EntryKind.GET_STATE, EntryKind.STATE_KEYS})
INVALID_VALUE = "durable.InvalidValue"
"""The type of the failure of a RESOLVE entry whose value does not fit what is waited for."""


def entry_recorded(
    partition: Partition, record: EntryRecorded, now_ms: int, effects: Effects
) -> Reply:
    """Adds an entry to a journal, and does what its kind asks for."""
    invocation = owned(partition, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    index, kind = record.entry_index, record.kind
    completion = invocation.recorded.get(index)
    if completion is not None:
        # An open entry that the system has completed meanwhile is told by Complete.
        number = completion if kind in OWN_WORK else 0
        effects.append(_acknowledge(invocation, index, number, 0))
        return None
    if kind in OWN_WORK:
        completion = invocation.completions = invocation.completions + 1
    elif kind in WRITES or (kind in _READS and record.outcome is not None):
        completion = UNNUMBERED
    else:
        completion = 0
    failed_tries = 0
    if invocation.step_failures and kind in OWN_WORK:
        failed_tries = tries_that_failed(invocation, index)
    invocation.recorded[index] = completion
    _progress(partition, invocation, index)
    due_ms = now_ms + record.delay_ms if kind == EntryKind.SLEEP else 0
    row = EntryRow(
        index,
        kind,
        record.name,
        record.argument,
        record.outcome if completion else None,
        completion,
        _begun(invocation, record, now_ms) if kind in OWN_WORK else now_ms,
        now_ms if completion else 0,
        due_ms,
        _target(partition, invocation, record),
        record.attempt,
        failed_tries=failed_tries,
        schema=record.schema if kind == EntryKind.SIGNAL else "",
    )
    partition.changes.entries.append((invocation.number, row))
    invocation.journal_bytes += row.size
    effects.append(_acknowledge(invocation, index, max(completion, 0), now_ms))
    if due_ms:
        effects.append(SetTimer(due_ms, invocation.id, index))
    act = _ACTS.get(kind)
    if act is not None:
        act(partition, invocation, record, row, now_ms, effects)
    return None


def _begun(invocation: Invocation, record: EntryRecorded, now_ms: int) -> int:
    """Returns when a step began: the worker measured how long it took, and may be wrong."""
    return min(max(now_ms - record.elapsed_ms, invocation.created_ms), now_ms)


def _acknowledge(invocation: Invocation, index: int, number: int, now_ms: int) -> Acknowledge:
    return Acknowledge(
        invocation.worker_id,
        invocation.id,
        invocation.attempt,
        index,
        number,
        now_ms,
        invocation.number,
    )


def _progress(partition: Partition, invocation: Invocation, index: int) -> None:
    """The journal has grown: failures in a row are over, and it is this version that wrote to it."""
    if invocation.recorded_by:
        invocation.recorded_by = ""
        partition.changes.touch(invocation)
    if invocation.failures:
        invocation.failures = invocation.failing_ms = 0
        partition.changes.touch(invocation)
    if invocation.step_failures:
        invocation.step_failures = tuple(
            it for it in invocation.step_failures if it.entry_index != index
        )
        partition.changes.touch(invocation)


def _target(partition: Partition, invocation: Invocation, record: EntryRecorded) -> str:
    """Returns the id of the invocation that an entry is about."""
    if record.kind in STARTS:
        routing = record.target or record.partition_key
        if record.idempotency_key:
            return ids.from_name("key", record.name, record.target, record.idempotency_key, routing)
        place = f"{invocation.id}/{record.entry_index}"
        return ids.from_name("child", record.name, record.target, place, routing)
    if record.kind == EntryKind.CANCEL and record.target.startswith("#"):
        meant = _meant(record)
        opened = invocation.opened.get(meant)
        if opened is not None:
            return opened.target  # a child that is awaited: known without reading the journal
        row = partition.entry(invocation.number, meant)
        return "" if row is None else row.target
    return record.target


def _meant(record: EntryRecorded) -> int:
    """Returns the index of the entry that a CANCEL names by `#INDEX`; -1 for none."""
    index = record.target.removeprefix("#")
    # The digits of an index are ASCII, and few: int() takes more than that.
    known = index != record.target and index.isascii() and index.isdigit() and len(index) < 10
    return int(index) if known else -1


def _set_state(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    _row: EntryRow,
    _now_ms: int,
    _effects: Effects,
) -> None:
    partition.set_state(invocation.state_owner, record.name, record.argument)


def _clear_state(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    _row: EntryRow,
    _now_ms: int,
    _effects: Effects,
) -> None:
    if record.name:
        partition.set_state(invocation.state_owner, record.name, None)
    else:
        partition.clear_state(invocation.state_owner)


def _get_state(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    if row.completion:
        return
    owner = invocation.state_owner
    if record.kind == EntryKind.STATE_KEYS:
        outcome = names_outcome(sorted(partition.state(owner)))
    else:
        outcome = value_outcome(partition.state_value(owner, record.name))
    complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)


def _awakeable(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    await_awakeable(partition, invocation, record, now_ms, effects)


def _signal(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    await_signal(partition, invocation, row.entry_index, record.name, now_ms, effects)


def _invoke(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    """Starts a child, or finds the one that its idempotency key names; SEND only says which."""
    child = partition.find(row.target)
    if child is None:
        child = create(
            partition,
            Invoked(
                row.target,
                record.name,
                record.argument,
                record.target,
                invocation.headers,
                invocation.service,
                record.partition_key,
                record.idempotency_key,
                now_ms + record.delay_ms if record.delay_ms else 0,
                invocation.id,
                invocation.priority,
            ),
            now_ms,
            effects,
        )
    elif child.input != record.argument:
        problem = f"{record.idempotency_key!r} was used before with another input, for {child.id}"
        outcome = failure_outcome("durable.IdempotencyMismatch", problem)
        complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)
        return
    if record.kind == EntryKind.SEND:
        outcome = text_outcome(child.id)
        complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)
    else:
        _await_end(partition, invocation, child, row, now_ms, effects)


def _attach(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    target = partition.find(record.target)
    if target is None:
        outcome = _not_found(record.target)
        complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)
    else:
        _await_end(partition, invocation, target, row, now_ms, effects)


def _await_end(
    partition: Partition,
    invocation: Invocation,
    target: Invocation,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    if target.state in FINAL and target.outcome is not None:
        complete_entry(partition, invocation, row.entry_index, target.outcome, now_ms, effects)
        return
    invocation.opened[row.entry_index] = OpenEntry(row.kind, row.name, target.id)
    target.waiters = (*target.waiters, (invocation.id, row.entry_index))
    partition.changes.waiters.append((target.id, invocation.id, row.entry_index))


def _resolve(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    """Resolves an awakeable, or with a target delivers a signal."""
    if record.refused:
        outcome = failure_outcome(INVALID_VALUE, record.refused)
        complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)
        return
    given = record.outcome or NULL_OUTCOME
    if record.argument is not None:
        given = value_outcome(record.argument)
    if record.target:
        reply = signalled(partition, Signalled(record.target, record.name, given), now_ms, effects)
        unknown = _not_found(record.target)
    else:
        resolved = AwakeableResolved(record.name, given)
        reply = awakeable_resolved(partition, resolved, now_ms, effects)
        unknown = failure_outcome("durable.AwakeableNotFound", f"no awakeable {record.name!r}")
    outcome = NULL_OUTCOME
    if isinstance(reply, Missing):
        outcome = unknown
    elif isinstance(reply, Conflict):
        text = f"the awakeable {record.name!r} has another outcome already"
        outcome = failure_outcome("durable.AlreadyResolved", text)
    elif isinstance(reply, Refused):
        text = f"invocation {record.target} has ended"
        outcome = failure_outcome("durable.InvalidState", text)
    elif isinstance(reply, Full):
        outcome = failure_outcome(LIMIT_REACHED, "too many wait already")
    complete_entry(partition, invocation, row.entry_index, outcome, now_ms, effects)


def _cancel(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    row: EntryRow,
    now_ms: int,
    effects: Effects,
) -> None:
    """Asks for the end of an invocation, or ends the wait of a SIGNAL entry of this journal."""
    meant = _meant(record)
    if meant >= 0:
        give_up_signal(partition, invocation, meant, now_ms, effects)
    target = partition.find(row.target) if row.target else None
    if target is not None and meant >= 0 and not _is_own(partition, invocation, target, meant):
        if meant in invocation.opened:
            complete_entry(partition, invocation, meant, GIVEN_UP_OUTCOME, now_ms, effects)
        target = None
    if target is not None and target.state not in FINAL:
        reason = f"cancelled by invocation {invocation.id}"
        ask_to_end(partition, target, reason, invocation.handler, now_ms, effects)
    # Before the completion: an invocation that cancels itself sees that first.
    complete_entry(partition, invocation, row.entry_index, NULL_OUTCOME, now_ms, effects)


def _is_own(partition: Partition, invocation: Invocation, child: Invocation, index: int) -> bool:
    """Says whether what an entry has started ends when the program does not want it any more.

    Not if an idempotency key has found what somebody else started, what another entry waits for, or
    what this program has sent on its way.
    """
    if child.parent != invocation.id:
        return False
    if any(it.target == child.id for other, it in invocation.opened.items() if other != index):
        return False
    return not child.idempotency_key or not any(
        row.kind == EntryKind.SEND and row.target == child.id and row.entry_index != index
        for row in partition.journal(invocation.number)
    )


def _not_found(invocation_id: str) -> bytes:
    return failure_outcome("durable.InvocationNotFound", f"no invocation {invocation_id!r}")


_Act = Callable[[Partition, Invocation, EntryRecorded, EntryRow, int, Effects], None]

_ACTS: dict[int, _Act] = {
    EntryKind.SET_STATE: _set_state,
    EntryKind.CLEAR_STATE: _clear_state,
    EntryKind.GET_STATE: _get_state,
    EntryKind.STATE_KEYS: _get_state,
    EntryKind.AWAKEABLE: _awakeable,
    EntryKind.SIGNAL: _signal,
    EntryKind.INVOKE: _invoke,
    EntryKind.SEND: _invoke,
    EntryKind.ATTACH: _attach,
    EntryKind.RESOLVE: _resolve,
    EntryKind.CANCEL: _cancel,
}
