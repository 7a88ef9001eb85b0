from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RelayedHello(_message.Message):
    __slots__ = ("hello", "share", "entry_node", "epochs")
    class EpochsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    hello: bytes
    share: int
    entry_node: str
    epochs: _containers.ScalarMap[int, int]
    def __init__(self, hello: _Optional[bytes] = ..., share: _Optional[int] = ..., entry_node: _Optional[str] = ..., epochs: _Optional[_Mapping[int, int]] = ...) -> None: ...

class RelayedRequest(_message.Message):
    __slots__ = ("frame", "grant", "left")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    frame: bytes
    grant: SlotGrant
    left: bool
    def __init__(self, frame: _Optional[bytes] = ..., grant: _Optional[_Union[SlotGrant, _Mapping]] = ..., left: bool = ...) -> None: ...

class RelayedResponse(_message.Message):
    __slots__ = ("opened", "frame", "report", "replaced")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    opened: bool
    frame: bytes
    report: SlotReport
    replaced: bool
    def __init__(self, opened: bool = ..., frame: _Optional[bytes] = ..., report: _Optional[_Union[SlotReport, _Mapping]] = ..., replaced: bool = ...) -> None: ...

class SlotGrant(_message.Message):
    __slots__ = ("units", "keep")
    UNITS_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    units: int
    keep: int
    def __init__(self, units: _Optional[int] = ..., keep: _Optional[int] = ...) -> None: ...

class SlotReport(_message.Message):
    __slots__ = ("returned", "wants", "received")
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    returned: int
    wants: int
    received: int
    def __init__(self, returned: _Optional[int] = ..., wants: _Optional[int] = ..., received: _Optional[int] = ...) -> None: ...
