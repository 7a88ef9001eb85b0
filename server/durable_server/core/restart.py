"""Restart: a new invocation like an old one, with the beginning of its journal, perhaps edited.

A fork is a restart that keeps entries: the new invocation replays them and goes on from there.

The completed entries before an index are copied; the program starts the open ones again.
Completions keep their order and get new numbers, without those of entries that are left out. That is
sound because an entry with a lower index was started first, so it cannot depend on the completion of
one with a higher index. For the same reason no entry is copied that was started after the cancellation
of the source was requested: the new invocation is not cancelled, and would not start it.

With entries the program must run as it did: so the new invocation has the seed, the start time and the
run of its source, and goes where that would go: to workers of its build if it is pinned, else of the
version that has written the journal, if there are some. The source stays as it is, also one that goes
on.

- State. A workflow's own state is made of what the run began with and of the copied writes. The state
  of an object is not rolled back.
- Names. Where a name has the source's id, as a generated awakeable id does, it gets the new one.
- Awakeables. Those whose id begins with the invocation's are copied with their entries. One with an id
  of the user's own choice stays with the source for as long as that lives.
- Signals. An entry keeps the signal that completed it. Signals that no copied entry has taken are not
  copied.
- Children. An entry keeps the child that the source started, also with another outcome. A child whose
  entry is open or left out is started anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import object_state
from .entry_kinds import KINDS, EntryKind
from .ids import from_name
from .lifecycle import create
from .model import UNNUMBERED, Awakeable, EntryRow, HandlerKind, Invocation
from .outcomes import read_payload
from .records import Invoked, Restarted
from .replies import Attached, Created, Missing, Refused, Reply, Unfit
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
    if source.state not in SETTLED and not record.while_running:
        return Refused(source)
    before, edits = record.from_index, dict(record.outcomes)
    journal = tx.journal(source.number) if before or source.run > 1 else []
    unfit = _check_index(source, journal, before) or _check_edits(journal, edits, before)
    if unfit is not None:
        return unfit
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
    invocation.source = source.id
    if source.run > 1:
        _begin_run(tx, source, invocation, journal)
    copied = [it for it in journal if it.entry_index < before and it.completion]
    if copied:
        invocation.source_index = before
        invocation.seed_id = source.seed_id or source.id
        invocation.run_ms = source.run_ms or source.started_ms
        invocation.build, invocation.pinned = source.build, source.pinned
        invocation.repinned = source.repinned  # the build may not be the one that began the journal
        invocation.recorded_by = source.recorded_by or source.version
        _copy_journal(tx, source, invocation, copied, edits)
    return Created(invocation)


def _check_index(source: Invocation, journal: list[EntryRow], before: int) -> Unfit | None:
    """Returns what is wrong with the index before which entries are to be copied."""
    if not before:
        return None
    first = source.first_index
    most = max((it.entry_index for it in journal), default=first - 1) + 1
    if not first < before <= most:
        problem = f"the journal has the entries {first} to {most - 1}: use {first + 1} to {most}"
        if most == first:
            problem = "the journal has no entries: use 0"
        return Unfit("from_index", problem, before)
    if source.cancel_number:
        kept = min((it.entry_index for it in journal if _is_late(source, it)), default=most)
        if before > kept:
            problem = (
                f"the entries from {kept} on were started after the invocation was cancelled, and the"
                f" new one is not: use {kept} at most"
            )
            return Unfit("from_index", problem, before)
    return None


def _is_late(source: Invocation, row: EntryRow) -> bool:
    """Returns whether an entry may have been started after the cancellation was requested."""
    was_complete = 0 < row.completion < source.cancel_number
    return row.created_ms >= source.cancel_ms and not was_complete


def _check_edits(journal: list[EntryRow], edits: Mapping[int, bytes], before: int) -> Unfit | None:
    """Returns what is wrong with the first index whose outcome cannot be replaced."""
    rows = {it.entry_index: it for it in journal}
    for index in sorted(edits):
        row = rows.get(index)
        if index >= before:
            problem = f"entry {index} is not kept, because from_index is {before}"
        elif row is None:
            problem = f"there is no entry {index} in the journal"
        elif not row.completion:
            problem = f"entry {index}, {_named(row)}, is not complete, so it is not kept"
        elif row.outcome is None or KINDS[row.kind].only_ends:
            problem = f"entry {index}, {_named(row)}, has no outcome that could be another one"
        else:
            continue
        return Unfit("outcomes", problem, index)
    return None


def _named(row: EntryRow) -> str:
    kind = EntryKind(row.kind).name
    return f"{kind} {row.name!r}" if row.name else kind


def _begin_run(
    tx: Transaction, source: Invocation, invocation: Invocation, journal: list[EntryRow]
) -> None:
    """Lets the new invocation begin as a later run of its source did, with the state of then."""
    invocation.run = source.run
    invocation.first_index = source.first_index
    invocation.completions = invocation.completions_before = source.completions_before
    if invocation.kind == HandlerKind.WORKFLOW:
        for name, value in _state_before(tx.state(source.id), journal).items():
            if value is not None:
                tx.set_state(invocation.id, name, value)


def _state_before(
    state: Mapping[str, bytes], journal: list[EntryRow]
) -> Mapping[str, bytes | None]:
    """Returns the state with which a journal began, as far as its program can notice.

    A value that the program has read first is in the journal, and one that it has neither read nor
    written is as it was. One that it has written first is not known any more.
    """
    before: dict[str, bytes | None] = {}
    for row in journal:
        facts = KINDS[row.kind]
        if facts.writes_state and not row.name:
            return before  # everything was removed
        if facts.writes_state:
            before.setdefault(row.name, None)
        elif facts.reads_state and row.name and row.outcome is not None:
            before.setdefault(row.name, read_payload(row.outcome))
    return {**state, **before}


def _copy_journal(
    tx: Transaction,
    source: Invocation,
    invocation: Invocation,
    rows: list[EntryRow],
    edits: Mapping[int, bytes],
) -> None:
    """Copies completed entries, with other outcomes for some."""
    numbered = sorted(it.completion for it in rows if it.completion > 0)
    numbers = {
        completion: number
        for number, completion in enumerate(numbered, invocation.completions_before + 1)
    }
    own = (f"{invocation.id}-", f"{invocation.id}.")
    for row in rows:
        copied = row._replace(
            # Where the program has put its own id into a name, it is the new one.
            name=row.name.replace(source.id, invocation.id),
            outcome=edits.get(row.entry_index, row.outcome),
            completion=numbers.get(row.completion, UNNUMBERED),
        )
        invocation.recorded[copied.entry_index] = copied.completion
        invocation.journal_bytes += copied.size
        tx.changes.entries.append((invocation.number, copied))
        if invocation.kind == HandlerKind.WORKFLOW and KINDS[row.kind].writes_state:
            object_state.write(tx, invocation.id, row)
        if row.kind == EntryKind.AWAKEABLE and copied.name.startswith(own) and invocation.source:
            tx.changes.awakeables[copied.name] = Awakeable(
                copied.name,
                invocation.id,
                (),
                copied.created_ms,
                copied.completed_ms,
                copied.outcome,
                copied.schema,
            )
    invocation.completions += len(numbered)
    invocation.signal_count = max(it.signal for it in rows)
