"""The journal: records an entry, and runs the rule of its kind.

An entry is recorded once. A second record with the same index comes from a worker that did not get the
first acknowledgement, and is only acknowledged again. RUN and CALL come with the outcome that the
worker made. Every other entry is completed by the control plane: in the same record (state, sends,
resolutions), or later, when what the entry waits for happens.

`entry_kinds.KINDS` has the facts about each kind, `ENTRY_RULES` what a kind does once it is recorded.
"""

from __future__ import annotations

from . import awakeables, children, object_state, resolutions, signals
from .effects import Acknowledge, SetTimer
from .entry_kinds import KINDS, KindFacts
from .model import UNNUMBERED, EntryRow, Invocation
from .records import EntryRecorded
from .replies import Reply
from .step_failures import failed_tries
from .transaction import EntryRule, Transaction
from .transitions import owned

ENTRY_RULES: dict[int, EntryRule] = {
    **object_state.ENTRY_RULES,
    **awakeables.ENTRY_RULES,
    **signals.ENTRY_RULES,
    **resolutions.ENTRY_RULES,
    **children.ENTRY_RULES,
}


def entry_recorded(tx: Transaction, record: EntryRecorded) -> Reply:
    """Adds an entry to the journal of the attempt that its worker owns."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    index = record.entry_index
    facts = KINDS[record.kind]
    by_worker = facts.by_worker
    completion = invocation.recorded.get(index)
    if completion is not None:
        # If the control plane has completed the entry since, the worker also gets a Complete.
        tx.effects.append(_acknowledge(invocation, index, completion if by_worker else 0, 0))
        return None
    now_ms = tx.now_ms
    if by_worker:
        completion = invocation.completions = invocation.completions + 1
    elif facts.at_once or facts.writes_state or (facts.reads_state and record.outcome is not None):
        completion = UNNUMBERED
    else:
        completion = 0
    failures_before = 0
    if invocation.step_failures and by_worker:
        failures_before = failed_tries(invocation, index)
    invocation.recorded[index] = completion
    _note_progress(tx, invocation, index)
    due_ms = now_ms + record.delay_ms if facts.is_timer else 0
    row = EntryRow(
        index,
        record.kind,
        record.name,
        record.argument,
        record.outcome if completion else None,
        completion,
        _begin_ms(invocation, record, now_ms) if by_worker else now_ms,
        now_ms if completion else 0,
        due_ms,
        _target_id(tx, invocation, record, facts),
        record.attempt,
        failed_tries=failures_before,
        schema=record.schema if facts.keeps_schema else "",
    )
    tx.changes.entries.append((invocation.number, row))
    invocation.journal_bytes += row.size
    tx.effects.append(_acknowledge(invocation, index, max(completion, 0), now_ms))
    if due_ms:
        tx.effects.append(SetTimer(due_ms, invocation.id, index))
    rule = ENTRY_RULES.get(record.kind)
    if rule is not None:
        rule(tx, invocation, record, row)
    return None


def _begin_ms(invocation: Invocation, record: EntryRecorded, now_ms: int) -> int:
    """Returns when a step began, within bounds: the worker measures the duration and may be wrong."""
    return min(max(now_ms - record.elapsed_ms, invocation.created_ms), now_ms)


def _target_id(
    tx: Transaction, invocation: Invocation, record: EntryRecorded, facts: KindFacts
) -> str:
    """Returns what an entry is about: an invocation, or the build that has recorded a patch."""
    if facts.starts_invocation:
        return children.child_id(tx, invocation, record)
    if facts.names_entry and record.target.startswith("#"):
        return children.cancelled_id(tx, invocation, record)
    if facts.names_build:
        return invocation.attempt_build
    return record.target


def _acknowledge(invocation: Invocation, index: int, completion: int, now_ms: int) -> Acknowledge:
    return Acknowledge(
        invocation.worker_id,
        invocation.id,
        invocation.attempt,
        index,
        completion,
        now_ms,
        invocation.number,
    )


def _note_progress(tx: Transaction, invocation: Invocation, index: int) -> None:
    """Resets what counts failures in a row, and notes that the present version writes the journal."""
    if invocation.recorded_by:
        invocation.recorded_by = ""
        tx.changes.touch(invocation)
    if invocation.failures:
        invocation.failures = invocation.failing_ms = 0
        tx.changes.touch(invocation)
    if invocation.step_failures:
        invocation.step_failures = tuple(
            it for it in invocation.step_failures if it.entry_index != index
        )
        tx.changes.touch(invocation)
