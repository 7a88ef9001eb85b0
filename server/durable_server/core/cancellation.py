"""Cancellation: requesting that an invocation ends, and ending it by force.

A cancellation is a request to the handler, which may run compensations before it ends. The request is
numbered among the invocation's completions, so that each replay sees it at the same place. An
invocation that has not begun ends at once. So does any invocation that is cancelled by force, together
with the children that it awaits: its handler is not run again and cannot cancel them.

A timeout of the handler is the same request, made by the control plane; it ends the invocation as
FAILED instead of CANCELLED.
"""

from __future__ import annotations

from .attempts import end_attempt
from .dedup import done, subject_or_reply
from .effects import Abandon, RequestCancel
from .entry_kinds import EntryKind
from .messages import CancelInvocation
from .model import Invocation, State
from .outcomes import make_failure, terminal_outcome
from .records import CancelAsked
from .replies import Refused, Reply
from .signals import GIVEN_UP_OUTCOME
from .states import FINAL, Event
from .transaction import Transaction
from .transitions import answer, change_state, clear_pause, end, make_ready

CANCELLED = "durable.Cancelled"
"""The type of the failure of a handler that ended because it was cancelled."""
TIMED_OUT = "durable.TimedOut"
"""The type of the failure of an invocation that did not end within its handler's timeout."""

_WAKING_EVENTS = {
    State.SCHEDULED: Event.DUE,
    State.SUSPENDED: Event.WAKE,
    State.BACKING_OFF: Event.DUE,
    State.PAUSED: Event.RESUME,
}
"""The event that lets an attempt begin at once, so that the handler gets the request."""


def cancel_asked(tx: Transaction, record: CancelAsked) -> Reply:
    """Requests the end of an invocation, or ends it by force."""
    invocation = subject_or_reply(tx, record)
    if not isinstance(invocation, Invocation):
        return invocation
    if invocation.state in FINAL and invocation.state is not State.CANCELLED:
        return Refused(invocation)
    if invocation.state is not State.CANCELLED:
        if record.force:
            _cancel_by_force(tx, invocation, record.reason, record.identity)
        else:
            request_cancel(tx, invocation, record.reason, record.identity)
    return done(tx, invocation, record.request_id)


def request_cancel(tx: Transaction, invocation: Invocation, reason: str, identity: str) -> None:
    """Requests that an invocation ends; a second request has no further effect."""
    if invocation.cancel_ms:
        return
    invocation.cancel_ms = tx.now_ms
    invocation.cancel_reason = reason
    invocation.cancel_identity = identity
    invocation.deadline_ms = 0
    tx.changes.touch(invocation)
    if not invocation.attempt and not invocation.recorded:
        _end_cancelled(tx, invocation)
        return
    invocation.completions += 1
    invocation.cancel_number = invocation.completions
    clear_pause(invocation)
    if invocation.state is State.RUNNING:
        tx.effects.append(RequestCancel(invocation))
        return
    event = _WAKING_EVENTS.get(invocation.state)
    if event is not None:
        invocation.wake_ms = 0
        change_state(tx, invocation, event)
        make_ready(tx, invocation)


def _cancel_by_force(tx: Transaction, invocation: Invocation, reason: str, identity: str) -> None:
    """Ends an invocation and the children that it awaits, without running their handlers."""
    if invocation.worker_id:
        why = "it was cancelled by force"
        tx.effects.append(Abandon(invocation.worker_id, invocation.id, invocation.attempt, why))
        end_attempt(tx, invocation, None)
    invocation.cancel_ms = tx.now_ms
    invocation.cancel_reason = reason
    invocation.cancel_identity = identity
    invocation.timed_out = False
    children = [it.target for it in invocation.opened.values() if it.kind == EntryKind.INVOKE]
    _end_cancelled(tx, invocation)
    for child_id in children:
        request = CancelInvocation(child_id, reason, identity, invocation.id, force=True)
        tx.deliver(tx.partition_of(child_id), request, cancel_invocation)


def cancel_invocation(tx: Transaction, message: CancelInvocation) -> None:
    """Requests the cancellation of an invocation for another one.

    An entry that was given up ends at once if another invocation had started what it waits for,
    because that is not cancelled.
    """
    target = tx.find(message.target)
    if target is None:
        return
    if message.parent and target.parent != message.parent:
        if message.entry_index >= 0:
            answer(tx, message.parent, message.entry_index, GIVEN_UP_OUTCOME, target.id)
    elif target.state not in FINAL:
        request = _cancel_by_force if message.force else request_cancel
        request(tx, target, message.reason, message.identity)


def _end_cancelled(tx: Transaction, invocation: Invocation) -> None:
    """Ends an invocation whose cancellation was requested, without running its handler."""
    kind, event = CANCELLED, Event.CANCEL
    if invocation.timed_out:
        kind, event = TIMED_OUT, Event.FAIL
    invocation.failure = make_failure(kind, invocation.cancel_reason or "cancelled")
    clear_pause(invocation)
    end(tx, invocation, event, terminal_outcome(invocation.failure))
