"""Awakeables: promises that something outside resolves, by id.

An awakeable is a row of its own, because its outcome may come before an entry waits for it, from
somebody who knows its id and nothing else. An id that begins with an invocation's id belongs to that
invocation from the start. An id of the user's own choice belongs to the first invocation that waits for
it. Until then its outcome is kept for a day, and the number of such early awakeables is limited.

The first outcome counts. If the program cannot read it, its next AWAKEABLE entry has `renew`: that
outcome is forgotten, and the next one counts.

When the invocation that an id belongs to has ended, another one (a restart, for example) may wait for
the same id; the awakeable then starts anew, without an outcome.
"""

from __future__ import annotations

from . import ids
from .dedup import REQUESTS_MAX
from .entry_kinds import EntryKind
from .model import Awakeable, EntryRow, Invocation
from .outcomes import failure_outcome
from .records import AwakeableExpired, AwakeableResolved, EntryRecorded
from .replies import Conflict, Full, Missing, Reply, Resolved
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import complete_entry, complete_if_open

TAKEN = "durable.AwakeableTaken"
"""The type of the failure of an AWAKEABLE entry whose id belongs to another invocation."""


def awakeable_resolved(tx: Transaction, record: AwakeableResolved) -> Reply:
    """Gives an awakeable its outcome; the first one counts."""
    partition = tx.partition
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is None:
        owner = ids.owner(record.awakeable_id)
        if owner:
            invocation = tx.find(owner)
            if invocation is None or invocation.state in FINAL:
                return Missing()
        elif partition.early_awakeables >= record.limit:
            return Full()
        else:
            partition.early_awakeables += 1
        awakeable = Awakeable(record.awakeable_id, owner, (), tx.now_ms)
    elif record.request_id and record.request_id in awakeable.requests:
        return Resolved(awakeable)  # a retry whose first reply was lost
    elif awakeable.resolved_ms:
        same = awakeable.outcome == record.outcome
        return Resolved(awakeable, repeated=True) if same else Conflict(awakeable)
    waiting, awakeable.indexes = awakeable.indexes, ()
    awakeable.resolved_ms = tx.now_ms
    awakeable.outcome = record.outcome
    if record.request_id:
        awakeable.requests = (*awakeable.requests, record.request_id)[-REQUESTS_MAX:]
    tx.changes.awakeables[awakeable.id] = awakeable
    for index in waiting:
        complete_if_open(tx, awakeable.invocation_id, index, record.outcome)
    return Resolved(awakeable)


def await_awakeable(
    tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow
) -> None:
    """Completes an AWAKEABLE entry with the awakeable's outcome, or leaves it waiting for one."""
    index, awakeable_id = row.entry_index, row.name
    awakeable = tx.awakeable(awakeable_id)
    if awakeable is not None and awakeable.invocation_id not in ("", invocation.id):
        other = tx.find(awakeable.invocation_id)
        if other is not None and other.state not in FINAL:
            problem = f"the awakeable {awakeable_id!r} belongs to invocation {other.id}"
            complete_entry(tx, invocation, index, failure_outcome(TAKEN, problem))
            return
        awakeable = None
    if awakeable is None:
        awakeable = Awakeable(awakeable_id, invocation.id, (), tx.now_ms)
    elif not awakeable.invocation_id:
        awakeable.invocation_id = invocation.id
        tx.partition.early_awakeables -= 1
    tx.changes.awakeables[awakeable_id] = awakeable
    if record.renew:
        awakeable.outcome, awakeable.resolved_ms = None, 0
    # Two entries may wait for one awakeable. If their schemas differ, none can be enforced.
    alike = not awakeable.indexes or awakeable.schema == record.schema
    awakeable.schema = record.schema if alike else ""
    if awakeable.outcome is not None:
        complete_entry(tx, invocation, index, awakeable.outcome)
    else:
        awakeable.indexes = (*awakeable.indexes, index)


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.AWAKEABLE: await_awakeable}


def awakeable_expired(tx: Transaction, record: AwakeableExpired) -> Reply:
    """Removes an early awakeable that no entry has waited for."""
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is not None and not awakeable.invocation_id:
        tx.partition.early_awakeables -= 1
        tx.changes.awakeables[awakeable.id] = None
    return None
