import datetime

from . import payload_pb2 as _payload_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InvocationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INVOCATION_STATE_UNSPECIFIED: _ClassVar[InvocationState]
    INVOCATION_STATE_SCHEDULED: _ClassVar[InvocationState]
    INVOCATION_STATE_PENDING: _ClassVar[InvocationState]
    INVOCATION_STATE_RUNNING: _ClassVar[InvocationState]
    INVOCATION_STATE_SUSPENDED: _ClassVar[InvocationState]
    INVOCATION_STATE_BACKING_OFF: _ClassVar[InvocationState]
    INVOCATION_STATE_PAUSED: _ClassVar[InvocationState]
    INVOCATION_STATE_COMPLETED: _ClassVar[InvocationState]
    INVOCATION_STATE_FAILED: _ClassVar[InvocationState]
    INVOCATION_STATE_CANCELLED: _ClassVar[InvocationState]

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_RUN: _ClassVar[EntryKind]
    ENTRY_KIND_CALL: _ClassVar[EntryKind]
    ENTRY_KIND_SLEEP: _ClassVar[EntryKind]
    ENTRY_KIND_AWAKEABLE: _ClassVar[EntryKind]
    ENTRY_KIND_GET_STATE: _ClassVar[EntryKind]
    ENTRY_KIND_SET_STATE: _ClassVar[EntryKind]
    ENTRY_KIND_CLEAR_STATE: _ClassVar[EntryKind]
    ENTRY_KIND_STATE_KEYS: _ClassVar[EntryKind]
    ENTRY_KIND_INVOKE: _ClassVar[EntryKind]
    ENTRY_KIND_SEND: _ClassVar[EntryKind]
    ENTRY_KIND_ATTACH: _ClassVar[EntryKind]
    ENTRY_KIND_SIGNAL: _ClassVar[EntryKind]
    ENTRY_KIND_RESOLVE: _ClassVar[EntryKind]
    ENTRY_KIND_CANCEL: _ClassVar[EntryKind]
    ENTRY_KIND_PATCH: _ClassVar[EntryKind]
    ENTRY_KIND_DEPRECATED_PATCH: _ClassVar[EntryKind]

class AttemptEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_END_UNSPECIFIED: _ClassVar[AttemptEnd]
    ATTEMPT_END_COMPLETED: _ClassVar[AttemptEnd]
    ATTEMPT_END_FAILED: _ClassVar[AttemptEnd]
    ATTEMPT_END_CANCELLED: _ClassVar[AttemptEnd]
    ATTEMPT_END_RETRIED: _ClassVar[AttemptEnd]
    ATTEMPT_END_HELD: _ClassVar[AttemptEnd]
    ATTEMPT_END_SUSPENDED: _ClassVar[AttemptEnd]
    ATTEMPT_END_PAUSED: _ClassVar[AttemptEnd]
    ATTEMPT_END_RELEASED: _ClassVar[AttemptEnd]
    ATTEMPT_END_LOST: _ClassVar[AttemptEnd]
    ATTEMPT_END_CONTINUED: _ClassVar[AttemptEnd]

class HandlerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HANDLER_KIND_UNSPECIFIED: _ClassVar[HandlerKind]
    HANDLER_KIND_WORKFLOW: _ClassVar[HandlerKind]
    HANDLER_KIND_OBJECT_EXCLUSIVE: _ClassVar[HandlerKind]
    HANDLER_KIND_OBJECT_SHARED: _ClassVar[HandlerKind]

class Versioning(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSIONING_UNSPECIFIED: _ClassVar[Versioning]
    VERSIONING_AUTO: _ClassVar[Versioning]
    VERSIONING_PINNED: _ClassVar[Versioning]
INVOCATION_STATE_UNSPECIFIED: InvocationState
INVOCATION_STATE_SCHEDULED: InvocationState
INVOCATION_STATE_PENDING: InvocationState
INVOCATION_STATE_RUNNING: InvocationState
INVOCATION_STATE_SUSPENDED: InvocationState
INVOCATION_STATE_BACKING_OFF: InvocationState
INVOCATION_STATE_PAUSED: InvocationState
INVOCATION_STATE_COMPLETED: InvocationState
INVOCATION_STATE_FAILED: InvocationState
INVOCATION_STATE_CANCELLED: InvocationState
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_RUN: EntryKind
ENTRY_KIND_CALL: EntryKind
ENTRY_KIND_SLEEP: EntryKind
ENTRY_KIND_AWAKEABLE: EntryKind
ENTRY_KIND_GET_STATE: EntryKind
ENTRY_KIND_SET_STATE: EntryKind
ENTRY_KIND_CLEAR_STATE: EntryKind
ENTRY_KIND_STATE_KEYS: EntryKind
ENTRY_KIND_INVOKE: EntryKind
ENTRY_KIND_SEND: EntryKind
ENTRY_KIND_ATTACH: EntryKind
ENTRY_KIND_SIGNAL: EntryKind
ENTRY_KIND_RESOLVE: EntryKind
ENTRY_KIND_CANCEL: EntryKind
ENTRY_KIND_PATCH: EntryKind
ENTRY_KIND_DEPRECATED_PATCH: EntryKind
ATTEMPT_END_UNSPECIFIED: AttemptEnd
ATTEMPT_END_COMPLETED: AttemptEnd
ATTEMPT_END_FAILED: AttemptEnd
ATTEMPT_END_CANCELLED: AttemptEnd
ATTEMPT_END_RETRIED: AttemptEnd
ATTEMPT_END_HELD: AttemptEnd
ATTEMPT_END_SUSPENDED: AttemptEnd
ATTEMPT_END_PAUSED: AttemptEnd
ATTEMPT_END_RELEASED: AttemptEnd
ATTEMPT_END_LOST: AttemptEnd
ATTEMPT_END_CONTINUED: AttemptEnd
HANDLER_KIND_UNSPECIFIED: HandlerKind
HANDLER_KIND_WORKFLOW: HandlerKind
HANDLER_KIND_OBJECT_EXCLUSIVE: HandlerKind
HANDLER_KIND_OBJECT_SHARED: HandlerKind
VERSIONING_UNSPECIFIED: Versioning
VERSIONING_AUTO: Versioning
VERSIONING_PINNED: Versioning

class JournalEntry(_message.Message):
    __slots__ = ("index", "kind", "name", "argument", "outcome", "completion_number", "create_time", "complete_time", "due_time", "target_invocation_id", "attempt", "failed_try_count", "build_id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    TARGET_INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FAILED_TRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: EntryKind
    name: str
    argument: _payload_pb2.Payload
    outcome: _payload_pb2.Outcome
    completion_number: int
    create_time: _timestamp_pb2.Timestamp
    complete_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    target_invocation_id: str
    attempt: int
    failed_try_count: int
    build_id: str
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., name: _Optional[str] = ..., argument: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., completion_number: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., target_invocation_id: _Optional[str] = ..., attempt: _Optional[int] = ..., failed_try_count: _Optional[int] = ..., build_id: _Optional[str] = ...) -> None: ...

class FailingStep(_message.Message):
    __slots__ = ("index", "kind", "name", "failed_try_count", "first_failure_time", "last_failure_time", "last_failure")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAILED_TRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: EntryKind
    name: str
    failed_try_count: int
    first_failure_time: _timestamp_pb2.Timestamp
    last_failure_time: _timestamp_pb2.Timestamp
    last_failure: _payload_pb2.Failure
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[_Union[EntryKind, str]] = ..., name: _Optional[str] = ..., failed_try_count: _Optional[int] = ..., first_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ...) -> None: ...

class Awakeable(_message.Message):
    __slots__ = ("awakeable_id", "invocation_id", "create_time", "resolve_time", "outcome", "schema")
    AWAKEABLE_ID_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_TIME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    awakeable_id: str
    invocation_id: str
    create_time: _timestamp_pb2.Timestamp
    resolve_time: _timestamp_pb2.Timestamp
    outcome: _payload_pb2.Outcome
    schema: str
    def __init__(self, awakeable_id: _Optional[str] = ..., invocation_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., schema: _Optional[str] = ...) -> None: ...

class CancelInfo(_message.Message):
    __slots__ = ("identity", "reason", "cancel_time")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TIME_FIELD_NUMBER: _ClassVar[int]
    identity: str
    reason: str
    cancel_time: _timestamp_pb2.Timestamp
    def __init__(self, identity: _Optional[str] = ..., reason: _Optional[str] = ..., cancel_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PauseInfo(_message.Message):
    __slots__ = ("identity", "reason", "pause_time")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PAUSE_TIME_FIELD_NUMBER: _ClassVar[int]
    identity: str
    reason: str
    pause_time: _timestamp_pb2.Timestamp
    def __init__(self, identity: _Optional[str] = ..., reason: _Optional[str] = ..., pause_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Invocation(_message.Message):
    __slots__ = ("invocation_id", "handler", "key", "state", "outcome", "input", "attempt", "last_failure", "pause", "create_time", "start_time", "update_time", "complete_time", "wake_time", "expire_time", "journal_length", "service", "partition_key", "idempotency_key", "headers", "worker_id", "version", "parent_invocation_id", "journal", "workflow_state", "priority", "awakeables", "cancel", "deadline", "failing_steps", "build_id", "pinned", "waiting_for_build", "run", "first_index", "attempts", "source_invocation_id", "source_index")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class WorkflowStateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _payload_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_TIME_FIELD_NUMBER: _ClassVar[int]
    WAKE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_LENGTH_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PARENT_INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_STATE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    AWAKEABLES_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    FAILING_STEPS_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_BUILD_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_INDEX_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    handler: str
    key: str
    state: InvocationState
    outcome: _payload_pb2.Outcome
    input: _payload_pb2.Payload
    attempt: int
    last_failure: _payload_pb2.Failure
    pause: PauseInfo
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    complete_time: _timestamp_pb2.Timestamp
    wake_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    journal_length: int
    service: str
    partition_key: str
    idempotency_key: str
    headers: _containers.ScalarMap[str, str]
    worker_id: str
    version: str
    parent_invocation_id: str
    journal: _containers.RepeatedCompositeFieldContainer[JournalEntry]
    workflow_state: _containers.MessageMap[str, _payload_pb2.Payload]
    priority: int
    awakeables: _containers.RepeatedCompositeFieldContainer[Awakeable]
    cancel: CancelInfo
    deadline: _timestamp_pb2.Timestamp
    failing_steps: _containers.RepeatedCompositeFieldContainer[FailingStep]
    build_id: str
    pinned: bool
    waiting_for_build: str
    run: int
    first_index: int
    attempts: _containers.RepeatedCompositeFieldContainer[InvocationAttempt]
    source_invocation_id: str
    source_index: int
    def __init__(self, invocation_id: _Optional[str] = ..., handler: _Optional[str] = ..., key: _Optional[str] = ..., state: _Optional[_Union[InvocationState, str]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., input: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., attempt: _Optional[int] = ..., last_failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ..., pause: _Optional[_Union[PauseInfo, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., wake_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., journal_length: _Optional[int] = ..., service: _Optional[str] = ..., partition_key: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., headers: _Optional[_Mapping[str, str]] = ..., worker_id: _Optional[str] = ..., version: _Optional[str] = ..., parent_invocation_id: _Optional[str] = ..., journal: _Optional[_Iterable[_Union[JournalEntry, _Mapping]]] = ..., workflow_state: _Optional[_Mapping[str, _payload_pb2.Payload]] = ..., priority: _Optional[int] = ..., awakeables: _Optional[_Iterable[_Union[Awakeable, _Mapping]]] = ..., cancel: _Optional[_Union[CancelInfo, _Mapping]] = ..., deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failing_steps: _Optional[_Iterable[_Union[FailingStep, _Mapping]]] = ..., build_id: _Optional[str] = ..., pinned: bool = ..., waiting_for_build: _Optional[str] = ..., run: _Optional[int] = ..., first_index: _Optional[int] = ..., attempts: _Optional[_Iterable[_Union[InvocationAttempt, _Mapping]]] = ..., source_invocation_id: _Optional[str] = ..., source_index: _Optional[int] = ...) -> None: ...

class InvocationAttempt(_message.Message):
    __slots__ = ("attempt", "worker_id", "build_id", "version", "start_time", "end_time", "end", "failure", "run")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    worker_id: str
    build_id: str
    version: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    end: AttemptEnd
    failure: _payload_pb2.Failure
    run: int
    def __init__(self, attempt: _Optional[int] = ..., worker_id: _Optional[str] = ..., build_id: _Optional[str] = ..., version: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[AttemptEnd, str]] = ..., failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ..., run: _Optional[int] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("initial_interval", "multiplier", "max_interval", "max_attempts", "jitter", "on_exhausted", "max_duration")
    class Exhaustion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EXHAUSTION_UNSPECIFIED: _ClassVar[RetryPolicy.Exhaustion]
        EXHAUSTION_FAIL: _ClassVar[RetryPolicy.Exhaustion]
        EXHAUSTION_PAUSE: _ClassVar[RetryPolicy.Exhaustion]
    EXHAUSTION_UNSPECIFIED: RetryPolicy.Exhaustion
    EXHAUSTION_FAIL: RetryPolicy.Exhaustion
    EXHAUSTION_PAUSE: RetryPolicy.Exhaustion
    INITIAL_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    MAX_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    JITTER_FIELD_NUMBER: _ClassVar[int]
    ON_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    initial_interval: _duration_pb2.Duration
    multiplier: float
    max_interval: _duration_pb2.Duration
    max_attempts: int
    jitter: float
    on_exhausted: RetryPolicy.Exhaustion
    max_duration: _duration_pb2.Duration
    def __init__(self, initial_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., multiplier: _Optional[float] = ..., max_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_attempts: _Optional[int] = ..., jitter: _Optional[float] = ..., on_exhausted: _Optional[_Union[RetryPolicy.Exhaustion, str]] = ..., max_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HandlerSpec(_message.Message):
    __slots__ = ("name", "kind", "retry_policy", "retention", "version", "input_schema", "output_schema", "description", "timeout", "max_concurrent", "versioning")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_FIELD_NUMBER: _ClassVar[int]
    VERSIONING_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: HandlerKind
    retry_policy: RetryPolicy
    retention: _duration_pb2.Duration
    version: str
    input_schema: str
    output_schema: str
    description: str
    timeout: _duration_pb2.Duration
    max_concurrent: int
    versioning: Versioning
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[HandlerKind, str]] = ..., retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ..., retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., version: _Optional[str] = ..., input_schema: _Optional[str] = ..., output_schema: _Optional[str] = ..., description: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_concurrent: _Optional[int] = ..., versioning: _Optional[_Union[Versioning, str]] = ...) -> None: ...

class HandlerInfo(_message.Message):
    __slots__ = ("spec", "worker_count", "pending_count", "running_count", "create_time")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    spec: HandlerSpec
    worker_count: int
    pending_count: int
    running_count: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, spec: _Optional[_Union[HandlerSpec, _Mapping]] = ..., worker_count: _Optional[int] = ..., pending_count: _Optional[int] = ..., running_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
