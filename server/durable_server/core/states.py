"""The lifecycle table: which state each event leads to; no other place decides a transition.

A pair of state and event that is not in the table is an error. The table knows nothing of workers,
timers or retries: the rules turn a record into an event, and the table says which state follows.

    SCHEDULED ──DUE──► PENDING ──START──► RUNNING ──COMPLETE──► COMPLETED
                          ▲  ▲               │ ├──────FAIL────► FAILED
                          │  └───RELEASE─────┤ └──BACK_OFF────► BACKING_OFF ──DUE──► PENDING
                          └──WAKE── SUSPENDED◄┘

    any state that is not final ──PAUSE───► PAUSED ──RESUME──► PENDING (or SCHEDULED by POSTPONE)
    any state that is not final ──CANCEL──► CANCELLED

RELEASE ends an attempt without a result: its worker is lost or gives it back. PAUSE is a pause by a
person, or by the control plane (then the invocation is *held*): the journal does not fit the program,
or the attempts are used up under a policy that pauses. FAIL outside of RUNNING is a timeout of an
invocation that has not begun. If you add a state, add its number to `invocation.proto` and to `State`,
and its row here; `test_rules` fails until the table has a row for each state.
"""

from __future__ import annotations

from enum import Enum

from .model import State


class Event(Enum):
    """What can happen to an invocation."""

    DUE = "due"
    START = "start"
    COMPLETE = "complete"
    FAIL = "fail"
    BACK_OFF = "back off"
    RELEASE = "release"
    PAUSE = "pause"
    SUSPEND = "suspend"
    WAKE = "wake"
    RESUME = "resume"
    POSTPONE = "postpone"
    CANCEL = "cancel"


_ALWAYS = {Event.PAUSE: State.PAUSED, Event.CANCEL: State.CANCELLED}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.SCHEDULED: {Event.DUE: State.PENDING, Event.FAIL: State.FAILED, **_ALWAYS},
    State.PENDING: {Event.START: State.RUNNING, Event.FAIL: State.FAILED, **_ALWAYS},
    State.RUNNING: {
        Event.COMPLETE: State.COMPLETED,
        Event.FAIL: State.FAILED,
        Event.BACK_OFF: State.BACKING_OFF,
        Event.RELEASE: State.PENDING,
        Event.SUSPEND: State.SUSPENDED,
        **_ALWAYS,
    },
    State.SUSPENDED: {Event.WAKE: State.PENDING, **_ALWAYS},
    State.BACKING_OFF: {Event.DUE: State.PENDING, **_ALWAYS},
    State.PAUSED: {
        Event.RESUME: State.PENDING,
        Event.POSTPONE: State.SCHEDULED,
        Event.FAIL: State.FAILED,
        Event.CANCEL: State.CANCELLED,
    },
    State.COMPLETED: {},
    State.FAILED: {},
    State.CANCELLED: {},
}

FINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
"""States that an invocation never leaves."""

COLD = FINAL | {State.SCHEDULED, State.SUSPENDED, State.BACKING_OFF, State.PAUSED}
"""States that only a record about the invocation ends, so that it need not stay in memory."""

SETTLED = FINAL | {State.PAUSED}
"""States that an invocation does not leave by itself, so that a wait for its result ends there."""


class TransitionError(Exception):
    """The table has no such transition: a defect of the rules, never a mistake of a user."""


def after(state: State, event: Event) -> State:
    """Returns the state that `event` leads to; raises TransitionError if the table has none."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise TransitionError(f"{event.value!r} cannot happen in state {state.name}") from None
