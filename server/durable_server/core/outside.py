"""What comes from outside of an invocation: signals, the outcomes of awakeables, edits of state.

An awakeable is a row of its own, because its outcome may come before anybody has asked for it, and
by somebody who knows its id and nothing else. An id that begins with an invocation's id belongs to
that invocation from the start; an id of the user's own choice belongs to the invocation that asks for
it first, and until then its outcome is kept for a day, so many at most.

An outcome that the program cannot read is forgotten when it asks to renew the awakeable; then the next
one counts.

An id whose invocation has ended may be asked for anew, by a restart for example; it then waits again.

Signals are numbered for each invocation as they come, and taken in that order. One that ended the wait
of a program which had given that wait up keeps its number when it is given back, so it is taken before
all that came after it.
"""

from __future__ import annotations

from . import ids
from .dedup import REMEMBERED, answered, done
from .model import Awakeable, EntryKind, Invocation, OpenEntry
from .outcomes import failure_outcome
from .partition import Partition
from .records import (
    AwakeableExpired,
    AwakeableResolved,
    EntryRecorded,
    Signalled,
    StateEdited,
)
from .replies import Busy, Conflict, Edited, Full, Missing, Refused, Reply, Resolved
from .states import FINAL
from .transitions import Effects, complete_entry, complete_if_open

TAKEN = "durable.AwakeableTaken"
GIVEN_UP_OUTCOME = failure_outcome("durable.GivenUp", "the program does not wait for it any more")
"""The outcome of an entry whose wait the program has given up."""


def signalled(partition: Partition, record: Signalled, now_ms: int, effects: Effects) -> Reply:
    """Gives a signal to the entry that waits for it, or keeps it."""
    invocation = partition.find(record.invocation_id)
    if invocation is None:
        return Missing()
    repeated = answered(invocation, record.request_id)
    if repeated is not None:
        return repeated
    if invocation.state in FINAL:
        return Refused(invocation)
    number = invocation.signal_count + 1
    signal = (number, record.name, record.outcome)
    if not _take_signal(partition, invocation, signal, now_ms, effects):
        if len(invocation.signals) >= record.limit:
            return Full()
        _keep_signal(partition, invocation, signal)
    invocation.signal_count = number
    return done(partition, invocation, record.request_id)


def _take_signal(
    partition: Partition,
    invocation: Invocation,
    signal: tuple[int, str, bytes],
    now_ms: int,
    effects: Effects,
) -> bool:
    """Ends the first entry that waits for a signal of this name; says whether there is one."""
    number, name, outcome = signal
    waiting = [
        index
        for index, entry in invocation.opened.items()
        if entry.kind == EntryKind.SIGNAL and entry.name == name
    ]
    if waiting:
        complete_entry(partition, invocation, min(waiting), outcome, now_ms, effects, number)
    return bool(waiting)


def _keep_signal(
    partition: Partition, invocation: Invocation, signal: tuple[int, str, bytes]
) -> None:
    """Keeps a signal until an entry asks for it."""
    invocation.signals = tuple(sorted((*invocation.signals, signal)))
    taken = (invocation.number, signal[0])
    changes = partition.changes
    if taken in changes.taken:  # in this very batch: it is where it was
        changes.taken.remove(taken)
    else:
        changes.signals.append((invocation.number, *signal))


def await_signal(
    partition: Partition,
    invocation: Invocation,
    index: int,
    name: str,
    now_ms: int,
    effects: Effects,
) -> None:
    """An entry asks for the oldest signal of a name."""
    for signal in invocation.signals:
        number, known, outcome = signal
        if known == name:
            invocation.signals = tuple(it for it in invocation.signals if it is not signal)
            partition.changes.taken.append((invocation.number, number))
            complete_entry(partition, invocation, index, outcome, now_ms, effects, number)
            return
    invocation.opened[index] = OpenEntry(EntryKind.SIGNAL, name, "")


def give_up_signal(
    partition: Partition, invocation: Invocation, index: int, now_ms: int, effects: Effects
) -> None:
    """Ends the wait of a SIGNAL entry that the program has given up: no signal is lost by it.

    One that has ended the entry before this was known is given back: to the next entry that waits
    for one of its name, or to those that are kept. Giving up twice is giving up once.
    """
    opened = invocation.opened.get(index)
    if opened is not None:
        if opened.kind != EntryKind.SIGNAL:
            return
        complete_entry(partition, invocation, index, GIVEN_UP_OUTCOME, now_ms, effects)
        return
    row = partition.entry(invocation.number, index)
    if row is None or not row.signal or row.outcome is None:
        return
    partition.changes.completions.append(
        (row.outcome, row.completion, row.completed_ms, 0, invocation.number, index)
    )
    signal = (row.signal, row.name, row.outcome)
    if not _take_signal(partition, invocation, signal, now_ms, effects):
        _keep_signal(partition, invocation, signal)


def awakeable_resolved(
    partition: Partition, record: AwakeableResolved, now_ms: int, effects: Effects
) -> Reply:
    """Gives an awakeable its outcome; the first one counts."""
    awakeable = partition.awakeable(record.awakeable_id)
    if awakeable is None:
        owner = ids.owner(record.awakeable_id)
        if owner:
            invocation = partition.find(owner)
            if invocation is None or invocation.state in FINAL:
                return Missing()
        elif partition.early_awakeables >= record.limit:
            return Full()
        else:
            partition.early_awakeables += 1
        awakeable = Awakeable(record.awakeable_id, owner, (), now_ms)
    elif record.request_id and record.request_id in awakeable.requests:
        return Resolved(awakeable)  # asked again, because the answer was lost
    elif awakeable.resolved_ms:
        same = awakeable.outcome == record.outcome
        return Resolved(awakeable, repeated=True) if same else Conflict(awakeable)
    waiting, awakeable.indexes = awakeable.indexes, ()
    awakeable.resolved_ms = now_ms
    awakeable.outcome = record.outcome
    if record.request_id:
        awakeable.requests = (*awakeable.requests, record.request_id)[-REMEMBERED:]
    partition.changes.awakeables[awakeable.id] = awakeable
    for index in waiting:
        complete_if_open(partition, awakeable.invocation_id, index, record.outcome, now_ms, effects)
    return Resolved(awakeable)


def await_awakeable(
    partition: Partition,
    invocation: Invocation,
    record: EntryRecorded,
    now_ms: int,
    effects: Effects,
) -> None:
    """An entry asks for an awakeable's outcome, or to renew it for another one."""
    index, awakeable_id = record.entry_index, record.name
    awakeable = partition.awakeable(awakeable_id)
    if awakeable is not None and awakeable.invocation_id not in ("", invocation.id):
        other = partition.find(awakeable.invocation_id)
        if other is not None and other.state not in FINAL:
            problem = f"the awakeable {awakeable_id!r} belongs to invocation {other.id}"
            outcome = failure_outcome(TAKEN, problem)
            complete_entry(partition, invocation, index, outcome, now_ms, effects)
            return
        awakeable = None
    if awakeable is None:
        awakeable = Awakeable(awakeable_id, invocation.id, (), now_ms)
    elif not awakeable.invocation_id:
        awakeable.invocation_id = invocation.id
        partition.early_awakeables -= 1
    partition.changes.awakeables[awakeable_id] = awakeable
    if record.renew:
        awakeable.outcome, awakeable.resolved_ms = None, 0
    # Two that wait for it, and read it differently, take what either can.
    alike = not awakeable.indexes or awakeable.schema == record.schema
    awakeable.schema = record.schema if alike else ""
    if awakeable.outcome is not None:
        complete_entry(partition, invocation, index, awakeable.outcome, now_ms, effects)
    else:
        awakeable.indexes = (*awakeable.indexes, index)


def awakeable_expired(
    partition: Partition, record: AwakeableExpired, _now_ms: int, _effects: Effects
) -> Reply:
    """Forgets an outcome that nobody has asked for."""
    awakeable = partition.awakeable(record.awakeable_id)
    if awakeable is not None and not awakeable.invocation_id:
        partition.early_awakeables -= 1
        partition.changes.awakeables[awakeable.id] = None
    return None


def state_edited(
    partition: Partition, record: StateEdited, _now_ms: int, _effects: Effects
) -> Reply:
    """Changes an object key's state, unless an invocation has its turn on it."""
    queue = partition.turns.get(record.owner)
    if queue is not None:
        return Busy(queue[0])
    if record.clear_all:
        partition.clear_state(record.owner)
    for name, value in record.values:
        partition.set_state(record.owner, name, value)
    return Edited()
