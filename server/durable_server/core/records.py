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

from .model import Failure, Handler

WAKE = -1
"""The timer of an invocation's own wake time: a delayed start, or the end of a backoff."""
DEADLINE = -2
"""The timer of an invocation's deadline."""


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
    entry_index: int
    kind: int
    name: str
    outcome: bytes | None = None
    argument: bytes | None = None
    delay_ms: int = 0
    target: str = ""
    idempotency_key: str = ""
    partition_key: str = ""
    elapsed_ms: int = 0
    """How long the worker's own work took, as the worker says; 0 when it does not."""
    schema: str = ""
    """AWAKEABLE, SIGNAL: the JSON Schema of the value that the program reads; empty for any."""
    renew: bool = False
    """AWAKEABLE: forget the outcome that the id has, and wait for another."""
    refused: str = ""
    """RESOLVE: why the value does not fit what is waited for; nothing is resolved then."""


class Finished(NamedTuple):
    """The handler ended; with a failure when `failure` is set."""

    invocation_id: str
    attempt: int
    outcome: bytes
    failure: Failure | None = None


class AttemptFailed(NamedTuple):
    """An attempt failed and may be repeated."""

    invocation_id: str
    attempt: int
    failure: Failure
    chance: float
    """Between 0 and 1, for the jitter."""
    retry_ms: int = -1
    """The worker's own wish for the delay; -1 for the policy's."""
    entry_index: int = -1
    """The step that failed; -1 for a failure of the program itself."""
    kind: int = 0
    """What that step is: RUN or CALL."""
    name: str = ""
    """That step's name."""


class AttemptHeld(NamedTuple):
    """An attempt cannot go on until a person has looked at it."""

    invocation_id: str
    attempt: int
    failure: Failure


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
    """A time has come: an entry's, with WAKE the invocation's own, with DEADLINE its end."""

    invocation_id: str
    entry_index: int = WAKE


class Resumed(NamedTuple):
    """Someone lets a paused invocation go on."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class Removed(NamedTuple):
    """A finished invocation's retention is over."""

    invocation_id: str


class PauseAsked(NamedTuple):
    """Someone wants an invocation to be held."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class AttemptPaused(NamedTuple):
    """A worker has stopped an attempt at a boundary, as it was asked to."""

    invocation_id: str
    attempt: int


class CancelAsked(NamedTuple):
    """Someone wants an invocation to end."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""
    force: bool = False


class Signalled(NamedTuple):
    """A signal for an invocation."""

    invocation_id: str
    name: str
    outcome: bytes
    request_id: str = ""
    limit: int = 1000
    """How many may wait."""


class AwakeableResolved(NamedTuple):
    """Someone gives an awakeable its outcome."""

    awakeable_id: str
    outcome: bytes
    limit: int = 10_000
    """How many may wait for somebody to ask for them."""
    request_id: str = ""


class AwakeableExpired(NamedTuple):
    """Nobody has asked for an awakeable that was resolved early."""

    awakeable_id: str


class Restarted(NamedTuple):
    """A new invocation like an old one, with the beginning of its journal."""

    invocation_id: str
    source_id: str
    from_index: int = 0
    input: bytes | None = None
    """Another input; None for the old one."""


class StateEdited(NamedTuple):
    """Someone outside changes the state of an object's key."""

    owner: str
    values: tuple[tuple[str, bytes | None], ...]
    """Names with new values; None removes one."""
    clear_all: bool = False


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
    | PauseAsked
    | AttemptPaused
    | CancelAsked
    | Signalled
    | AwakeableResolved
    | AwakeableExpired
    | Restarted
    | StateEdited
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
    PauseAsked: 14,
    AttemptPaused: 15,
    CancelAsked: 16,
    Signalled: 17,
    AwakeableResolved: 18,
    AwakeableExpired: 19,
    Restarted: 20,
    StateEdited: 21,
}
"""Each record's number in the log."""
