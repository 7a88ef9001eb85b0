"""The model: the data types of invocations, journal entries, awakeables, handlers and failures.

The values of users (inputs, results, failures) are opaque here: `bytes` that hold a serialized
`durable.v1` message. The rules never parse them, so the encoding of payloads can change without a
change here. A fact that a rule or a list needs stands beside the value (`Failure.message`).

Times are whole milliseconds since the Unix epoch; 0 means that there is none. The numbers of the enums
are those of the public protos and of the log, and never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple


class State(IntEnum):
    """The lifecycle state of an invocation; `states` has the transitions."""

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
    """Whether a handler has an object key, and whether its invocations exclude each other on it."""

    WORKFLOW = 1
    OBJECT_EXCLUSIVE = 2
    OBJECT_SHARED = 3


class RetryPolicy(NamedTuple):
    """How failed attempts are retried; `retry` has the arithmetic."""

    initial_ms: int = 200
    multiplier: float = 2.0
    max_ms: int = 60_000
    max_attempts: int = 50
    """The number of attempts, including the first; -1 for no limit."""
    jitter: float = 0.2
    """The random share of a delay, 0 to 1."""
    pause_when_exhausted: bool = True
    """Whether an invocation whose attempts are used up is held until a person resumes it, or fails."""
    max_duration_ms: int = 0
    """The time after the first failure in a row within which attempts may begin; 0 for no limit."""


DEFAULT_RETENTION_MS = 24 * 3600 * 1000


class Handler(NamedTuple):
    """A handler as a worker declared it."""

    name: str
    kind: int = HandlerKind.WORKFLOW
    retry: RetryPolicy = RetryPolicy()
    retention_ms: int = DEFAULT_RETENTION_MS
    version: str = ""
    input_schema: str = ""
    output_schema: str = ""
    description: str = ""
    timeout_ms: int = 0
    """The time that an invocation may take from its start time on; 0 for no limit."""
    max_concurrent: int = 0
    """The number of its invocations that may run at the same time; 0 for no limit."""
    pinned: bool = False
    """Whether an invocation with a journal goes on with the build that began it only."""


class Deployment(NamedTuple):
    """A build of code, and the handlers that its workers serve; `deployments` has the rules.

    The store and messages serialize it by position: add fields at the end, with a default.
    """

    build_id: str
    handlers: tuple[str, ...]
    """By name. Empty in other partitions than the first one, which do not need them."""
    number: int
    """The order of the first registrations, from 1: a higher one is a later build."""
    created_ms: int
    draining: bool = False
    """Whether it gets no new invocations."""


class Route(NamedTuple):
    """Which build gets the new invocations of a handler.

    The store and messages serialize it by position: add fields at the end, with a default.
    """

    handler: str
    build_id: str
    """The current build; empty for none: then this only says that there is no route any more."""
    ramping: str = ""
    """The build that gets `percent` of them; empty for none."""
    percent: int = 0
    previous: str = ""
    """The build that was current before; empty for none."""
    changed_ms: int = 0
    identity: str = ""
    reason: str = ""
    request_id: str = ""
    """The request that made it as it is."""


class AttemptEnd(IntEnum):
    """Why an attempt ended; the numbers are those of `invocation.proto` and never change."""

    COMPLETED = 1
    FAILED = 2
    CANCELLED = 3
    RETRIED = 4
    HELD = 5
    SUSPENDED = 6
    PAUSED = 7
    RELEASED = 8
    LOST = 9
    CONTINUED = 10


class EndedAttempt(NamedTuple):
    """An attempt that has ended, as the store has it; `attempts` has the rules."""

    attempt: int
    worker_id: str
    build_id: str
    version: str
    started_ms: int
    ended_ms: int
    """0 while it runs; then the store does not have it yet."""
    end: int
    """An AttemptEnd; 0 while it runs."""
    run: int = 1
    failure_type: str = ""
    failure_message: str = ""
    """The beginning of it."""


class Failure(NamedTuple):
    """A failure: its type and message, which lists show, and the serialized `durable.v1.Failure`."""

    type: str
    message: str
    data: bytes

    @property
    def text(self) -> str:
        """Type and message in one line, as people read and search it."""
        return f"{self.type}: {self.message}"


class EntryRow(NamedTuple):
    """A journal entry, as the store has it."""

    entry_index: int
    kind: int
    name: str
    argument: bytes | None
    """A serialized `durable.v1.Payload`, which the program gave: an input or a value."""
    outcome: bytes | None
    """The serialized `durable.v1.Outcome`."""
    completion: int
    """Its number among the invocation's completions, from 1; 0 while it is open; UNNUMBERED for an
    entry that was complete as soon as it was recorded."""
    created_ms: int
    completed_ms: int
    due_ms: int
    target: str
    attempt: int
    signal: int = 0
    """For a SIGNAL, the number of the signal that completed it; 0 for none, and for a signal that was
    given back."""
    failed_tries: int = 0
    """For a RUN or CALL, how many tries had failed before the one that is recorded."""
    schema: str = ""
    """For a SIGNAL, the JSON Schema of the value that the program reads; empty for any."""

    @property
    def size(self) -> int:
        """The size of its values in bytes."""
        return len(self.argument or b"") + len(self.outcome or b"")


UNNUMBERED = -1
"""The completion of an entry that was complete as soon as it was recorded, and has no number."""


class OpenEntry(NamedTuple):
    """What an open entry waits for; only for kinds with `wait_in_memory`."""

    kind: int
    name: str
    target: str


@dataclass(slots=True)
class Awakeable:
    """A promise that something outside resolves, perhaps before an entry waits for it."""

    id: str
    invocation_id: str
    """The invocation that it belongs to; empty for one that no entry has waited for yet."""
    indexes: tuple[int, ...]
    """The indexes of that invocation's open entries that wait for it."""
    created_ms: int
    resolved_ms: int = 0
    outcome: bytes | None = None
    schema: str = ""
    """The JSON Schema of the value that the program reads; empty for any value."""
    requests: tuple[str, ...] = ()
    """The ids of the last requests that gave it an outcome, also one that `renew` has removed since."""
    released: bool = False
    """Whether the invocation that it belongs to lives in another partition and has ended."""
    revoked: tuple[str, ...] = ()
    """The ids of its revoked webhooks; "" stands for all."""


class StepFailures(NamedTuple):
    """The failures of a step that is not in the journal yet.

    The store serializes it by position: add fields at the end, with a default.
    """

    entry_index: int
    times: int
    since_ms: int = 0
    """The time of the first of them."""
    kind: int = 0
    """The kind that the entry will have, RUN or CALL; 0 if only the counts are kept."""
    name: str = ""
    last_ms: int = 0
    """The time of the last of them."""
    failure: Failure | None = None
    """The last of them: its type and its message, cut short."""


@dataclass(slots=True)
class Invocation:
    """An invocation, with everything that the rules need to know while it is in memory.

    The values of its journal are not here: they are written to the store once, and read back only
    for a later attempt. `recorded` has what the rules need: which indexes exist and which are open.
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
    """How many attempts have failed since the journal last grew."""
    completions: int = 0
    recorded: dict[int, int] = field(default_factory=dict)
    """The completion of each entry, by index; see `EntryRow.completion`."""
    journal_bytes: int = 0
    """The size of all arguments and outcomes in its journal."""
    opened: dict[int, OpenEntry] = field(default_factory=dict)
    """The open entries that wait for a signal or for another invocation, by index."""
    waiters: tuple[tuple[str, int], ...] = ()
    """The entries that wait for the end of this invocation: invocation id, entry index."""
    signals: tuple[tuple[int, str, bytes], ...] = ()
    """The signals that no entry has taken yet, oldest first: number, name, serialized Outcome."""
    signal_count: int = 0
    """How many signals have come, which is the number of the last one."""
    lock_place: int = 0
    """Its place in the queue for the lock of its object key; 0 if it is not in a queue."""
    started_ms: int = 0
    updated_ms: int = 0
    completed_ms: int = 0
    wake_ms: int = 0
    expire_ms: int = 0
    version: str = ""
    recorded_by: str = ""
    """The version that wrote to the journal last; empty if it is the version of the last attempt."""
    outcome: bytes | None = None
    failure: Failure | None = None
    pause_reason: str = ""
    pause_identity: str = ""
    pause_ms: int = 0
    """When it was paused; while it is RUNNING, when a pause was requested; 0 for neither."""
    cancel_reason: str = ""
    cancel_identity: str = ""
    cancel_ms: int = 0
    """When its cancellation was requested; 0 if it was not."""
    cancel_number: int = 0
    """The number of that request among its completions."""
    timed_out: bool = False
    """Whether its cancellation was requested because of the handler's timeout."""
    deadline_ms: int = 0
    failing_ms: int = 0
    """When the first of `failures` happened."""
    step_failures: tuple[StepFailures, ...] = ()
    """The failures of steps that are not in the journal yet; the step that failed last comes last."""
    requests: tuple[tuple[str, int], ...] = ()
    """The last steering requests: request id, the lifecycle state that the request led to."""
    claims: tuple[str, ...] = ()
    """The awakeables of other partitions that it has waited for."""
    build: str = ""
    """The build that began its journal; before it has one, that of its last attempt."""
    pinned: bool = False
    """Whether its attempts go to workers of that build only."""
    repinned: bool = False
    """Whether a person has decided about the two above: then they stay, also without a journal."""
    attempt_build: str = ""
    """The build of the worker that runs the present attempt, or ran the last one."""
    attempt_ms: int = 0
    """When the present or last attempt began; 0 before the first."""
    last_worker_id: str = ""
    """The worker that owned the last attempt."""
    run: int = 1
    """The number of its run; each time that it continues as new begins another one."""
    run_ms: int = 0
    """When the first attempt of the run began, if that is not `started_ms`; else 0. If entries of a
    source were copied, it is that of the source."""
    first_index: int = 0
    """The index of the first entry of the run's journal."""
    completions_before: int = 0
    """The number of the last completion of the runs before."""
    signals_before: int = 0
    """The number of the last signal that came in the runs before."""
    first_input: bytes = b""
    """In a later run, what identifies the input of the first one; see `outcomes.input_digest`."""
    source: str = ""
    """The invocation that it was restarted or forked from; empty for none."""
    source_index: int = 0
    """The index before which entries of its source's journal were copied."""
    seed_id: str = ""
    """The invocation whose random numbers it has, because it has entries that were made with them;
    empty for its own."""

    @property
    def state_owner(self) -> str:
        """The owner of the state that it reads and writes: its object key, or the invocation itself."""
        if self.kind == HandlerKind.WORKFLOW:
            return self.id
        return object_scope(self.handler.rpartition(".")[0], self.key)


def object_scope(name: str, key: str) -> str:
    """Returns an object and a key as one string; neither may contain a NUL."""
    return f"{name}\0{key}"
