"""Continuing as new: the end of a run, and the beginning of the next one with an empty journal.

A program that would run for ever has a journal that would grow for ever. So it may end its run and ask
for another one with another input. The invocation stays the same for everybody else: its id, its state,
its object lock, its waiters and its unread signals are kept. Its retries begin anew, and so does its
handler's timeout. It has no journal then, so it goes to the worker that a new invocation would go to,
which is how a loop without an end gets new code.

Indexes and completion numbers go on from those of the run before. So whatever is still on its way for
the old journal (a timer, an answer of another partition) names an index that the new journal does not
have, and is dropped by the rules that drop what comes too late in any case.

The last completion that the program has got is part of the record, because others may have come since.
What such a completion brought is not lost:
- A signal is given back.
- An awakeable keeps its outcome, which the next entry with its id gets.

A signal whose completion the program has got and not read is given back before, by a CANCEL of its
entry.

An awakeable whose outcome the program has got starts anew, and one that has none loses its waiting
entries; see `awakeables.run_ended`. A request to cancel is the first completion of the new run, also if
the program has seen it: it has not ended, as was requested.
"""

from __future__ import annotations

from collections.abc import Sequence

from .attempts import end_attempt
from .awakeables import end_waits
from .effects import SetTimer
from .entry_kinds import EntryKind
from .model import AttemptEnd, EntryRow, Invocation
from .outcomes import input_digest
from .records import DEADLINE, Continued
from .replies import Reply
from .signals import keep_signal
from .transaction import Transaction
from .transitions import handler_of, owned, pause_if_requested, release


def continued(tx: Transaction, record: Continued) -> Reply:
    """Begins another run of an invocation."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    end_attempt(tx, invocation, AttemptEnd.CONTINUED)
    rows = tx.journal(invocation.number) if invocation.recorded else []
    _give_back_signals(tx, invocation, rows, record.completion)
    end_waits(tx, invocation, rows, record.completion)
    _remove_journal(tx, invocation, record.next_index)
    _replace_input(tx, invocation, record.input)
    invocation.run += 1
    invocation.run_ms = 0
    invocation.seed_id = ""  # the source of a fork may begin such a run too
    invocation.pinned = invocation.repinned = False
    invocation.failure = None
    invocation.failures = invocation.failing_ms = 0
    invocation.step_failures = ()
    invocation.recorded_by = ""
    invocation.completions_before = invocation.completions
    invocation.signals_before = invocation.signal_count
    invocation.deadline_ms = 0
    if invocation.cancel_ms:
        invocation.completions += 1
        invocation.cancel_number = invocation.completions
    elif timeout_ms := handler_of(tx, invocation).timeout_ms:
        invocation.deadline_ms = tx.now_ms + timeout_ms
        tx.effects.append(SetTimer(invocation.deadline_ms, invocation.id, DEADLINE))
    if not pause_if_requested(tx, invocation):
        release(tx, invocation)
    return None


def _give_back_signals(
    tx: Transaction, invocation: Invocation, rows: Sequence[EntryRow], seen: int
) -> None:
    """Gives back the signals that have completed entries without the program's knowledge."""
    for row in rows:
        if row.kind == EntryKind.SIGNAL and row.signal and row.completion > seen:
            assert row.outcome is not None
            keep_signal(tx, invocation, (row.signal, row.name, row.outcome))


def _remove_journal(tx: Transaction, invocation: Invocation, next_index: int) -> None:
    """Removes the journal, and lets the next one begin after it."""
    last = max(invocation.recorded, default=-1)
    invocation.first_index = max(invocation.first_index, next_index, last + 1)
    if not invocation.recorded:
        return
    tx.changes.drop_journal(invocation.number)
    if invocation.number not in tx.changes.created:
        tx.changes.journals_removed.add(invocation.number)
    invocation.recorded = {}
    invocation.opened = {}
    invocation.journal_bytes = 0


def _replace_input(tx: Transaction, invocation: Invocation, given: bytes | None) -> None:
    """Gives the invocation its new input, and keeps what is needed to recognize the first one."""
    if not invocation.first_input:
        invocation.first_input = input_digest(invocation.input)
    if given != invocation.input:
        invocation.input = given
        tx.changes.inputs[invocation.number] = given
