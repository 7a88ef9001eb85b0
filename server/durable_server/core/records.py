"""What the log holds: one record for each thing that happened, in the order in which it counts.

A record is a fact with everything that applying it needs: ids, and whatever came from a clock or
from chance, were put in by the leader when it proposed. The batch that carries records has the one
clock reading that they share.

Rules for changing this file, because old logs are read by new code:
- a record's number in `NUMBERS` is for ever; a dead one is not reused;
- fields are added at the end and with a default; none is removed, reordered or given a new meaning.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .model import Fault, Handler


class EpochStarted(NamedTuple):
    """A leader begins; every record after it in the log is its own."""

    epoch: int
    leader: str


class HandlerRegistered(NamedTuple):
    """A worker declared a handler that was unknown or different before."""

    handler: Handler


class Invoked(NamedTuple):
    """Someone asks for an invocation. A known id attaches to what is there."""

    invocation_id: str
    handler: str
    input: bytes | None
    key: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    partition_key: str = ""
    idempotency_key: str = ""
    start_ms: int = 0
    """Not before this time; 0 for at once."""
    parent: str = ""
    priority: int = 0


class Started(NamedTuple):
    """The leader gave an attempt to a worker."""

    invocation_id: str
    attempt: int
    worker_id: str
    version: str = ""
    """The handler version that this worker runs."""


class EntryRecorded(NamedTuple):
    """A worker's journal entry, with its outcome when the worker made it."""

    invocation_id: str
    attempt: int
    position: int
    kind: int
    name: str
    outcome: bytes | None = None
    argument: bytes | None = None
    delay_ms: int = 0
    target: str = ""


class Finished(NamedTuple):
    """The handler ended; with a failure when `fault` is set."""

    invocation_id: str
    attempt: int
    outcome: bytes
    fault: Fault | None = None


class AttemptFailed(NamedTuple):
    """An attempt failed and may be repeated."""

    invocation_id: str
    attempt: int
    fault: Fault
    chance: float
    """Between 0 and 1, for the jitter."""
    retry_ms: int = -1
    """The worker's own wish for the delay; -1 for the policy's."""


class AttemptHeld(NamedTuple):
    """An attempt cannot go on until a person has looked at it."""

    invocation_id: str
    attempt: int
    fault: Fault


class AttemptReleased(NamedTuple):
    """An attempt ended without a verdict: given back, or its worker is lost."""

    invocation_id: str
    attempt: int
    lost: bool = False
    chance: float = 0.0


class SuspendAsked(NamedTuple):
    """A worker says that the attempt only waits, having seen `completion` completions."""

    invocation_id: str
    attempt: int
    completion: int


class TimerFired(NamedTuple):
    """A time has come: an entry's, or with index -1 the invocation's own wake time."""

    invocation_id: str
    position: int = -1


class Resumed(NamedTuple):
    """Someone lets a paused invocation go on."""

    invocation_id: str
    reason: str = ""
    identity: str = ""


class Removed(NamedTuple):
    """A finished invocation's retention is over."""

    invocation_id: str


Record: TypeAlias = (
    EpochStarted
    | HandlerRegistered
    | Invoked
    | Started
    | EntryRecorded
    | Finished
    | AttemptFailed
    | AttemptHeld
    | AttemptReleased
    | SuspendAsked
    | TimerFired
    | Resumed
    | Removed
)

NUMBERS: dict[type[Record], int] = {
    EpochStarted: 1,
    HandlerRegistered: 2,
    Invoked: 3,
    Started: 4,
    EntryRecorded: 5,
    Finished: 6,
    AttemptFailed: 7,
    AttemptHeld: 8,
    AttemptReleased: 9,
    SuspendAsked: 10,
    TimerFired: 11,
    Resumed: 12,
    Removed: 13,
}
"""Each record's number in the log."""
