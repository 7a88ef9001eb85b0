"""Resolutions: RESOLVE entries, by which a program resolves an awakeable or sends a signal.

With a target the entry sends a signal to that invocation, without one it resolves an awakeable. It does
the same as the request from outside does, and what that would be refused with is the entry's outcome.
"""

from __future__ import annotations

from . import ids
from .awakeables import awakeable_resolved
from .children import not_found
from .entry_kinds import EntryKind
from .limits import LIMIT_REACHED
from .messages import ResolveAwakeable, SendSignal
from .model import EntryRow, Invocation
from .outcomes import NULL_OUTCOME, failure_outcome, value_outcome
from .records import AwakeableResolved, EntryRecorded, Signalled
from .replies import Conflict, Full, Missing, Refused
from .signals import signalled
from .transaction import EntryRule, Transaction
from .transitions import answer, complete_entry

INVALID_VALUE = "durable.InvalidValue"
"""The type of the failure of a RESOLVE entry whose value does not fit what is waited for."""
_TOO_MANY = failure_outcome(LIMIT_REACHED, "too many wait already")


def resolve(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Resolves an awakeable, or with a target delivers a signal."""
    if record.refused:
        complete_entry(tx, invocation, row.entry_index, _invalid(record.refused))
        return
    given = record.outcome or NULL_OUTCOME
    if record.argument is not None:
        given = value_outcome(record.argument)
    index = row.entry_index
    if record.target:
        signal = SendSignal(record.target, record.name, given, invocation.id, index)
        tx.deliver(tx.partition_of(record.target), signal, send_signal)
    else:
        resolution = ResolveAwakeable(record.name, given, invocation.id, index)
        partition = ids.awakeable_partition(record.name, tx.partition.count)
        tx.deliver(partition, resolution, resolve_awakeable)


def send_signal(tx: Transaction, message: SendSignal) -> None:
    """Delivers a signal for another invocation, and answers it."""
    if message.refused:
        outcome = _invalid(message.refused)
        answer(tx, message.invocation_id, message.entry_index, outcome, message.target)
        return
    reply = signalled(tx, Signalled(message.target, message.name, message.outcome))
    outcome = NULL_OUTCOME
    if isinstance(reply, Missing):
        outcome = not_found(message.target)
    elif isinstance(reply, Refused):
        text = f"invocation {message.target} has ended"
        outcome = failure_outcome("durable.InvalidState", text)
    elif isinstance(reply, Full):
        outcome = _TOO_MANY
    answer(tx, message.invocation_id, message.entry_index, outcome, message.target)


def resolve_awakeable(tx: Transaction, message: ResolveAwakeable) -> None:
    """Gives an awakeable its outcome for another invocation, and answers it."""
    awakeable_id = message.awakeable_id
    if message.refused:
        outcome = _invalid(message.refused)
        answer(tx, message.invocation_id, message.entry_index, outcome, awakeable_id)
        return
    reply = awakeable_resolved(tx, AwakeableResolved(awakeable_id, message.outcome))
    outcome = NULL_OUTCOME
    if isinstance(reply, Missing):
        text = f"no awakeable {awakeable_id!r}"
        outcome = failure_outcome("durable.AwakeableNotFound", text)
    elif isinstance(reply, Conflict):
        text = f"the awakeable {awakeable_id!r} has another outcome already"
        outcome = failure_outcome("durable.AlreadyResolved", text)
    elif isinstance(reply, Full):
        outcome = _TOO_MANY
    answer(tx, message.invocation_id, message.entry_index, outcome, awakeable_id)


def _invalid(problem: str) -> bytes:
    return failure_outcome(INVALID_VALUE, problem)


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.RESOLVE: resolve}
