from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PartEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PART_END_UNSPECIFIED: _ClassVar[PartEnd]
    PART_END_LAST: _ClassVar[PartEnd]
    PART_END_DONE: _ClassVar[PartEnd]
    PART_END_REFUSED: _ClassVar[PartEnd]
    PART_END_CANCELLED: _ClassVar[PartEnd]
PART_END_UNSPECIFIED: PartEnd
PART_END_LAST: PartEnd
PART_END_DONE: PartEnd
PART_END_REFUSED: PartEnd
PART_END_CANCELLED: PartEnd

class LinkRequest(_message.Message):
    __slots__ = ("parts", "greeting")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    GREETING_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    greeting: Greeting
    def __init__(self, parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., greeting: _Optional[_Union[Greeting, _Mapping]] = ...) -> None: ...

class Greeting(_message.Message):
    __slots__ = ("secret", "system", "caller", "called")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CALLED_FIELD_NUMBER: _ClassVar[int]
    secret: str
    system: str
    caller: str
    called: str
    def __init__(self, secret: _Optional[str] = ..., system: _Optional[str] = ..., caller: _Optional[str] = ..., called: _Optional[str] = ...) -> None: ...

class LinkResponse(_message.Message):
    __slots__ = ("parts", "ended")
    PARTS_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    ended: str
    def __init__(self, parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., ended: _Optional[str] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("call", "method", "body", "more", "end", "status", "caller")
    CALL_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    call: int
    method: str
    body: bytes
    more: bool
    end: PartEnd
    status: bytes
    caller: bytes
    def __init__(self, call: _Optional[int] = ..., method: _Optional[str] = ..., body: _Optional[bytes] = ..., more: bool = ..., end: _Optional[_Union[PartEnd, str]] = ..., status: _Optional[bytes] = ..., caller: _Optional[bytes] = ...) -> None: ...
