"""What must be done after a batch: the machine's output.

The ordering laws, which the processor keeps:
- nothing here happens before the batch is in the log AND the store's transaction is committed;
- effects happen in the order in which the machine gave them;
- only the leader does them; whoever replays the log throws them away.

They hold references to invocations as they are after the whole batch, so they are to be carried out
at once and not to be kept.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .model import Invocation


class Dispatch(NamedTuple):
    """Send the attempt to the worker that owns it."""

    invocation: Invocation


class Acknowledge(NamedTuple):
    """Tell the worker that an entry is in the log."""

    worker_id: str
    invocation_id: str
    attempt: int
    entry_index: int
    completion: int
    time_ms: int
    """0 when the entry was recorded earlier: then the store knows the time."""
    number: int
    """The invocation's number, to look the entry up."""


class Complete(NamedTuple):
    """Tell the worker that one of its open entries has ended."""

    worker_id: str
    invocation_id: str
    attempt: int
    entry_index: int
    outcome: bytes
    completion: int
    time_ms: int


class RequestPause(NamedTuple):
    """Ask the worker to hold the attempt."""

    worker_id: str
    invocation_id: str
    attempt: int


class RequestCancel(NamedTuple):
    """Tell the worker that the invocation's end is asked for."""

    invocation: Invocation


class Abandon(NamedTuple):
    """Tell the worker that the attempt is not its own any more."""

    worker_id: str
    invocation_id: str
    attempt: int
    reason: str


class Free(NamedTuple):
    """The worker does not own the attempt any more; its slot is free."""

    worker_id: str
    invocation_id: str
    attempt: int
    suspended: bool = False
    """True: the worker waits to be told that the attempt is suspended."""


class Ready(NamedTuple):
    """The invocation waits for a worker now."""

    invocation: Invocation


class SetTimer(NamedTuple):
    """Propose TimerFired(invocation_id, index) at this time; see TimerFired for indexes."""

    due_ms: int
    invocation_id: str
    entry_index: int


class Changed(NamedTuple):
    """The invocation's state changed: tell those who wait for it or watch it."""

    invocation: Invocation


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
)
