"""Steering: pause, resume and remove, which people or the retention ask for.

Pausing a RUNNING invocation takes two records. First its worker is asked; it lets the steps in flight
end and answers that it has stopped (`AttemptPaused`). Until then the invocation stays RUNNING with
`pause_ms` set, and if the attempt ends in another way without a result, the invocation is PAUSED as
well. A resume or a cancellation that comes in between only clears `pause_ms`. When the worker's
answer then comes, no pause is requested any more, and the invocation goes to another worker.
"""

from __future__ import annotations

from .attempts import end_attempt
from .dedup import done, subject_or_reply
from .effects import Changed, RequestPause, SetTimer
from .model import AttemptEnd, Invocation, State
from .records import WAKE, AttemptPaused, PauseAsked, Removed, Resumed
from .replies import Done, Missing, Refused, Reply
from .states import FINAL, Event
from .transaction import Transaction
from .transitions import (
    change_state,
    clear_pause,
    make_ready,
    owned,
    pause_if_requested,
    release,
    release_awakeables,
)


def pause_asked(tx: Transaction, record: PauseAsked) -> Reply:
    """Pauses an invocation, or asks the worker that runs it to stop."""
    invocation = subject_or_reply(tx, record)
    if not isinstance(invocation, Invocation):
        return invocation
    if invocation.state in FINAL:
        return Refused(invocation)
    if invocation.state is not State.PAUSED and not invocation.pause_ms:
        invocation.pause_ms = tx.now_ms
        invocation.pause_reason = record.reason
        invocation.pause_identity = record.identity
        tx.changes.touch(invocation)
        if invocation.state is State.RUNNING:
            tx.effects.append(RequestPause(invocation.worker_id, invocation.id, invocation.attempt))
            tx.effects.append(Changed(invocation))
        else:
            change_state(tx, invocation, Event.PAUSE)
    return done(tx, invocation, record.request_id)


def attempt_paused(tx: Transaction, record: AttemptPaused) -> Reply:
    """Pauses an attempt that its worker has stopped, or releases it if that is not wanted any more."""
    invocation = owned(tx, record.invocation_id, record.attempt)
    if invocation is None:
        return None
    wanted = bool(invocation.pause_ms)
    end_attempt(tx, invocation, AttemptEnd.PAUSED if wanted else AttemptEnd.RELEASED)
    if not pause_if_requested(tx, invocation):
        release(tx, invocation)
    return None


def resumed(tx: Transaction, record: Resumed) -> Reply:
    """Lets a paused invocation go on, ends a backoff early, or takes back the request for a pause."""
    invocation = subject_or_reply(tx, record)
    if not isinstance(invocation, Invocation):
        return invocation
    if invocation.state is State.BACKING_OFF:
        # The failures so far still count: the attempt only begins earlier.
        invocation.wake_ms = 0
        change_state(tx, invocation, Event.DUE)
        make_ready(tx, invocation)
        return done(tx, invocation, record.request_id)
    if not invocation.pause_ms or invocation.state in FINAL:
        return Refused(invocation)
    clear_pause(invocation)
    tx.changes.touch(invocation)
    if invocation.state is State.PAUSED:
        invocation.failures = invocation.failing_ms = 0
        invocation.step_failures = ()
        if not invocation.attempt and invocation.wake_ms > tx.now_ms:
            change_state(tx, invocation, Event.POSTPONE)
            tx.effects.append(SetTimer(invocation.wake_ms, invocation.id, WAKE))
        else:
            invocation.wake_ms = 0
            change_state(tx, invocation, Event.RESUME)
            make_ready(tx, invocation)
    return done(tx, invocation, record.request_id)


def removed(tx: Transaction, record: Removed) -> Reply:
    """Removes an invocation that has ended, with everything that belongs to it."""
    invocation = tx.find(record.invocation_id)
    if invocation is None:
        return Missing()
    if invocation.state not in FINAL:
        return Refused(invocation)
    if invocation.claims:
        release_awakeables(tx, invocation, removed=True)
    del tx.invocations[invocation.id]
    tx.changes.remove(invocation)
    tx.effects.append(Changed(invocation))
    return Done(invocation, invocation.state)
