import datetime

from . import invocation_pb2 as _invocation_pb2
from . import payload_pb2 as _payload_pb2
from . import worker_pb2 as _worker_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InvokeRequest(_message.Message):
    __slots__ = ("handler", "input", "key", "idempotency_key", "request_id", "wait_timeout", "delay", "start_time", "headers", "partition_key", "service", "priority", "include_journal")
    class HeadersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PARTITION_KEY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_JOURNAL_FIELD_NUMBER: _ClassVar[int]
    handler: str
    input: _payload_pb2.Payload
    key: str
    idempotency_key: str
    request_id: str
    wait_timeout: _duration_pb2.Duration
    delay: _duration_pb2.Duration
    start_time: _timestamp_pb2.Timestamp
    headers: _containers.ScalarMap[str, str]
    partition_key: str
    service: str
    priority: int
    include_journal: bool
    def __init__(self, handler: _Optional[str] = ..., input: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., key: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., request_id: _Optional[str] = ..., wait_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., headers: _Optional[_Mapping[str, str]] = ..., partition_key: _Optional[str] = ..., service: _Optional[str] = ..., priority: _Optional[int] = ..., include_journal: bool = ...) -> None: ...

class InvokeResponse(_message.Message):
    __slots__ = ("invocation_id", "state", "outcome", "created", "journal")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    state: _invocation_pb2.InvocationState
    outcome: _payload_pb2.Outcome
    created: bool
    journal: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.JournalEntry]
    def __init__(self, invocation_id: _Optional[str] = ..., state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., created: bool = ..., journal: _Optional[_Iterable[_Union[_invocation_pb2.JournalEntry, _Mapping]]] = ...) -> None: ...

class GetResultRequest(_message.Message):
    __slots__ = ("invocation_id", "wait_timeout", "include_journal")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_JOURNAL_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    wait_timeout: _duration_pb2.Duration
    include_journal: bool
    def __init__(self, invocation_id: _Optional[str] = ..., wait_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., include_journal: bool = ...) -> None: ...

class GetResultResponse(_message.Message):
    __slots__ = ("invocation_id", "state", "outcome", "last_failure", "journal", "handler")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    state: _invocation_pb2.InvocationState
    outcome: _payload_pb2.Outcome
    last_failure: _payload_pb2.Failure
    journal: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.JournalEntry]
    handler: str
    def __init__(self, invocation_id: _Optional[str] = ..., state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., last_failure: _Optional[_Union[_payload_pb2.Failure, _Mapping]] = ..., journal: _Optional[_Iterable[_Union[_invocation_pb2.JournalEntry, _Mapping]]] = ..., handler: _Optional[str] = ...) -> None: ...

class GetInvocationRequest(_message.Message):
    __slots__ = ("invocation_id", "include_journal")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_JOURNAL_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    include_journal: bool
    def __init__(self, invocation_id: _Optional[str] = ..., include_journal: bool = ...) -> None: ...

class GetInvocationResponse(_message.Message):
    __slots__ = ("invocation", "missing_partitions")
    INVOCATION_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    invocation: _invocation_pb2.Invocation
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, invocation: _Optional[_Union[_invocation_pb2.Invocation, _Mapping]] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class WatchInvocationRequest(_message.Message):
    __slots__ = ("invocation_id", "include_journal")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_JOURNAL_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    include_journal: bool
    def __init__(self, invocation_id: _Optional[str] = ..., include_journal: bool = ...) -> None: ...

class WatchInvocationResponse(_message.Message):
    __slots__ = ("invocation",)
    INVOCATION_FIELD_NUMBER: _ClassVar[int]
    invocation: _invocation_pb2.Invocation
    def __init__(self, invocation: _Optional[_Union[_invocation_pb2.Invocation, _Mapping]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("states", "handler", "key", "create_time_min", "create_time_max", "failure_text", "page_size", "page_token", "service", "oldest_first", "parent_invocation_id", "order_by", "pinned_build_id")
    STATES_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_MIN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_MAX_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TEXT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    PARENT_INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PINNED_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[_invocation_pb2.InvocationState]
    handler: str
    key: str
    create_time_min: _timestamp_pb2.Timestamp
    create_time_max: _timestamp_pb2.Timestamp
    failure_text: str
    page_size: int
    page_token: str
    service: str
    oldest_first: bool
    parent_invocation_id: str
    order_by: str
    pinned_build_id: str
    def __init__(self, states: _Optional[_Iterable[_Union[_invocation_pb2.InvocationState, str]]] = ..., handler: _Optional[str] = ..., key: _Optional[str] = ..., create_time_min: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time_max: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failure_text: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., service: _Optional[str] = ..., oldest_first: bool = ..., parent_invocation_id: _Optional[str] = ..., order_by: _Optional[str] = ..., pinned_build_id: _Optional[str] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("invocations", "next_page_token", "missing_partitions")
    INVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    invocations: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.Invocation]
    next_page_token: str
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, invocations: _Optional[_Iterable[_Union[_invocation_pb2.Invocation, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StateCount(_message.Message):
    __slots__ = ("handler", "state", "count")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    handler: str
    state: _invocation_pb2.InvocationState
    count: int
    def __init__(self, handler: _Optional[str] = ..., state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ..., count: _Optional[int] = ...) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("counts", "total_count", "worker_count", "missing_partitions")
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[StateCount]
    total_count: int
    worker_count: int
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, counts: _Optional[_Iterable[_Union[StateCount, _Mapping]]] = ..., total_count: _Optional[int] = ..., worker_count: _Optional[int] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class ListHandlersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListHandlersResponse(_message.Message):
    __slots__ = ("handlers", "next_page_token", "missing_partitions")
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    handlers: _containers.RepeatedCompositeFieldContainer[_invocation_pb2.HandlerInfo]
    next_page_token: str
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, handlers: _Optional[_Iterable[_Union[_invocation_pb2.HandlerInfo, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("worker_id", "identity", "build_id", "handlers", "slot_count", "running_count", "connect_time", "draining", "node")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIME_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    identity: str
    build_id: str
    handlers: _containers.RepeatedScalarFieldContainer[str]
    slot_count: int
    running_count: int
    connect_time: _timestamp_pb2.Timestamp
    draining: bool
    node: str
    def __init__(self, worker_id: _Optional[str] = ..., identity: _Optional[str] = ..., build_id: _Optional[str] = ..., handlers: _Optional[_Iterable[str]] = ..., slot_count: _Optional[int] = ..., running_count: _Optional[int] = ..., connect_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., draining: bool = ..., node: _Optional[str] = ...) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerInfo]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerInfo, _Mapping]]] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("invocation_id", "request_id", "reason", "identity", "wait_timeout")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    request_id: str
    reason: str
    identity: str
    wait_timeout: _duration_pb2.Duration
    def __init__(self, invocation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ..., wait_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _invocation_pb2.InvocationState
    def __init__(self, state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("invocation_id", "request_id", "reason", "identity")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    request_id: str
    reason: str
    identity: str
    def __init__(self, invocation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _invocation_pb2.InvocationState
    def __init__(self, state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("invocation_id", "request_id", "reason", "identity", "force")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    request_id: str
    reason: str
    identity: str
    force: bool
    def __init__(self, invocation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ..., force: bool = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _invocation_pb2.InvocationState
    def __init__(self, state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ...) -> None: ...

class RestartRequest(_message.Message):
    __slots__ = ("invocation_id", "request_id", "from_index", "input", "reason", "identity", "outcomes", "while_running")
    class OutcomesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: _payload_pb2.Outcome
        def __init__(self, key: _Optional[int] = ..., value: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ...) -> None: ...
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_INDEX_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    WHILE_RUNNING_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    request_id: str
    from_index: int
    input: _payload_pb2.Payload
    reason: str
    identity: str
    outcomes: _containers.MessageMap[int, _payload_pb2.Outcome]
    while_running: bool
    def __init__(self, invocation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., from_index: _Optional[int] = ..., input: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ..., outcomes: _Optional[_Mapping[int, _payload_pb2.Outcome]] = ..., while_running: bool = ...) -> None: ...

class RestartResponse(_message.Message):
    __slots__ = ("invocation_id",)
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    def __init__(self, invocation_id: _Optional[str] = ...) -> None: ...

class RepinRequest(_message.Message):
    __slots__ = ("invocation_id", "build_id", "request_id", "reason", "identity")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    build_id: str
    request_id: str
    reason: str
    identity: str
    def __init__(self, invocation_id: _Optional[str] = ..., build_id: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class RepinResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _invocation_pb2.InvocationState
    def __init__(self, state: _Optional[_Union[_invocation_pb2.InvocationState, str]] = ...) -> None: ...

class ExportInvocationRequest(_message.Message):
    __slots__ = ("invocation_id",)
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    def __init__(self, invocation_id: _Optional[str] = ...) -> None: ...

class ExportInvocationResponse(_message.Message):
    __slots__ = ("invocation", "start", "server_version", "export_time")
    INVOCATION_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    invocation: _invocation_pb2.Invocation
    start: _worker_pb2.Start
    server_version: str
    export_time: _timestamp_pb2.Timestamp
    def __init__(self, invocation: _Optional[_Union[_invocation_pb2.Invocation, _Mapping]] = ..., start: _Optional[_Union[_worker_pb2.Start, _Mapping]] = ..., server_version: _Optional[str] = ..., export_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDeploymentsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Deployment(_message.Message):
    __slots__ = ("build_id", "handlers", "create_time", "worker_count", "draining", "pinned_count", "waiting_count", "running_count", "drained")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    PINNED_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    handlers: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    worker_count: int
    draining: bool
    pinned_count: int
    waiting_count: int
    running_count: int
    drained: bool
    def __init__(self, build_id: _Optional[str] = ..., handlers: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., worker_count: _Optional[int] = ..., draining: bool = ..., pinned_count: _Optional[int] = ..., waiting_count: _Optional[int] = ..., running_count: _Optional[int] = ..., drained: bool = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("handler", "build_id", "ramping_build_id", "ramping_percent", "previous_build_id", "update_time", "identity", "reason")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    RAMPING_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    RAMPING_PERCENT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    handler: str
    build_id: str
    ramping_build_id: str
    ramping_percent: int
    previous_build_id: str
    update_time: _timestamp_pb2.Timestamp
    identity: str
    reason: str
    def __init__(self, handler: _Optional[str] = ..., build_id: _Optional[str] = ..., ramping_build_id: _Optional[str] = ..., ramping_percent: _Optional[int] = ..., previous_build_id: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., identity: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ListDeploymentsResponse(_message.Message):
    __slots__ = ("deployments", "routes", "missing_partitions")
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class PromoteBuildRequest(_message.Message):
    __slots__ = ("build_id", "percent", "handlers", "automatic", "request_id", "reason", "identity")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    percent: int
    handlers: _containers.RepeatedScalarFieldContainer[str]
    automatic: bool
    request_id: str
    reason: str
    identity: str
    def __init__(self, build_id: _Optional[str] = ..., percent: _Optional[int] = ..., handlers: _Optional[_Iterable[str]] = ..., automatic: bool = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class PromoteBuildResponse(_message.Message):
    __slots__ = ("routes",)
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ...) -> None: ...

class RollBackBuildRequest(_message.Message):
    __slots__ = ("build_id", "handlers", "request_id", "reason", "identity")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLERS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    handlers: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    reason: str
    identity: str
    def __init__(self, build_id: _Optional[str] = ..., handlers: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class RollBackBuildResponse(_message.Message):
    __slots__ = ("routes",)
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ...) -> None: ...

class DrainBuildRequest(_message.Message):
    __slots__ = ("build_id", "undo", "reason", "identity")
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    build_id: str
    undo: bool
    reason: str
    identity: str
    def __init__(self, build_id: _Optional[str] = ..., undo: bool = ..., reason: _Optional[str] = ..., identity: _Optional[str] = ...) -> None: ...

class DrainBuildResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPatchesRequest(_message.Message):
    __slots__ = ("handler",)
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    handler: str
    def __init__(self, handler: _Optional[str] = ...) -> None: ...

class Patch(_message.Message):
    __slots__ = ("handler", "name", "build_ids", "applied_count", "unapplied_count", "unapplied_invocation_ids", "first_time", "deprecated")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BUILD_IDS_FIELD_NUMBER: _ClassVar[int]
    APPLIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNAPPLIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNAPPLIED_INVOCATION_IDS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    handler: str
    name: str
    build_ids: _containers.RepeatedScalarFieldContainer[str]
    applied_count: int
    unapplied_count: int
    unapplied_invocation_ids: _containers.RepeatedScalarFieldContainer[str]
    first_time: _timestamp_pb2.Timestamp
    deprecated: bool
    def __init__(self, handler: _Optional[str] = ..., name: _Optional[str] = ..., build_ids: _Optional[_Iterable[str]] = ..., applied_count: _Optional[int] = ..., unapplied_count: _Optional[int] = ..., unapplied_invocation_ids: _Optional[_Iterable[str]] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deprecated: bool = ...) -> None: ...

class ListPatchesResponse(_message.Message):
    __slots__ = ("patches", "missing_partitions")
    PATCHES_FIELD_NUMBER: _ClassVar[int]
    MISSING_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    patches: _containers.RepeatedCompositeFieldContainer[Patch]
    missing_partitions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, patches: _Optional[_Iterable[_Union[Patch, _Mapping]]] = ..., missing_partitions: _Optional[_Iterable[int]] = ...) -> None: ...

class SignalRequest(_message.Message):
    __slots__ = ("invocation_id", "name", "outcome", "request_id")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    name: str
    outcome: _payload_pb2.Outcome
    request_id: str
    def __init__(self, invocation_id: _Optional[str] = ..., name: _Optional[str] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class SignalResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PurgeRequest(_message.Message):
    __slots__ = ("invocation_id",)
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    def __init__(self, invocation_id: _Optional[str] = ...) -> None: ...

class PurgeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResolveAwakeableRequest(_message.Message):
    __slots__ = ("awakeable_id", "outcome", "request_id", "webhook_id")
    AWAKEABLE_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    awakeable_id: str
    outcome: _payload_pb2.Outcome
    request_id: str
    webhook_id: str
    def __init__(self, awakeable_id: _Optional[str] = ..., outcome: _Optional[_Union[_payload_pb2.Outcome, _Mapping]] = ..., request_id: _Optional[str] = ..., webhook_id: _Optional[str] = ...) -> None: ...

class ResolveAwakeableResponse(_message.Message):
    __slots__ = ("invocation_id", "repeated")
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    invocation_id: str
    repeated: bool
    def __init__(self, invocation_id: _Optional[str] = ..., repeated: bool = ...) -> None: ...

class CreateWebhookRequest(_message.Message):
    __slots__ = ("awakeable_id", "expires_in", "expire_time", "scheme", "secret_name")
    AWAKEABLE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    SECRET_NAME_FIELD_NUMBER: _ClassVar[int]
    awakeable_id: str
    expires_in: _duration_pb2.Duration
    expire_time: _timestamp_pb2.Timestamp
    scheme: str
    secret_name: str
    def __init__(self, awakeable_id: _Optional[str] = ..., expires_in: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scheme: _Optional[str] = ..., secret_name: _Optional[str] = ...) -> None: ...

class CreateWebhookResponse(_message.Message):
    __slots__ = ("url", "expire_time", "webhook_id")
    URL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    url: str
    expire_time: _timestamp_pb2.Timestamp
    webhook_id: str
    def __init__(self, url: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., webhook_id: _Optional[str] = ...) -> None: ...

class RevokeWebhookRequest(_message.Message):
    __slots__ = ("webhook", "awakeable_id")
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    AWAKEABLE_ID_FIELD_NUMBER: _ClassVar[int]
    webhook: str
    awakeable_id: str
    def __init__(self, webhook: _Optional[str] = ..., awakeable_id: _Optional[str] = ...) -> None: ...

class RevokeWebhookResponse(_message.Message):
    __slots__ = ("awakeable_id", "invocation_id", "resolved")
    AWAKEABLE_ID_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_FIELD_NUMBER: _ClassVar[int]
    awakeable_id: str
    invocation_id: str
    resolved: bool
    def __init__(self, awakeable_id: _Optional[str] = ..., invocation_id: _Optional[str] = ..., resolved: bool = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ("object", "key", "invocation_id")
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    INVOCATION_ID_FIELD_NUMBER: _ClassVar[int]
    object: str
    key: str
    invocation_id: str
    def __init__(self, object: _Optional[str] = ..., key: _Optional[str] = ..., invocation_id: _Optional[str] = ...) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("state",)
    class StateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _payload_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _containers.MessageMap[str, _payload_pb2.Payload]
    def __init__(self, state: _Optional[_Mapping[str, _payload_pb2.Payload]] = ...) -> None: ...

class SetStateRequest(_message.Message):
    __slots__ = ("object", "key", "state", "cleared_names", "clear_all", "request_id")
    class StateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _payload_pb2.Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_payload_pb2.Payload, _Mapping]] = ...) -> None: ...
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CLEARED_NAMES_FIELD_NUMBER: _ClassVar[int]
    CLEAR_ALL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    object: str
    key: str
    state: _containers.MessageMap[str, _payload_pb2.Payload]
    cleared_names: _containers.RepeatedScalarFieldContainer[str]
    clear_all: bool
    request_id: str
    def __init__(self, object: _Optional[str] = ..., key: _Optional[str] = ..., state: _Optional[_Mapping[str, _payload_pb2.Payload]] = ..., cleared_names: _Optional[_Iterable[str]] = ..., clear_all: bool = ..., request_id: _Optional[str] = ...) -> None: ...

class SetStateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "protocol_version_min", "protocol_version_max", "limits", "epoch", "start_time", "append_count", "time", "partition_count")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_MAX_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    APPEND_COUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PARTITION_COUNT_FIELD_NUMBER: _ClassVar[int]
    version: str
    protocol_version_min: int
    protocol_version_max: int
    limits: _containers.ScalarMap[str, int]
    epoch: int
    start_time: _timestamp_pb2.Timestamp
    append_count: int
    time: _timestamp_pb2.Timestamp
    partition_count: int
    def __init__(self, version: _Optional[str] = ..., protocol_version_min: _Optional[int] = ..., protocol_version_max: _Optional[int] = ..., limits: _Optional[_Mapping[str, int]] = ..., epoch: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., append_count: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition_count: _Optional[int] = ...) -> None: ...

class GetClusterRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClusterNode(_message.Message):
    __slots__ = ("name", "address", "version", "draining", "led_partitions", "followed_count", "format_level", "http_address", "stopping")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    LED_PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_COUNT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    HTTP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    version: str
    draining: bool
    led_partitions: _containers.RepeatedScalarFieldContainer[int]
    followed_count: int
    format_level: int
    http_address: str
    stopping: bool
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., version: _Optional[str] = ..., draining: bool = ..., led_partitions: _Optional[_Iterable[int]] = ..., followed_count: _Optional[int] = ..., format_level: _Optional[int] = ..., http_address: _Optional[str] = ..., stopping: bool = ...) -> None: ...

class DrainNodeRequest(_message.Message):
    __slots__ = ("node", "undo", "wait_timeout")
    NODE_FIELD_NUMBER: _ClassVar[int]
    UNDO_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    node: str
    undo: bool
    wait_timeout: _duration_pb2.Duration
    def __init__(self, node: _Optional[str] = ..., undo: bool = ..., wait_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class DrainNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: ClusterNode
    def __init__(self, node: _Optional[_Union[ClusterNode, _Mapping]] = ...) -> None: ...

class ClusterFollower(_message.Message):
    __slots__ = ("node", "position", "lag")
    NODE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    node: str
    position: int
    lag: int
    def __init__(self, node: _Optional[str] = ..., position: _Optional[int] = ..., lag: _Optional[int] = ...) -> None: ...

class ClusterPartition(_message.Message):
    __slots__ = ("partition", "has_leader", "leader", "epoch", "position", "followers")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    HAS_LEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    partition: int
    has_leader: bool
    leader: str
    epoch: int
    position: int
    followers: _containers.RepeatedCompositeFieldContainer[ClusterFollower]
    def __init__(self, partition: _Optional[int] = ..., has_leader: bool = ..., leader: _Optional[str] = ..., epoch: _Optional[int] = ..., position: _Optional[int] = ..., followers: _Optional[_Iterable[_Union[ClusterFollower, _Mapping]]] = ...) -> None: ...

class GetClusterResponse(_message.Message):
    __slots__ = ("system_id", "format_level", "standby_count", "answering_node", "nodes", "partitions")
    SYSTEM_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    STANDBY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERING_NODE_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    system_id: str
    format_level: int
    standby_count: int
    answering_node: str
    nodes: _containers.RepeatedCompositeFieldContainer[ClusterNode]
    partitions: _containers.RepeatedCompositeFieldContainer[ClusterPartition]
    def __init__(self, system_id: _Optional[str] = ..., format_level: _Optional[int] = ..., standby_count: _Optional[int] = ..., answering_node: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[ClusterNode, _Mapping]]] = ..., partitions: _Optional[_Iterable[_Union[ClusterPartition, _Mapping]]] = ...) -> None: ...
