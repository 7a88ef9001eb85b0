from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PartRequest(_message.Message):
    __slots__ = ("partitions", "request", "after", "after_name")
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    AFTER_NAME_FIELD_NUMBER: _ClassVar[int]
    partitions: _containers.RepeatedScalarFieldContainer[int]
    request: bytes
    after: Place
    after_name: str
    def __init__(self, partitions: _Optional[_Iterable[int]] = ..., request: _Optional[bytes] = ..., after: _Optional[_Union[Place, _Mapping]] = ..., after_name: _Optional[str] = ...) -> None: ...

class PartResponse(_message.Message):
    __slots__ = ("partitions", "response", "places", "more")
    PARTITIONS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    partitions: _containers.RepeatedScalarFieldContainer[int]
    response: bytes
    places: _containers.RepeatedCompositeFieldContainer[Place]
    more: bool
    def __init__(self, partitions: _Optional[_Iterable[int]] = ..., response: _Optional[bytes] = ..., places: _Optional[_Iterable[_Union[Place, _Mapping]]] = ..., more: bool = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("time_ms", "partition", "number")
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    partition: int
    number: int
    def __init__(self, time_ms: _Optional[int] = ..., partition: _Optional[int] = ..., number: _Optional[int] = ...) -> None: ...

class WorkersPart(_message.Message):
    __slots__ = ("response", "relayed_ids")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    RELAYED_IDS_FIELD_NUMBER: _ClassVar[int]
    response: bytes
    relayed_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, response: _Optional[bytes] = ..., relayed_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchPart(_message.Message):
    __slots__ = ("request", "known")
    class KnownEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    request: bytes
    known: _containers.ScalarMap[int, int]
    def __init__(self, request: _Optional[bytes] = ..., known: _Optional[_Mapping[int, int]] = ...) -> None: ...
