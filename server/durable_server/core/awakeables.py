"""Awakeables: promises that something outside resolves, by id.

An awakeable is a row of its own, because its outcome may come before an entry waits for it, from
somebody who knows its id and nothing else. An id that begins with an invocation's id belongs to that
invocation from the start. An id of the user's own choice belongs to the first invocation that waits for
it. Until then its outcome is kept for a day, and the number of such early awakeables is limited.

The first outcome counts. If the program cannot read it, its next AWAKEABLE entry has `renew`: that
outcome is forgotten, and the next one counts.

When the invocation that an id belongs to has ended, another one (a restart, for example) may wait for
the same id; the awakeable then starts anew, without an outcome.

An awakeable lives in the partition of the invocation that its id begins with, and one of the user's own
choice in a partition that its id decides. An entry of another partition claims it by a message.
"""

from __future__ import annotations

from . import ids
from .dedup import REQUESTS_MAX
from .entry_kinds import EntryKind
from .messages import ClaimAwakeable, ReleaseAwakeable
from .model import Awakeable, EntryRow, Invocation
from .outcomes import failure_outcome
from .records import AwakeableExpired, AwakeableResolved, EntryRecorded
from .replies import Conflict, Full, Missing, Reply, Resolved
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import answer

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
        answer(tx, awakeable.invocation_id, index, record.outcome, awakeable.id)
    return Resolved(awakeable)


def await_awakeable(
    tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow
) -> None:
    """Completes an AWAKEABLE entry with the awakeable's outcome, or leaves it waiting for one."""
    awakeable_id = row.name
    claim = ClaimAwakeable(
        awakeable_id, invocation.id, row.entry_index, record.schema, record.renew
    )
    partition = ids.awakeable_partition(awakeable_id, tx.partition.count)
    if partition != tx.partition.index and awakeable_id not in invocation.claims:
        invocation.claims = (*invocation.claims, awakeable_id)
        tx.changes.touch(invocation)
    tx.deliver(partition, claim, claim_awakeable)


def claim_awakeable(tx: Transaction, claim: ClaimAwakeable) -> None:
    """Answers an entry with an awakeable's outcome, or lets it wait for one."""
    awakeable_id, invocation_id, index = claim.awakeable_id, claim.invocation_id, claim.entry_index
    awakeable = tx.awakeable(awakeable_id)
    if awakeable is not None and awakeable.invocation_id not in ("", invocation_id):
        if _owner_lives(tx, awakeable):
            owner_id = awakeable.invocation_id
            problem = f"the awakeable {awakeable_id!r} belongs to invocation {owner_id}"
            answer(tx, invocation_id, index, failure_outcome(TAKEN, problem), awakeable_id)
            return
        awakeable = None
    if awakeable is None:
        awakeable = Awakeable(awakeable_id, invocation_id, (), tx.now_ms)
    elif not awakeable.invocation_id:
        awakeable.invocation_id = invocation_id
        tx.partition.early_awakeables -= 1
    tx.changes.awakeables[awakeable_id] = awakeable
    if claim.renew:
        awakeable.outcome, awakeable.resolved_ms = None, 0
    # Two entries may wait for one awakeable. If their schemas differ, none can be enforced.
    alike = not awakeable.indexes or awakeable.schema == claim.schema
    awakeable.schema = claim.schema if alike else ""
    if awakeable.outcome is not None:
        answer(tx, invocation_id, index, awakeable.outcome, awakeable_id)
    else:
        awakeable.indexes = (*awakeable.indexes, index)


def _owner_lives(tx: Transaction, awakeable: Awakeable) -> bool:
    """Returns whether the invocation that an awakeable belongs to exists and has not ended."""
    if tx.partition_of(awakeable.invocation_id) != tx.partition.index:
        return not awakeable.released
    owner = tx.find(awakeable.invocation_id)
    return owner is not None and owner.state not in FINAL


def release_awakeable(tx: Transaction, message: ReleaseAwakeable) -> None:
    """Notes that the invocation of another partition that has claimed an awakeable has ended.

    The awakeable is kept until that invocation is removed, so that a resolution that is repeated
    meanwhile is recognized.
    """
    awakeable = tx.awakeable(message.awakeable_id)
    if awakeable is None or awakeable.invocation_id != message.invocation_id:
        return
    awakeable.released = True
    tx.changes.awakeables[awakeable.id] = None if message.removed else awakeable


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.AWAKEABLE: await_awakeable}


def awakeable_expired(tx: Transaction, record: AwakeableExpired) -> Reply:
    """Removes an early awakeable that no entry has waited for."""
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is not None and not awakeable.invocation_id:
        tx.partition.early_awakeables -= 1
        tx.changes.awakeables[awakeable.id] = None
    return None
