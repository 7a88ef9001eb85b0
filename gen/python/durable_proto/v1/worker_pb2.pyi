import datetime

from . import invocation_pb2 as _invocation_pb2
from . import payload_pb2 as _payload_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionRequest(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[WorkerMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[WorkerMessage, _Mapping]]] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ServerMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[ServerMessage, _Mapping]]] = ...) -> None: ...

class WorkerMessage(_message.Message):
    __slots__ = ("invocation_id", "attempt", "entry", "finished", "attempt_failed", "held", "suspend", "released", "hello", "heartbeat", "draining", "paused", "continued")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FAILED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CONTINUED_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    attempt: int
    entry: EntryRecorded
    finished: Finished
    attempt_failed: AttemptFailed
    held: Held
    suspend: Suspend
    released: Released
    hello: Hello
    heartbeat: Heartbeat
    draining: Draining
    paused: Paused
    continued: Continued
    def __init__(self, invocation_id: _Optional[str] = ..., attempt: _Optional[int] = ..., entry: _Optional[_Union[EntryRecorded, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., attempt_failed: _Optional[_Union[AttemptFailed, _Mapping]] = ..., held: _Optional[_Union[Held, _Mapping]] = ..., suspend: _Optional[_Union[Suspend, _Mapping]] = ..., released: _Optional[_Union[Released, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., paused: _Optional[_Union[Paused, _Mapping]] = ..., continued: _Optional[_Union[Continued, _Mapping]] = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("invocation_id", "attempt", "start", "ack", "completion", "suspended", "abandon", "cancel_requested", "welcome", "heartbeat", "drain", "pause_requested")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    ABANDON_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    PAUSE_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    attempt: int
    start: Start
    ack: Ack
    completion: Completion
    suspended: Suspended
    abandon: Abandon
    cancel_requested: CancelRequested
    welcome: Welcome
    heartbeat: Heartbeat
    drain: Drain
    pause_requested: PauseRequested
    def __init__(self, invocation_id: _Optional[str] = ..., attempt: _Optional[int] = ..., start: _Optional[_Union[Start, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., completion: _Optional[_Union[Completion, _Mapping]] = ..., suspended: _Optional[_Union[Suspended, _Mapping]] = ..., abandon: _Optional[_Union[Abandon, _Mapping]] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., drain: _Optional[_Union[Drain, _Mapping]] = ..., pause_requested: _Optional[_Union[PauseRequested, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "worker_id", "identity", "build_id", "handlers", "slot_count", "capabilities", "resumed", "session_number")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    SESSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    worker_id: str
    identity: str
    build_id: str
    handlers: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.HandlerSpec]
    slot_count: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    resumed: _containers.RepeatedCompositeFieldContainer[OwnedAttempt]
    session_number: int
    def __init__(self, protocol_version: _Optional[int] = ..., worker_id: _Optional[str] = ..., identity: _Optional[str] = ..., build_id: _Optional[str] = ..., handlers: _Optional[_Iterable[_Union[_invocation_pb2.HandlerSpec, _Mapping]]] = ..., slot_count: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., resumed: _Optional[_Iterable[_Union[OwnedAttempt, _Mapping]]] = ..., session_number: _Optional[int] = ...) -> None: ...

class OwnedAttempt(_message.Message):
    __slots__ = ("invocation_id", "attempt")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    attempt: int
    def __init__(self, invocation_id: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol_version", "epoch", "heartbeat_interval", "session_timeout", "reconnect_grace", "limits")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    SESSION_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_GRACE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    epoch: int
    heartbeat_interval: _duration_pb2.Duration
    session_timeout: _duration_pb2.Duration
    reconnect_grace: _duration_pb2.Duration
    limits: _containers.ScalarMap[str, int]
    def __init__(self, protocol_version: _Optional[int] = ..., epoch: _Optional[int] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., session_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reconnect_grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Draining(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Drain(_message.Message):
    __slots__ = ("delay", "elsewhere")
    DELAY_FIELD_NUMBER: _ClassVar[int]
    ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    delay: _duration_pb2.Duration
    elsewhere: bool
    def __init__(self, delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., elsewhere: bool = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("handler", "input", "key", "headers", "journal", "start_time", "random_seed", "service", "partition_key", "last_failure", "version", "cancel_requested", "state", "state_complete", "step_failures", "step_failing", "first_index", "completions_before", "run")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class StateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _payload_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...
    class StepFailuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    class StepFailingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: _duration_pb2.Duration
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    RANDOM_SEED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    STEP_FAILURES_FIELD_NUMBER: _ClassVar[int]
    STEP_FAILING_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    COMPLETIONS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    handler: str
    input: _payload_pb2.Payload
    key: str
    headers: _containers.ScalarMap[str, str]
    journal: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.JournalEntry]
    start_time: _timestamp_pb2.Timestamp
    random_seed: int
    service: str
    partition_key: str
    last_failure: _payload_pb2.Failure
    version: str
    cancel_requested: CancelRequested
    state: _containers.MessageMap[str, _payload_pb2.Payload]
    state_complete: bool
    step_failures: _containers.ScalarMap[int, int]
    step_failing: _containers.MessageMap[int, _duration_pb2.Duration]
    first_index: int
    completions_before: int
    run: int
    def __init__(self, handler: _Optional[str] = ..., input: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., journal: _Optional[_Iterable[_Union[_invocation_pb2.JournalEntry, _Mapping]]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., random_seed: _Optional[int] = ..., service: _Optional[str] = ..., partition_key: _Optional[str] = ..., last_failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ..., version: _Optional[str] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., state: _Optional[_Mapping[str, _payload_pb2.Payload]] = ..., state_complete: bool = ..., step_failures: _Optional[_Mapping[int, int]] = ..., step_failing: _Optional[_Mapping[int, _duration_pb2.Duration]] = ..., first_index: _Optional[int] = ..., completions_before: _Optional[int] = ..., run: _Optional[int] = ...) -> None: ...

class EntryRecorded(_message.Message):
    __slots__ = ("index", "kind", "name", "argument", "outcome", "delay", "target", "idempotency_key", "partition_key", "elapsed", "schema", "renew")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: _invocation_pb2.EntryKind
    name: str
    argument: _payload_pb2.Payload
    outcome: _payload_pb2.Outcome
    delay: _duration_pb2.Duration
    target: str
    idempotency_key: str
    partition_key: str
    elapsed: _duration_pb2.Duration
    schema: str
    renew: bool
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[_Union[_invocation_pb2.EntryKind, str]] = ..., name: _Optional[str] = ..., argument: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., target: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., partition_key: _Optional[str] = ..., elapsed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., schema: _Optional[str] = ..., renew: bool = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("index", "completion_number", "time")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    index: int
    completion_number: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, index: _Optional[int] = ..., completion_number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Completion(_message.Message):
    __slots__ = ("index", "outcome", "completion_number", "time")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    index: int
    outcome: _payload_pb2.Outcome
    completion_number: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, index: _Optional[int] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., completion_number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: _payload_pb2.Outcome
    def __init__(self, outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ...) -> None: ...

class AttemptFailed(_message.Message):
    __slots__ = ("failure", "retry_delay", "index", "kind", "name", "other_steps")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OTHER_STEPS_FIELD_NUMBER: _ClassVar[int]
    failure: _payload_pb2.Failure
    retry_delay: _duration_pb2.Duration
    index: int
    kind: _invocation_pb2.EntryKind
    name: str
    other_steps: _containers.RepeatedCompositeFieldContainer[FailedStep]
    def __init__(self, failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., index: _Optional[int] = ..., kind: _Optional[_Union[_invocation_pb2.EntryKind, str]] = ..., name: _Optional[str] = ..., other_steps: _Optional[_Iterable[_Union[FailedStep, _Mapping]]] = ...) -> None: ...

class FailedStep(_message.Message):
    __slots__ = ("index", "kind", "name", "failure")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: _invocation_pb2.EntryKind
    name: str
    failure: _payload_pb2.Failure
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[_Union[_invocation_pb2.EntryKind, str]] = ..., name: _Optional[str] = ..., failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ...) -> None: ...

class Held(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _payload_pb2.Failure
    def __init__(self, failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ...) -> None: ...

class Paused(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Continued(_message.Message):
    __slots__ = ("input", "completion_number", "next_index")
    INPUT_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    NEXT_INDEX_FIELD_NUMBER: _ClassVar[int]
    input: _payload_pb2.Payload
    completion_number: int
    next_index: int
    def __init__(self, input: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., completion_number: _Optional[int] = ..., next_index: _Optional[int] = ...) -> None: ...

class PauseRequested(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Suspend(_message.Message):
    __slots__ = ("completion_number",)
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    completion_number: int
    def __init__(self, completion_number: _Optional[int] = ...) -> None: ...

class Released(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Suspended(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Abandon(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("reason", "completion_number", "time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    reason: str
    completion_number: int
    time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., completion_number: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
