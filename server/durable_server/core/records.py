"""The records: the facts that the log holds, each with everything that is needed to apply it.

They are applied in the order of the log. Ids and random numbers are in the record, because the leader
that proposed it put them there. The time is that of the batch, and all records of a batch share it.

Old logs are read by new code, so:
- the number of a record in `NUMBERS` never changes, and the number of a removed record is not reused;
- a new field comes at the end and has a default; no field is removed, reordered or given a new meaning.

New logs are read by old code too, while a cluster is upgraded node by node: `levels` says when a new
kind or field may be used.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from .messages import Message
from .model import Failure, Handler

WAKE = -1
"""In place of an entry's index: the timer of a delayed start, or of the end of a backoff."""
DEADLINE = -2
"""In place of an entry's index: the timer of the handler's timeout."""


class EpochStarted(NamedTuple):
    """A leader took over; it wrote every record between this one and the next EpochStarted."""

    epoch: int
    leader: str


class HandlerRegistered(NamedTuple):
    """A worker declared a new handler, or a known one differently."""

    handler: Handler


class Invoked(NamedTuple):
    """A client requested an invocation; if the id is known, the request attaches to that invocation."""

    invocation_id: str
    handler: str
    input: bytes | None
    key: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    partition_key: str = ""
    idempotency_key: str = ""
    start_ms: int = 0
    """The earliest time of its first attempt; 0 for at once."""
    parent: str = ""
    priority: int = 0


class Started(NamedTuple):
    """The dispatcher gave an attempt to a worker."""

    invocation_id: str
    attempt: int
    worker_id: str
    version: str = ""
    """The handler version that this worker runs."""
    build_id: str = ""
    """The build that this worker runs."""
    pinned: bool = False
    """Whether the handler is pinned there."""


class EntryRecorded(NamedTuple):
    """A worker recorded a journal entry, with the outcome if the worker made it."""

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
    """How long a step took, as the worker measured it; 0 if it did not."""
    schema: str = ""
    """AWAKEABLE, SIGNAL: the JSON Schema of the value that the program reads; empty for any value."""
    renew: bool = False
    """AWAKEABLE: remove the outcome that the awakeable has, and wait for another one."""
    refused: str = ""
    """RESOLVE: why the value does not fit the schema there, in which case nothing is resolved. For
    an awakeable or a signal's target in another partition see `SendSignal.refused`."""


class Finished(NamedTuple):
    """A handler returned, or failed for good if `failure` is set."""

    invocation_id: str
    attempt: int
    outcome: bytes
    failure: Failure | None = None


class FailedStep(NamedTuple):
    """A step that failed beside the one that an AttemptFailed names."""

    entry_index: int
    kind: int
    """RUN or CALL."""
    name: str
    failure: Failure


class AttemptFailed(NamedTuple):
    """An attempt failed and may be retried."""

    invocation_id: str
    attempt: int
    failure: Failure
    chance: float
    """Between 0 and 1, for the jitter."""
    retry_ms: int = -1
    """The delay that the worker decided on; -1 for the policy's."""
    entry_index: int = -1
    """The index of the step that failed; -1 for a failure of the program itself."""
    kind: int = 0
    """The kind of that step, RUN or CALL."""
    name: str = ""
    """The name of that step."""
    other_steps: tuple[FailedStep, ...] = ()
    """Steps that failed too while the attempt waited for those that ran beside the first."""


class AttemptHeld(NamedTuple):
    """A worker cannot continue an attempt: a person must look at it first."""

    invocation_id: str
    attempt: int
    failure: Failure


class AttemptReleased(NamedTuple):
    """An attempt ended without a result: its worker gave it back, or is lost."""

    invocation_id: str
    attempt: int
    lost: bool = False
    chance: float = 0.0


class SuspendAsked(NamedTuple):
    """A worker that has seen `completion` completions asks to suspend an attempt that only waits."""

    invocation_id: str
    attempt: int
    completion: int


class TimerFired(NamedTuple):
    """A timer is due: an entry's, or the invocation's WAKE or DEADLINE."""

    invocation_id: str
    entry_index: int = WAKE


class Resumed(NamedTuple):
    """A client resumes an invocation."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class Removed(NamedTuple):
    """The retention of an ended invocation is over, or a client removes it."""

    invocation_id: str


class PauseAsked(NamedTuple):
    """A client pauses an invocation."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class AttemptPaused(NamedTuple):
    """A worker stopped an attempt because a pause was requested."""

    invocation_id: str
    attempt: int


class CancelAsked(NamedTuple):
    """A client cancels an invocation."""

    invocation_id: str
    reason: str = ""
    identity: str = ""
    request_id: str = ""
    force: bool = False


class Signalled(NamedTuple):
    """A client sends a signal to an invocation."""

    invocation_id: str
    name: str
    outcome: bytes
    request_id: str = ""
    limit: int = 1000
    """How many signals the invocation may keep."""


class AwakeableResolved(NamedTuple):
    """A client resolves an awakeable."""

    awakeable_id: str
    outcome: bytes
    limit: int = 10_000
    """How many awakeables may be resolved before an entry waits for them."""
    request_id: str = ""
    webhook_id: str = ""
    """The webhook through which the outcome came; empty for none."""


class AwakeableExpired(NamedTuple):
    """No entry has waited for an awakeable that is resolved or has revoked webhooks, for its time."""

    awakeable_id: str


class Restarted(NamedTuple):
    """A client restarts an invocation: a new one gets the beginning of its journal."""

    invocation_id: str
    source_id: str
    from_index: int = 0
    input: bytes | None = None
    """The new invocation's input; None for that of the old one."""
    outcomes: tuple[tuple[int, bytes], ...] = ()
    """Other outcomes of the entries that are copied, by index."""
    while_running: bool = False
    """Whether the old invocation may be one that goes on by itself."""


class StateEdited(NamedTuple):
    """A client edits the state of an object key."""

    owner: str
    values: tuple[tuple[str, bytes | None], ...]
    """Names with their new values; None removes one."""
    clear_all: bool = False
    request_id: str = ""


class Received(NamedTuple):
    """Another partition has sent messages."""

    source: int
    """The partition that has sent them."""
    first: int
    """The number of the first one; the others follow without gaps."""
    messages: tuple[Message, ...]


class OutboxAcknowledged(NamedTuple):
    """Another partition has the messages up to a number in its log."""

    destination: int
    sequence: int


class LevelRaised(NamedTuple):
    """From here on the log may hold what this format level has (see `levels`); it never falls."""

    level: int
    version: str
    """The version of the leader that has raised it, for people."""


class WebhookRevoked(NamedTuple):
    """A client revokes one webhook of an awakeable, or all of them."""

    awakeable_id: str
    webhook_id: str = ""
    """Empty for all webhooks of the awakeable, also those that are made later."""
    limit: int = 100
    """How many webhooks of an awakeable may be revoked one by one."""
    early_limit: int = 10_000
    """As `AwakeableResolved.limit`."""


class DeploymentRegistered(NamedTuple):
    """A worker of a build has registered, for the first time or with other handlers.

    Only in partition 0, which tells the others, as for the records about builds below.
    """

    build_id: str
    handlers: tuple[str, ...]
    """By name."""
    in_use: tuple[str, ...] = ()
    """Builds that must not be forgotten in its place, because they have workers or invocations."""


class BuildPromoted(NamedTuple):
    """A client makes a build the current one of handlers, or gives it a share of new invocations."""

    build_id: str
    handlers: tuple[str, ...] = ()
    """For these of its handlers only; empty for all."""
    percent: int = 100
    automatic: bool = False
    """Whether the routes of the handlers are forgotten instead."""
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class BuildRolledBack(NamedTuple):
    """A client takes the last promotion of a build back."""

    build_id: str
    handlers: tuple[str, ...] = ()
    """For these handlers only; empty for all."""
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class BuildDrained(NamedTuple):
    """A client lets a build have no new invocations, or takes that back."""

    build_id: str
    draining: bool = True
    reason: str = ""
    identity: str = ""


class Repinned(NamedTuple):
    """A client moves an invocation to another build."""

    invocation_id: str
    build_id: str
    """The build that it is pinned to from here on; empty for none."""
    reason: str = ""
    identity: str = ""
    request_id: str = ""


class Continued(NamedTuple):
    """A program continues as new: its run ends, and another one begins with an empty journal."""

    invocation_id: str
    attempt: int
    input: bytes | None
    completion: int
    """The number of the last completion that the program has got."""
    next_index: int
    """The index that the program's next operation would have had."""


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
    | Received
    | OutboxAcknowledged
    | LevelRaised
    | WebhookRevoked
    | DeploymentRegistered
    | BuildPromoted
    | BuildRolledBack
    | BuildDrained
    | Repinned
    | Continued
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
    Received: 22,
    OutboxAcknowledged: 23,
    LevelRaised: 24,
    WebhookRevoked: 25,
    DeploymentRegistered: 26,
    BuildPromoted: 27,
    BuildRolledBack: 28,
    BuildDrained: 29,
    Repinned: 30,
    Continued: 31,
}
"""The number of each record type in the log."""
