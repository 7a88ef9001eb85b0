"""Object state: the entries that read and write state, and edits from outside.

Each entry works on the state of the invocation's `state_owner`: its own, or its object key's. A read
whose value the worker knows already is recorded with its outcome; `entry_kinds` says so.

An edit that is repeated with the same request id has no second effect. The request ids of the last
edits are a state of their own, whose owner no invocation and no key can have.
"""

from __future__ import annotations

import json

from .dedup import REQUESTS_MAX
from .entry_kinds import EntryKind
from .model import EntryRow, Invocation
from .outcomes import names_outcome, value_outcome
from .records import EntryRecorded, StateEdited
from .replies import Busy, Edited, Reply
from .transaction import EntryRule, Transaction
from .transitions import complete_entry


def write(tx: Transaction, owner: str, row: EntryRow) -> None:
    """Applies a SET_STATE or CLEAR_STATE entry to a state; a CLEAR_STATE without a name
    removes all values."""
    if row.kind == EntryKind.SET_STATE:
        tx.set_state(owner, row.name, row.argument)
    elif row.name:
        tx.set_state(owner, row.name, None)
    else:
        tx.clear_state(owner)


def _write_entry(
    tx: Transaction, invocation: Invocation, _record: EntryRecorded, row: EntryRow
) -> None:
    write(tx, invocation.state_owner, row)


def _read_entry(
    tx: Transaction, invocation: Invocation, _record: EntryRecorded, row: EntryRow
) -> None:
    if row.completion:
        return
    owner = invocation.state_owner
    if row.kind == EntryKind.STATE_KEYS:
        outcome = names_outcome(sorted(tx.state(owner)))
    else:
        outcome = value_outcome(tx.state_value(owner, row.name))
    complete_entry(tx, invocation, row.entry_index, outcome)


_REQUESTS = "\0requests"
"""What follows a key in the owner of the state that has its request ids; no key has a NUL."""


ENTRY_RULES: dict[int, EntryRule] = {
    EntryKind.SET_STATE: _write_entry,
    EntryKind.CLEAR_STATE: _write_entry,
    EntryKind.GET_STATE: _read_entry,
    EntryKind.STATE_KEYS: _read_entry,
}


def state_edited(tx: Transaction, record: StateEdited) -> Reply:
    """Changes an object key's state, unless an invocation holds or wants the key's lock."""
    request_id = record.request_id
    requests = _requests(tx, record.owner) if request_id else []
    if request_id in requests:
        return Edited()
    queue = tx.partition.lock_queues.get(record.owner)
    if queue is not None:
        return Busy(queue[0])
    if request_id:
        last = json.dumps([*requests, request_id][-REQUESTS_MAX:])
        tx.set_state(record.owner + _REQUESTS, "", last.encode())
    if record.clear_all:
        tx.clear_state(record.owner)
    for name, value in record.values:
        tx.set_state(record.owner, name, value)
    return Edited()


def _requests(tx: Transaction, owner: str) -> list[str]:
    """Returns the request ids of the last edits of a state."""
    found = tx.state_value(owner + _REQUESTS, "")
    requests: list[str] = json.loads(found) if found else []
    return requests
