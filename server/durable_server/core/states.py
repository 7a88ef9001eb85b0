"""How an invocation moves: one table, and the only place that decides it.

Two rules keep the rest simple. First, what is not in the table is an error: there is no default and
no second place that knows a transition. Second, the table knows nothing of workers, timers or
retries; the machine turns what happened into an Event and lets the table say where that leads.

    SCHEDULED ──DUE──► PENDING ──START──► RUNNING ──COMPLETE──► COMPLETED
                          ▲  ▲               │ ├──────FAIL────► FAILED
                          │  └───RELEASE─────┤ └──BACK_OFF────► BACKING_OFF ──DUE──► PENDING
                          └──WAKE── SUSPENDED◄┘

    any of these but the last two ──PAUSE──► PAUSED ──RESUME──► PENDING (or SCHEDULED by POSTPONE)
    any of these but the last two ──CANCEL──► CANCELLED

RELEASE is an attempt that ends without a verdict: its worker is lost or gives it back. HOLD is a
pause, by a person or by the system: a journal that does not fit the program, or attempts used up
under a policy that pauses. FAIL happens outside of RUNNING to what runs out of time before it has
begun. If you add a state, add its word to `invocation.proto` and its row here; `test_rules` fails
until each pair of state and event is either listed or refused on purpose.
"""

from __future__ import annotations

from enum import Enum

from .model import State


class Event(Enum):
    """What can happen to an invocation's state."""

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
"""States that never change again."""

COLD = FINAL | {State.SCHEDULED, State.SUSPENDED, State.BACKING_OFF, State.PAUSED}
"""States in which an invocation need not be in memory: something outside must happen first."""

SETTLED = FINAL | {State.PAUSED}
"""States that an invocation does not leave by itself: a wait for a result ends here."""


class TransitionError(Exception):
    """The table has no row for this: a defect of the machine, never of a user."""


def after(state: State, event: Event) -> State:
    """Returns the state that `event` leads to; raises TransitionError when there is no such row."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise TransitionError(f"{event.value!r} cannot happen in state {state.name}") from None
