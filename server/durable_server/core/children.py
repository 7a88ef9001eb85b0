"""Children and other invocations: the entries that start, await and cancel them.

INVOKE starts a child and waits for its end, SEND starts one and only returns its id, ATTACH waits for
an invocation that exists. Whoever waits is in the list of waiters of the invocation waited for.

CANCEL names an invocation by its id, or as `#INDEX` an entry of the same journal whose future the
program has given up: then a child that this entry started is cancelled, and a SIGNAL entry stops
waiting.
"""

from __future__ import annotations

from . import ids
from .cancellation import request_cancel
from .entry_kinds import EntryKind
from .lifecycle import create
from .model import EntryRow, Invocation, OpenEntry
from .outcomes import NULL_OUTCOME, failure_outcome, text_outcome
from .records import EntryRecorded, Invoked
from .signals import GIVEN_UP_OUTCOME, give_up_signal
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import complete_entry


def child_id(invocation: Invocation, record: EntryRecorded) -> str:
    """Returns the id of the invocation that an INVOKE or SEND entry starts or finds.

    It is computed from the idempotency key, or from the entry's place in the parent's journal, so a
    repeated entry finds what the first one started.
    """
    routing = record.target or record.partition_key
    if record.idempotency_key:
        return ids.from_name("key", record.name, record.target, record.idempotency_key, routing)
    place = f"{invocation.id}/{record.entry_index}"
    return ids.from_name("child", record.name, record.target, place, routing)


def cancelled_id(tx: Transaction, invocation: Invocation, record: EntryRecorded) -> str:
    """Returns the id of the invocation that a CANCEL entry means by `#INDEX`; empty for none."""
    index = _named_index(record)
    opened = invocation.opened.get(index)
    if opened is not None:
        return opened.target  # an awaited child: known without reading the journal
    row = tx.entry(invocation.number, index)
    return "" if row is None else row.target


def _named_index(record: EntryRecorded) -> int:
    """Returns the index that a CANCEL entry names by `#INDEX`; -1 when it names none."""
    index = record.target.removeprefix("#")
    # int() also accepts other digits than ASCII, signs and spaces; an index is short.
    valid = index != record.target and index.isascii() and index.isdigit() and len(index) < 10
    return int(index) if valid else -1


def invoke(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Starts a child, or finds the invocation that the idempotency key names."""
    child = tx.find(row.target)
    if child is None:
        child = create(
            tx,
            Invoked(
                row.target,
                record.name,
                record.argument,
                record.target,
                invocation.headers,
                invocation.service,
                record.partition_key,
                record.idempotency_key,
                tx.now_ms + record.delay_ms if record.delay_ms else 0,
                invocation.id,
                invocation.priority,
            ),
        )
    elif child.input != record.argument:
        problem = f"{record.idempotency_key!r} was used before with another input, for {child.id}"
        outcome = failure_outcome("durable.IdempotencyMismatch", problem)
        complete_entry(tx, invocation, row.entry_index, outcome)
        return
    if record.kind == EntryKind.SEND:
        complete_entry(tx, invocation, row.entry_index, text_outcome(child.id))
    else:
        _await_end(tx, invocation, child, row)


def attach(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Waits for the end of an invocation that exists."""
    target = tx.find(record.target)
    if target is None:
        complete_entry(tx, invocation, row.entry_index, not_found(record.target))
    else:
        _await_end(tx, invocation, target, row)


def _await_end(tx: Transaction, invocation: Invocation, target: Invocation, row: EntryRow) -> None:
    if target.state in FINAL and target.outcome is not None:
        complete_entry(tx, invocation, row.entry_index, target.outcome)
        return
    invocation.opened[row.entry_index] = OpenEntry(row.kind, row.name, target.id)
    target.waiters = (*target.waiters, (invocation.id, row.entry_index))
    tx.changes.waiters.append((target.id, invocation.id, row.entry_index))


def cancel(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Requests the cancellation of an invocation, or ends the wait of an entry that was given up."""
    index = _named_index(record)
    if index >= 0:
        give_up_signal(tx, invocation, index)
    target = tx.find(row.target) if row.target else None
    if target is not None and index >= 0 and not _is_own(tx, invocation, target, index):
        if index in invocation.opened:
            complete_entry(tx, invocation, index, GIVEN_UP_OUTCOME)
        target = None
    if target is not None and target.state not in FINAL:
        reason = f"cancelled by invocation {invocation.id}"
        request_cancel(tx, target, reason, invocation.handler)
    # After the request: an invocation that cancels itself gets the request before this completion.
    complete_entry(tx, invocation, row.entry_index, NULL_OUTCOME)


def _is_own(tx: Transaction, invocation: Invocation, child: Invocation, index: int) -> bool:
    """Returns whether the child of an entry is cancelled when the program gives the entry's future up.

    It is not if an idempotency key found what another invocation had started, if another entry waits
    for it too, or if this program has also started it by SEND, which nobody can give up.
    """
    if child.parent != invocation.id:
        return False
    if any(it.target == child.id for other, it in invocation.opened.items() if other != index):
        return False
    return not child.idempotency_key or not any(
        row.kind == EntryKind.SEND and row.target == child.id and row.entry_index != index
        for row in tx.journal(invocation.number)
    )


def not_found(invocation_id: str) -> bytes:
    """Returns the outcome of an entry about an invocation that does not exist."""
    return failure_outcome("durable.InvocationNotFound", f"no invocation {invocation_id!r}")


ENTRY_RULES: dict[int, EntryRule] = {
    EntryKind.INVOKE: invoke,
    EntryKind.SEND: invoke,
    EntryKind.ATTACH: attach,
    EntryKind.CANCEL: cancel,
}
