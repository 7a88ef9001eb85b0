"""Children and other invocations: the entries that start, await and cancel them.

INVOKE starts a child and waits for its end, SEND starts one and only returns its id, ATTACH waits for
an invocation that exists. Whoever waits is in the list of waiters of the invocation waited for.

CANCEL names an invocation by its id, or as `#INDEX` an entry of the same journal whose future the
program has given up: then a child that this entry started is cancelled, and a SIGNAL entry stops
waiting.

The other invocation may live in another partition. So each entry is two rules: one for the journal of
the invocation that has the entry, and one for the invocation that it is about, which applies a message.
"""

from __future__ import annotations

from . import ids
from .cancellation import cancel_invocation
from .entry_kinds import EntryKind
from .lifecycle import create
from .messages import AwaitEnd, CancelInvocation, StartChild
from .model import EntryRow, Invocation, OpenEntry
from .outcomes import NULL_OUTCOME, failure_outcome, invoked_with, text_outcome
from .records import EntryRecorded, Invoked
from .signals import GIVEN_UP_OUTCOME, give_up_signal
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import answer, complete_entry


def child_id(tx: Transaction, invocation: Invocation, record: EntryRecorded) -> str:
    """Returns the id of the invocation that an INVOKE or SEND entry starts or finds.

    It is computed from the idempotency key, or from the entry's place in the parent's journal, so a
    repeated entry finds what the first one started. A child that no key sends elsewhere lives in its
    parent's partition.
    """
    routing = record.target or record.partition_key
    if record.idempotency_key:
        return ids.from_name("key", record.name, record.target, record.idempotency_key, routing)
    place = f"{invocation.id}/{record.entry_index}"
    hashed = ids.from_name("child", record.name, record.target, place, routing)
    # With one partition the route means nothing, and logs of earlier versions hold these ids.
    return hashed if routing or tx.partition.count == 1 else invocation.id[:4] + hashed[4:]


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
    valid = index != record.target and index.isascii() and index.isdigit() and len(index) <= 10
    return int(index) if valid else -1


def invoke(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Starts a child, or finds the invocation that the idempotency key names."""
    awaited = record.kind == EntryKind.INVOKE
    if awaited:
        invocation.opened[row.entry_index] = OpenEntry(row.kind, row.name, row.target)
    message = StartChild(
        row.target,
        record.name,
        record.argument,
        record.target,
        invocation.headers,
        invocation.service,
        record.partition_key,
        record.idempotency_key,
        tx.now_ms + record.delay_ms if record.delay_ms else 0,
        invocation.priority,
        invocation.id,
        row.entry_index,
        awaited,
    )
    tx.deliver(tx.partition_of(row.target), message, start_child)


def start_child(tx: Transaction, message: StartChild) -> None:
    """Starts a child for a parent, and lets the parent wait for it or answers with its id."""
    child = tx.find(message.child_id)
    if child is None:
        child = create(
            tx,
            Invoked(
                message.child_id,
                message.handler,
                message.input,
                message.key,
                message.headers,
                message.service,
                message.partition_key,
                message.idempotency_key,
                message.start_ms,
                message.parent,
                message.priority,
            ),
        )
    elif not invoked_with(child, message.input):
        problem = f"{message.idempotency_key!r} was used before with another input, for {child.id}"
        outcome = failure_outcome("durable.IdempotencyMismatch", problem)
        answer(tx, message.parent, message.entry_index, outcome, child.id)
        return
    if message.awaited:
        _await_end(tx, child, message.parent, message.entry_index)
    else:
        answer(tx, message.parent, message.entry_index, text_outcome(child.id), child.id)


def attach(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Waits for the end of an invocation that exists."""
    invocation.opened[row.entry_index] = OpenEntry(row.kind, row.name, record.target)
    message = AwaitEnd(record.target, invocation.id, row.entry_index)
    tx.deliver(tx.partition_of(record.target), message, await_end)


def await_end(tx: Transaction, message: AwaitEnd) -> None:
    """Lets an entry wait for the end of an invocation, if that exists."""
    target = tx.find(message.target)
    if target is None:
        outcome = not_found(message.target)
        answer(tx, message.invocation_id, message.entry_index, outcome, message.target)
    else:
        _await_end(tx, target, message.invocation_id, message.entry_index)


def _await_end(tx: Transaction, target: Invocation, waiter_id: str, index: int) -> None:
    if target.state in FINAL and target.outcome is not None:
        answer(tx, waiter_id, index, target.outcome, target.id)
        return
    # In the order in which the store returns them: every leader must answer them in the same one.
    target.waiters = tuple(sorted({*target.waiters, (waiter_id, index)}))
    tx.changes.waiters.append((target.id, waiter_id, index))


def cancel(tx: Transaction, invocation: Invocation, record: EntryRecorded, row: EntryRow) -> None:
    """Requests the cancellation of an invocation, or ends the wait of an entry that was given up."""
    index = _named_index(record)
    if index >= 0:
        give_up_signal(tx, invocation, index)
    if row.target:
        if index >= 0 and _is_shared(tx, invocation, row.target, index):
            answer(tx, invocation.id, index, GIVEN_UP_OUTCOME, row.target)
        else:
            reason = f"cancelled by invocation {invocation.id}"
            parent = invocation.id if index >= 0 else ""
            message = CancelInvocation(row.target, reason, invocation.handler, parent, index)
            tx.deliver(tx.partition_of(row.target), message, cancel_invocation)
    # After the request: an invocation that cancels itself gets the request before this completion.
    complete_entry(tx, invocation, row.entry_index, NULL_OUTCOME)


def _is_shared(tx: Transaction, invocation: Invocation, child_id: str, index: int) -> bool:
    """Returns whether an invocation is kept although the program gives up the future of one entry.

    It is if another entry waits for it too, or if the program has also started it by SEND, which
    nobody can give up.
    """
    if any(it.target == child_id for other, it in invocation.opened.items() if other != index):
        return True
    if tx.partition_of(child_id) == tx.partition.index:
        child = tx.find(child_id)
        if child is None or not child.idempotency_key:
            return False  # No other entry can have started it, so the journal need not be read.
    return any(
        row.kind == EntryKind.SEND and row.target == child_id and row.entry_index != index
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
