"""What comes from outside of an invocation: signals, the outcomes of awakeables, edits of state.

An awakeable is a row of its own, because its outcome may come before anybody has asked for it, and
by somebody who knows its id and nothing else. An id that begins with an invocation's id belongs to
that invocation from the start; an id of the user's own choice belongs to the invocation that asks for
it first, and until then its outcome is kept for a day, so many at most.

An id whose invocation has ended may be asked for anew, by a restart for example; it then waits again.
"""

from __future__ import annotations

from . import ids
from .model import Awakeable, EntryKind, Invocation, OpenEntry
from .moves import Effects, complete_entry, complete_if_open
from .partition import Partition
from .records import AwakeableExpired, AwakeableResolved, Signalled, StateEdited
from .replies import Busy, Conflict, Edited, Full, Missing, Refused, Reply, Resolved
from .requests import answered, done
from .states import FINAL
from .wire import failure_outcome

TAKEN = "durable.AwakeableTaken"


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
    waiting = [
        position
        for position, entry in invocation.opened.items()
        if entry.kind == EntryKind.SIGNAL and entry.name == record.name
    ]
    if waiting:
        complete_entry(partition, invocation, min(waiting), record.outcome, now_ms, effects)
    elif len(invocation.signals) >= record.limit:
        return Full()
    else:
        number = invocation.signals[-1][0] + 1 if invocation.signals else 1
        invocation.signals = (*invocation.signals, (number, record.name, record.outcome))
        partition.changes.signals.append((invocation.number, number, record.name, record.outcome))
    return done(partition, invocation, record.request_id)


def await_signal(
    partition: Partition,
    invocation: Invocation,
    position: int,
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
            complete_entry(partition, invocation, position, outcome, now_ms, effects)
            return
    invocation.opened[position] = OpenEntry(EntryKind.SIGNAL, name, "")


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
    elif awakeable.resolved_ms:
        same = awakeable.outcome == record.outcome
        return Resolved(awakeable, repeated=True) if same else Conflict(awakeable)
    waiting, awakeable.positions = awakeable.positions, ()
    awakeable.resolved_ms = now_ms
    awakeable.outcome = record.outcome
    partition.changes.awakeables[awakeable.id] = awakeable
    for position in waiting:
        complete_if_open(
            partition, awakeable.invocation_id, position, record.outcome, now_ms, effects
        )
    return Resolved(awakeable)


def await_awakeable(
    partition: Partition,
    invocation: Invocation,
    position: int,
    awakeable_id: str,
    now_ms: int,
    effects: Effects,
) -> None:
    """An entry asks for an awakeable's outcome."""
    awakeable = partition.awakeable(awakeable_id)
    if awakeable is not None and awakeable.invocation_id not in ("", invocation.id):
        other = partition.find(awakeable.invocation_id)
        if other is not None and other.state not in FINAL:
            problem = f"the awakeable {awakeable_id!r} belongs to invocation {other.id}"
            outcome = failure_outcome(TAKEN, problem)
            complete_entry(partition, invocation, position, outcome, now_ms, effects)
            return
        awakeable = None
    if awakeable is None:
        awakeable = Awakeable(awakeable_id, invocation.id, (), now_ms)
    elif not awakeable.invocation_id:
        awakeable.invocation_id = invocation.id
        partition.early_awakeables -= 1
    partition.changes.awakeables[awakeable_id] = awakeable
    if awakeable.outcome is not None:
        complete_entry(partition, invocation, position, awakeable.outcome, now_ms, effects)
    else:
        awakeable.positions = (*awakeable.positions, position)


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
