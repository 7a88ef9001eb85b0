"""The effects: what the processor must do after a batch, outside of the core.

`apply.Output` says when and in which order. Effects refer to invocations as they are after the whole
batch, so they are carried out at once and never kept.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .model import Invocation


class Dispatch(NamedTuple):
    """Send an attempt to the worker that owns it."""

    invocation: Invocation


class Acknowledge(NamedTuple):
    """Tell a worker that an entry is in the log."""

    worker_id: str
    invocation_id: str
    attempt: int
    entry_index: int
    completion: int
    time_ms: int
    """When the entry was recorded; 0 if that was in an earlier batch, so the store has the time."""
    number: int
    """The invocation's number, to look the entry up in the store."""


class Complete(NamedTuple):
    """Tell a worker that an open entry of its attempt is complete."""

    worker_id: str
    invocation_id: str
    attempt: int
    entry_index: int
    outcome: bytes
    completion: int
    time_ms: int


class RequestPause(NamedTuple):
    """Ask a worker to stop an attempt, because a pause was requested."""

    worker_id: str
    invocation_id: str
    attempt: int


class RequestCancel(NamedTuple):
    """Tell the worker that cancellation of the invocation was requested."""

    invocation: Invocation


class Abandon(NamedTuple):
    """Tell a worker that it does not own an attempt any more."""

    worker_id: str
    invocation_id: str
    attempt: int
    reason: str


class Free(NamedTuple):
    """Free the slot of a worker that does not own an attempt any more."""

    worker_id: str
    invocation_id: str
    attempt: int
    suspended: bool = False
    """Whether the attempt was suspended; then the worker waits for the confirmation."""


class Ready(NamedTuple):
    """Let the dispatcher choose a worker for a PENDING invocation."""

    invocation: Invocation


class SetTimer(NamedTuple):
    """Propose TimerFired(invocation_id, entry_index) at this time."""

    due_ms: int
    invocation_id: str
    entry_index: int


class Changed(NamedTuple):
    """Tell the subscribers of an invocation that its lifecycle state changed."""

    invocation: Invocation


class Rerouted(NamedTuple):
    """Let the dispatcher choose anew for all that waits, because builds or routes have changed."""


Effect: TypeAlias = (
    Dispatch
    | Acknowledge
    | Complete
    | RequestPause
    | RequestCancel
    | Abandon
    | Free
    | Ready
    | SetTimer
    | Changed
    | Rerouted
)
