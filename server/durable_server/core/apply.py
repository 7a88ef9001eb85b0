"""What each record does: `apply(partition, record, now_ms, effects) -> reply`.

One function for each record, none longer than a screen, in the module that its subject has:

    lifecycle   acceptance, attempts, timers, the end
    journal     entries: what each kind does
    outside     signals, awakeables, edits of state
    steering    pause, resume, cancel, restart, remove
    moves       what they share; turns: object keys

A function looks at the state, lets the table in `states` decide where an event leads, notes what the
store must write in `partition.changes`, and appends what must be done to `effects`. It returns a
reply only for records that someone waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import journal, lifecycle, outside, steering
from .partition import Partition
from .records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    AwakeableExpired,
    AwakeableResolved,
    CancelAsked,
    EntryRecorded,
    EpochStarted,
    Finished,
    HandlerRegistered,
    Invoked,
    PauseAsked,
    Record,
    Removed,
    Restarted,
    Resumed,
    Signalled,
    Started,
    StateEdited,
    SuspendAsked,
    TimerFired,
)
from .replies import Reply
from .transitions import Effects


def apply(partition: Partition, record: Record, now_ms: int, effects: Effects) -> Reply:
    """Applies one record; appends to `effects`; returns the reply to whoever proposed it."""
    return _APPLY[type(record)](partition, record, now_ms, effects)


def _epoch_started(
    partition: Partition, record: EpochStarted, _now_ms: int, _effects: Effects
) -> Reply:
    partition.epoch = record.epoch
    return None


def _handler_registered(
    partition: Partition, record: HandlerRegistered, now_ms: int, _effects: Effects
) -> Reply:
    partition.handlers[record.handler.name] = record.handler
    partition.changes.handlers.append((record.handler, now_ms))
    return None


# The key decides the type of the record, which a dict's type cannot say.
_APPLY: dict[type[Record], Callable[[Partition, Any, int, Effects], Reply]] = {
    EpochStarted: _epoch_started,
    HandlerRegistered: _handler_registered,
    Invoked: lifecycle.invoked,
    Started: lifecycle.started,
    EntryRecorded: journal.entry_recorded,
    Finished: lifecycle.finished,
    AttemptFailed: lifecycle.attempt_failed,
    AttemptHeld: lifecycle.attempt_held,
    AttemptReleased: lifecycle.attempt_released,
    SuspendAsked: lifecycle.suspend_asked,
    TimerFired: lifecycle.timer_fired,
    Resumed: steering.resumed,
    Removed: steering.removed,
    PauseAsked: steering.pause_asked,
    AttemptPaused: steering.attempt_paused,
    CancelAsked: steering.cancel_asked,
    Signalled: outside.signalled,
    AwakeableResolved: outside.awakeable_resolved,
    AwakeableExpired: outside.awakeable_expired,
    Restarted: steering.restarted,
    StateEdited: outside.state_edited,
}
