"""The nouns: invocations, handlers, retry policies, and what a step or an attempt ended with.

Values that users own (inputs, results, failures) are opaque here: `bytes` that hold a serialized
`durable.v1` message. The rules never look inside, so a payload's encoding can change without them.
Where a rule or a list needs a fact about a value, that fact stands beside it (`Fault.message`).

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


class EntryKind(IntEnum):
    """What a journal entry is."""

    RUN = 1
    CALL = 2
    SLEEP = 3
    AWAKEABLE = 4
    GET_STATE = 5
    SET_STATE = 6
    CLEAR_STATE = 7
    STATE_KEYS = 8
    INVOKE = 9
    SEND = 10
    ATTACH = 11
    SIGNAL = 12
    RESOLVE = 13
    CANCEL = 14


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
    pause_when_exhausted: bool = False


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


class Fault(NamedTuple):
    """A failure: two facts that lists show, and the serialized `durable.v1.Failure`."""

    type: str
    message: str
    data: bytes


class EntryRow(NamedTuple):
    """A journal entry as the store keeps it."""

    position: int
    kind: int
    name: str
    argument: bytes | None
    """The serialized `durable.v1.Payload` that was asked for."""
    outcome: bytes | None
    """The serialized `durable.v1.Outcome`."""
    completion: int
    """Its number among the invocation's completions, from 1; 0 while it is open."""
    created_ms: int
    completed_ms: int
    due_ms: int
    target: str
    attempt: int


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
    state: State
    attempt: int = 0
    worker_id: str = ""
    """The worker that owns the attempt; empty when none does."""
    failures: int = 0
    """Attempts that failed since the journal last grew."""
    completions: int = 0
    recorded: dict[int, int] = field(default_factory=dict)
    """Entry index -> completion number, 0 while open."""
    started_ms: int = 0
    updated_ms: int = 0
    completed_ms: int = 0
    wake_ms: int = 0
    expire_ms: int = 0
    version: str = ""
    outcome: bytes | None = None
    fault: Fault | None = None
    pause_reason: str = ""
    pause_identity: str = ""
    pause_ms: int = 0
