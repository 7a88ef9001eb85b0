"""Restart: a new invocation like an old one, with the beginning of the old one's journal.

The completed entries before an index are copied; the program starts the open ones again.
Completions keep their order and get new numbers, without those of entries that are left out. That is
sound because an entry with a lower index was started first, so it cannot depend on the completion of
one with a higher index.
"""

from __future__ import annotations

from . import object_state
from .entry_kinds import KINDS, EntryKind
from .ids import from_name
from .lifecycle import create
from .model import UNNUMBERED, EntryRow, HandlerKind, Invocation
from .records import Invoked, Restarted
from .replies import Attached, Created, Missing, Refused, Reply
from .states import SETTLED
from .transaction import Transaction


def restart_id(source_id: str, request_id: str) -> str:
    """Returns the id of the invocation that a restart request creates, in its source's partition."""
    hashed = from_name("restart", source_id, "", request_id)
    return source_id[:4] + hashed[4:]


def restarted(tx: Transaction, record: Restarted) -> Reply:
    """Creates the new invocation, or attaches to the one that this request has created before."""
    known = tx.find(record.invocation_id)
    if known is not None:
        return Attached(known)
    source = tx.find(record.source_id)
    if source is None:
        return Missing()
    if source.state not in SETTLED:
        return Refused(source)
    invocation = create(
        tx,
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
    )
    _copy_journal(tx, source, invocation, record.from_index)
    return Created(invocation)


def _copy_journal(tx: Transaction, source: Invocation, invocation: Invocation, before: int) -> None:
    """Copies the completed entries before an index; the state of a workflow is rebuilt from them.

    The state of an object is not rolled back.
    """
    rows = [it for it in tx.journal(source.number) if it.entry_index < before and it.completion]
    ordered = sorted(it.completion for it in rows if it.completion > 0)
    numbers = {completion: number for number, completion in enumerate(ordered, 1)}
    for row in rows:
        copied = row._replace(
            name=_renamed(row, source.id, invocation.id),
            completion=numbers.get(row.completion, UNNUMBERED),
        )
        invocation.recorded[copied.entry_index] = copied.completion
        invocation.journal_bytes += copied.size
        tx.changes.entries.append((invocation.number, copied))
        if invocation.kind == HandlerKind.WORKFLOW and KINDS[row.kind].writes_state:
            object_state.write(tx, invocation.id, row)
    invocation.completions = len(ordered)
    invocation.signal_count = max((it.signal for it in rows), default=0)


def _renamed(row: EntryRow, old_id: str, new_id: str) -> str:
    """Returns an entry's name in the new journal: a generated awakeable id has the invocation's id."""
    if row.kind == EntryKind.AWAKEABLE and row.name.startswith(old_id):
        return new_id + row.name.removeprefix(old_id)
    return row.name
