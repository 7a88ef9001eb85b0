"""The nouns: invocations, handlers, retry policies, and what a step or an attempt ended with.

Values that users own (inputs, results, failures) are opaque here: `bytes` that hold a serialized
`durable.v1` message. The rules never look inside, so a payload's encoding can change without them.
Where a rule or a list needs a fact about a value, that fact stands beside it (`Failure.message`).

Times are whole milliseconds since the Unix epoch. Zero means "none" wherever a time may be absent.
The numbers of the enums are those of the public protos and of the log: they never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class State(IntEnum):
    """Where an invocation stands; see `states` for how it moves."""

    SCHEDULED = 1
    PENDING = 2
    RUNNING = 3
    SUSPENDED = 4
    BACKING_OFF = 5
    PAUSED = 6
    COMPLETED = 7
    FAILED = 8
    CANCELLED = 9


class HandlerKind(IntEnum):
    """How invocations of a handler relate to each other."""

    WORKFLOW = 1
    OBJECT_EXCLUSIVE = 2
    OBJECT_SHARED = 3


class RetryPolicy(NamedTuple):
    """How failed attempts are repeated; `retry` holds the arithmetic."""

    initial_ms: int = 200
    multiplier: float = 2.0
    max_ms: int = 60_000
    max_attempts: int = 50
    """All attempts, the first included; -1 for no limit."""
    jitter: float = 0.2
    """The share of a delay that chance decides, 0 to 1."""
    pause_when_exhausted: bool = True
    """Whether an invocation whose attempts are used up is held for a person, or else fails."""
    max_duration_ms: int = 0
    """How long after the first failure in a row no attempt may begin; 0 for no limit."""


DEFAULT_RETENTION_MS = 24 * 3600 * 1000


class Handler(NamedTuple):
    """What a worker declared about a handler."""

    name: str
    kind: int = HandlerKind.WORKFLOW
    retry: RetryPolicy = RetryPolicy()
    retention_ms: int = DEFAULT_RETENTION_MS
    version: str = ""
    input_schema: str = ""
    output_schema: str = ""
    description: str = ""
    timeout_ms: int = 0
    """How long an invocation may take from its start time; 0 for no limit."""
    max_concurrent: int = 0
    """How many of its invocations run at once; 0 for no limit."""


class Failure(NamedTuple):
    """A failure: two facts that lists show, and the serialized `durable.v1.Failure`."""

    type: str
    message: str
    data: bytes


class EntryRow(NamedTuple):
    """A journal entry as the store keeps it."""

    entry_index: int
    kind: int
    name: str
    argument: bytes | None
    """The serialized `durable.v1.Payload` that was asked for."""
    outcome: bytes | None
    """The serialized `durable.v1.Outcome`."""
    completion: int
    """Its number among the invocation's completions, from 1; 0 while it is open, UNNUMBERED when it
    was done as soon as it was recorded."""
    created_ms: int
    completed_ms: int
    due_ms: int
    target: str
    attempt: int
    signal: int = 0
    """The number of the signal that ended it, for a SIGNAL entry; 0 for none, and for one that was
    given back."""
    failed_tries: int = 0
    """For a step or a call, how many of its tries had failed before the one that is recorded."""
    schema: str = ""
    """For a SIGNAL, the JSON Schema of the value that the program reads; empty for any."""

    @property
    def size(self) -> int:
        """The bytes of its values."""
        return len(self.argument or b"") + len(self.outcome or b"")


UNNUMBERED = -1
"""The completion of an entry that has none of its own: a state entry, done with its record."""


class OpenEntry(NamedTuple):
    """What an open entry waits for, where the rules must know it."""

    kind: int
    name: str
    target: str


@dataclass(slots=True)
class Awakeable:
    """A promise that something outside resolves; perhaps before anybody has asked for it."""

    id: str
    invocation_id: str
    """The invocation that it belongs to; empty while it is only resolved."""
    indexes: tuple[int, ...]
    """That invocation's open entries that wait for it."""
    created_ms: int
    resolved_ms: int = 0
    outcome: bytes | None = None
    schema: str = ""
    """The JSON Schema of the value that the invocation reads; empty for any."""
    requests: tuple[str, ...] = ()
    """The ids of the last requests that gave it an outcome, also one that was forgotten since."""


class StepFailures(NamedTuple):
    """The failures of a step that is not in the journal; fields are added at the end."""

    entry_index: int
    times: int
    since_ms: int = 0
    """When the first of them was."""
    kind: int = 0
    """What the entry will be: RUN or CALL; 0 where only the numbers are kept."""
    name: str = ""
    last_ms: int = 0
    """When the last of them was."""
    failure: Failure | None = None
    """The last of them, cut short: type and message."""


@dataclass(slots=True)
class Invocation:
    """All that the rules know of one invocation, as long as it is in memory.

    The journal's values are not here: they are written once, to the store, and read back only for
    a later attempt. `recorded` keeps what the rules need: which indexes exist and which are open.
    """

    id: str
    number: int
    """The order of acceptance within the partition, from 1; the store's key."""
    handler: str
    key: str
    input: bytes | None
    headers: tuple[tuple[str, str], ...]
    service: str
    partition_key: str
    idempotency_key: str
    parent: str
    priority: int
    created_ms: int
    kind: int
    """The handler's kind when the invocation was made."""
    state: State
    attempt: int = 0
    worker_id: str = ""
    """The worker that owns the attempt; empty when none does."""
    failures: int = 0
    """Attempts that failed since the journal last grew."""
    completions: int = 0
    recorded: dict[int, int] = field(default_factory=dict)
    """Entry index -> completion number, 0 while open, UNNUMBERED for one that has none."""
    journal_bytes: int = 0
    """The arguments and outcomes in its journal, together."""
    opened: dict[int, OpenEntry] = field(default_factory=dict)
    """The open entries that wait for a signal or for another invocation."""
    waiters: tuple[tuple[str, int], ...] = ()
    """Entries of other invocations that wait for this one's end: invocation id, index."""
    signals: tuple[tuple[int, str, bytes], ...] = ()
    """Signals that nothing has taken yet, oldest first: number, name, serialized Outcome."""
    signal_count: int = 0
    """How many signals have come: the number of the last one."""
    turn: int = 0
    """Its place among those that want the same object key; 0 when it wants none."""
    started_ms: int = 0
    updated_ms: int = 0
    completed_ms: int = 0
    wake_ms: int = 0
    expire_ms: int = 0
    version: str = ""
    recorded_by: str = ""
    """The version that wrote to the journal last; empty where it is that of the last attempt."""
    outcome: bytes | None = None
    failure: Failure | None = None
    pause_reason: str = ""
    pause_identity: str = ""
    pause_ms: int = 0
    """Since when it is held; in RUNNING, since when that is asked for."""
    cancel_reason: str = ""
    cancel_identity: str = ""
    cancel_ms: int = 0
    """When its end was asked for; 0 if it was not."""
    cancel_number: int = 0
    """The place of that among its completions."""
    timed_out: bool = False
    """Its end was asked for because its time was up."""
    deadline_ms: int = 0
    failing_ms: int = 0
    """When the first of the failures in a row was."""
    step_failures: tuple[StepFailures, ...] = ()
    """The failures of steps that are not in the journal; the one that failed last comes last."""
    requests: tuple[tuple[str, int], ...] = ()
    """The last steering requests that were answered: request id, state after it."""

    @property
    def state_owner(self) -> str:
        """Whose state it reads and writes: its object key's, or its own."""
        if self.kind == HandlerKind.WORKFLOW:
            return self.id
        return object_scope(self.handler.rpartition(".")[0], self.key)


def object_scope(name: str, key: str) -> str:
    """Names an object's key in one string; neither part may contain a NUL."""
    return f"{name}\0{key}"
