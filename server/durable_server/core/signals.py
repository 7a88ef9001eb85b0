"""Signals: delivering them to SIGNAL entries, keeping those that no entry waits for yet.

The signals of an invocation are numbered as they come, and entries take those of their name in that
order. A signal has one taker. When a program gives up a wait that a signal has ended in the meantime,
the signal is given back under its old number, so the next entry takes it before all later ones.
"""

from __future__ import annotations

from .changes import EntryCompletion
from .dedup import done, subject_or_reply
from .entry_kinds import EntryKind
from .model import EntryRow, Invocation, OpenEntry
from .outcomes import failure_outcome
from .records import EntryRecorded, Signalled
from .replies import Full, Refused, Reply
from .states import FINAL
from .transaction import EntryRule, Transaction
from .transitions import complete_entry

GIVEN_UP_OUTCOME = failure_outcome("durable.GivenUp", "the program does not wait for it any more")
"""The outcome of an entry whose wait the program has given up."""


def signalled(tx: Transaction, record: Signalled) -> Reply:
    """Gives a signal to the entry that waits for it, or keeps it."""
    invocation = subject_or_reply(tx, record)
    if not isinstance(invocation, Invocation):
        return invocation
    if invocation.state in FINAL:
        return Refused(invocation)
    number = invocation.signal_count + 1
    signal = (number, record.name, record.outcome)
    if not _deliver(tx, invocation, signal):
        if len(invocation.signals) >= record.limit:
            return Full()
        keep_signal(tx, invocation, signal)
    invocation.signal_count = number
    return done(tx, invocation, record.request_id)


def _deliver(tx: Transaction, invocation: Invocation, signal: tuple[int, str, bytes]) -> bool:
    """Completes the first entry that waits for a signal of this name; returns whether there is one."""
    number, name, outcome = signal
    waiting = [
        index
        for index, entry in invocation.opened.items()
        if entry.kind == EntryKind.SIGNAL and entry.name == name
    ]
    if waiting:
        complete_entry(tx, invocation, min(waiting), outcome, number)
    return bool(waiting)


def keep_signal(tx: Transaction, invocation: Invocation, signal: tuple[int, str, bytes]) -> None:
    """Keeps a signal until an entry waits for it, also one that an entry has had."""
    invocation.signals = tuple(sorted((*invocation.signals, signal)))
    taken = (invocation.number, signal[0])
    changes = tx.changes
    if taken in changes.taken_signals:  # taken in this same batch, so the store still has it
        changes.taken_signals.remove(taken)
    else:
        changes.signals.append((invocation.number, *signal))


def await_signal(
    tx: Transaction, invocation: Invocation, _record: EntryRecorded, row: EntryRow
) -> None:
    """Completes a SIGNAL entry with the oldest signal of its name, or leaves it waiting."""
    for signal in invocation.signals:
        number, name, outcome = signal
        if name == row.name:
            invocation.signals = tuple(it for it in invocation.signals if it is not signal)
            tx.changes.taken_signals.append((invocation.number, number))
            complete_entry(tx, invocation, row.entry_index, outcome, number)
            return
    invocation.opened[row.entry_index] = OpenEntry(EntryKind.SIGNAL, row.name, "")


ENTRY_RULES: dict[int, EntryRule] = {EntryKind.SIGNAL: await_signal}


def give_up_signal(tx: Transaction, invocation: Invocation, index: int) -> None:
    """Ends the wait of a SIGNAL entry that the program has given up, without losing a signal.

    A signal that had already completed the entry goes to the next entry that waits for its name, or
    is kept. Giving up the same entry twice has no further effect.
    """
    opened = invocation.opened.get(index)
    if opened is not None:
        if opened.kind == EntryKind.SIGNAL:
            complete_entry(tx, invocation, index, GIVEN_UP_OUTCOME)
        return
    row = tx.entry(invocation.number, index)
    if row is None or not row.signal or row.outcome is None:
        return
    # The same completion, but without the signal: the entry does not have it any more.
    tx.changes.completions.append(
        EntryCompletion(row.outcome, row.completion, row.completed_ms, 0, invocation.number, index)
    )
    signal = (row.signal, row.name, row.outcome)
    if not _deliver(tx, invocation, signal):
        keep_signal(tx, invocation, signal)
