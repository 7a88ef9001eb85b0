"""Awakeables: promises that something outside resolves, by id.

An awakeable is a row of its own, because its outcome may come before an entry waits for it, from
somebody who knows its id and nothing else. An id that begins with an invocation's id belongs to that
invocation from the start. An id of the user's own choice belongs to the first invocation that waits for
it. Until then its outcome is kept for a day, and the number of such early awakeables is limited.

The first outcome counts. If the program cannot read it, its next AWAKEABLE entry has `renew`: that
outcome is forgotten, and the next one counts.

When the invocation that an id belongs to has ended, another one (a restart, for example) may wait for
the same id; the awakeable then starts anew, without an outcome. It also starts anew when its invocation
continues as new, if the program has got the outcome; an outcome that it has not got waits for the next
entry with this id, in whichever run that is.

A webhook is a signed URL that resolves an awakeable. The URL is recorded nowhere, only that it is
revoked: the awakeable refuses an outcome that comes through a revoked one. It keeps the revocations for
as long as it lives, also when another invocation waits for its id. A revocation for an id of the user's
own choice that no invocation has waited for is an early awakeable too, which outlives every URL.

An awakeable lives in the partition of the invocation that its id begins with, and one of the user's own
choice in a partition that its id decides. An entry of another partition claims it by a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import ids
from .dedup import REQUESTS_MAX
from .entry_kinds import EntryKind
from .messages import ClaimAwakeable, ReleaseAwakeable
from .model import Awakeable, EntryRow, Invocation
from .outcomes import failure_outcome
from .records import AwakeableExpired, AwakeableResolved, EntryRecorded, WebhookRevoked
from .replies import Conflict, Full, Missing, Reply, Resolved, Revoked
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import answer

EARLY_MS = 24 * 3600 * 1000
"""How long an outcome is kept that no entry has waited for, if its invocation does not keep it."""
TAKEN = "durable.AwakeableTaken"
"""The type of the failure of an AWAKEABLE entry whose id belongs to another invocation."""


def awakeable_resolved(tx: Transaction, record: AwakeableResolved) -> Reply:
    """Gives an awakeable its outcome; the first one counts."""
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is None:
        made = _make_early(tx, record.awakeable_id, record.limit)
        if not isinstance(made, Awakeable):
            return made
        awakeable = made
    elif is_revoked(awakeable, record.webhook_id):
        return Revoked(awakeable)
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


def _make_early(tx: Transaction, awakeable_id: str, limit: int) -> Awakeable | Missing | Full:
    """Makes an awakeable that no entry waits for, if its invocation lives or has yet to come."""
    partition = tx.partition
    owner = ids.owner(awakeable_id)
    if owner:
        invocation = tx.find(owner)
        if invocation is None or invocation.state in FINAL:
            return Missing()
    elif partition.early_awakeables >= limit:
        return Full()
    else:
        partition.early_awakeables += 1
    return Awakeable(awakeable_id, owner, (), tx.now_ms)


def webhook_revoked(tx: Transaction, record: WebhookRevoked) -> Reply:
    """Revokes one webhook of an awakeable or all; Full when too many were revoked one by one."""
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is None:
        made = _make_early(tx, record.awakeable_id, record.early_limit)
        if not isinstance(made, Awakeable):
            return made
        awakeable = made
    elif not record.webhook_id:
        awakeable.revoked = ()
    elif is_revoked(awakeable, record.webhook_id):
        return Revoked(awakeable)
    elif len(awakeable.revoked) >= record.limit:
        return Full()
    awakeable.revoked = (*awakeable.revoked, record.webhook_id)
    if not awakeable.resolved_ms and not awakeable.invocation_id:
        awakeable.created_ms = tx.now_ms  # from which its time counts
    tx.changes.awakeables[awakeable.id] = awakeable
    return Revoked(awakeable)


def is_revoked(awakeable: Awakeable, webhook_id: str) -> bool:
    """Returns whether a webhook of an awakeable is revoked; "" is none, which nobody can revoke."""
    return bool(webhook_id) and ("" in awakeable.revoked or webhook_id in awakeable.revoked)


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
    revoked: tuple[str, ...] = ()
    if awakeable is not None and awakeable.invocation_id not in ("", invocation_id):
        if _owner_lives(tx, awakeable):
            owner_id = awakeable.invocation_id
            problem = f"the awakeable {awakeable_id!r} belongs to invocation {owner_id}"
            answer(tx, invocation_id, index, failure_outcome(TAKEN, problem), awakeable_id)
            return
        revoked, awakeable = awakeable.revoked, None
    if awakeable is None:
        awakeable = Awakeable(awakeable_id, invocation_id, (), tx.now_ms, revoked=revoked)
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
    if message.continues:
        _end_wait(tx, awakeable, message.read)
        return
    awakeable.released = True
    tx.changes.awakeables[awakeable.id] = None if message.removed else awakeable


def end_waits(tx: Transaction, invocation: Invocation, rows: Sequence[EntryRow], seen: int) -> None:
    """Ends the waits of a run that is over, and forgets the outcomes that its program has got.

    `rows` is the run's journal, `seen` the number of the last completion that the program has got.
    """
    waits: dict[str, list[EntryRow]] = {}
    for row in rows:
        if row.kind == EntryKind.AWAKEABLE:
            waits.setdefault(row.name, []).append(row)
    for awakeable_id, entries in waits.items():
        message = ReleaseAwakeable(
            awakeable_id, invocation.id, continues=True, read=_has_got(entries, seen)
        )
        partition = ids.awakeable_partition(awakeable_id, tx.partition.count)
        tx.deliver(partition, message, release_awakeable)
    invocation.claims = ()
    for awakeable in tx.awakeables(invocation.id):
        if awakeable.id not in waits and _is_left_over(awakeable, tx.now_ms):
            tx.changes.awakeables[awakeable.id] = None


def _has_got(entries: Sequence[EntryRow], seen: int) -> bool:
    """Returns whether the program has got the outcome that an awakeable has, from one of its entries.

    Of several entries the last one decides, because it may have asked for another outcome; unless it
    has the same outcome as one that the program has got.
    """
    last = entries[-1]
    return bool(last.completion) and any(
        0 < it.completion <= seen and it.outcome == last.outcome for it in entries
    )


def _end_wait(tx: Transaction, awakeable: Awakeable, read: bool) -> None:
    """Lets nothing wait for an awakeable any more, whose invocation has begun another run.

    What nobody can ask for any more is removed. An id of the user's own choice belongs to nobody then,
    as before the first entry that waited for it. One with the invocation's id stays, because it knows
    the last requests, and a retry of one must not resolve the wait of the next run.
    """
    awakeable.indexes, awakeable.schema = (), ""
    if read:
        awakeable.outcome, awakeable.resolved_ms = None, 0
        awakeable.created_ms = tx.now_ms
    owned = ids.owner(awakeable.id) == awakeable.invocation_id
    known = awakeable.outcome is not None or bool(awakeable.revoked)
    if not known and (not owned or _is_generated(awakeable)):
        tx.changes.awakeables[awakeable.id] = None
        return
    tx.changes.awakeables[awakeable.id] = awakeable
    if not owned:
        awakeable.invocation_id = ""
        awakeable.created_ms = tx.now_ms
        tx.partition.early_awakeables += 1


def _is_generated(awakeable: Awakeable) -> bool:
    """Returns whether an id that begins with an invocation's id goes on with an entry's index."""
    return awakeable.id[ids.LENGTH : ids.LENGTH + 1] == "-"


def _is_left_over(awakeable: Awakeable, now_ms: int) -> bool:
    """Returns whether an awakeable that no entry of its invocation's last run waited for can go.

    It can after a day if it has no outcome, or one whose id only an earlier run has handed out.
    """
    if awakeable.revoked or now_ms - max(awakeable.created_ms, awakeable.resolved_ms) < EARLY_MS:
        return False
    return awakeable.outcome is None or _is_generated(awakeable)


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.AWAKEABLE: await_awakeable}


def awakeable_expired(tx: Transaction, record: AwakeableExpired) -> Reply:
    """Removes an early awakeable that no entry has waited for, or only its outcome.

    Revocations are kept from then on for as long as a URL may be valid.
    """
    awakeable = tx.awakeable(record.awakeable_id)
    if awakeable is None or awakeable.invocation_id:
        return None
    if awakeable.revoked and awakeable.resolved_ms:
        awakeable.outcome, awakeable.resolved_ms, awakeable.requests = None, 0, ()
        awakeable.created_ms = tx.now_ms
        tx.changes.awakeables[awakeable.id] = awakeable
    else:
        tx.partition.early_awakeables -= 1
        tx.changes.awakeables[awakeable.id] = None
    return None
