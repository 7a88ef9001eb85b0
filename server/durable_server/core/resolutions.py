"""Resolutions: RESOLVE entries, by which a program resolves an awakeable or sends a signal.

With a target the entry sends a signal to that invocation, without one it resolves an awakeable. It does
the same as the request from outside does, and what that would be refused with is the entry's outcome.
"""

from __future__ import annotations

from .awakeables import awakeable_resolved
from .children import not_found
from .entry_kinds import EntryKind
from .limits import LIMIT_REACHED
from .model import EntryRow, Invocation
from .outcomes import NULL_OUTCOME, failure_outcome, value_outcome
from .records import AwakeableResolved, EntryRecorded, Signalled
from .replies import Conflict, Full, Missing, Refused
from .signals import signalled
from .transaction import EntryRule, Transaction
from .transitions import complete_entry

INVALID_VALUE = "durable.InvalidValue"
"""The type of the failure of a RESOLVE entry whose value does not fit what is waited for."""


def resolve(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Resolves an awakeable, or with a target delivers a signal."""
    if record.refused:
        outcome = failure_outcome(INVALID_VALUE, record.refused)
        complete_entry(tx, invocation, row.entry_index, outcome)
        return
    given = record.outcome or NULL_OUTCOME
    if record.argument is not None:
        given = value_outcome(record.argument)
    if record.target:
        reply = signalled(tx, Signalled(record.target, record.name, given))
        unknown = not_found(record.target)
    else:
        reply = awakeable_resolved(tx, AwakeableResolved(record.name, given))
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
    complete_entry(tx, invocation, row.entry_index, outcome)


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.RESOLVE: resolve}
