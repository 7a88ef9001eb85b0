"""Values to payloads and back.

JSON by default, written from what the value is and read by what the type hint says, so that a
dataclass goes out as an object and comes back as that dataclass. Protobuf messages and bytes travel
in their own encodings. Never pickle: a payload may come from anywhere.

A reader is built once for each type hint: a function from plain JSON data to the value, which raises
CodecError naming the place. Types without a reader of their own (Any, TypedDict, unknown classes) are
given the plain data.

What is written follows from the value alone and not from the process that writes it: sets are
sorted, because the order of a set of strings is another one in each process.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import types
import typing
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from durable_proto.v1 import payload_pb2

from ._errors import CodecError

JSON = "application/json"
BYTES = "application/octet-stream"
_PROTOBUF = "application/x-protobuf; message="

Reader: TypeAlias = Callable[[Any, str], Any]


def encode(value: Any) -> payload_pb2.Payload:
    """Returns the payload of a value; raises CodecError for what has no encoding."""
    if isinstance(value, Message):
        name = value.DESCRIPTOR.full_name
        return payload_pb2.Payload(
            content_type=_PROTOBUF + name, data=value.SerializeToString(deterministic=True)
        )
    if isinstance(value, bytes | bytearray | memoryview):
        return payload_pb2.Payload(content_type=BYTES, data=bytes(value))
    try:
        if type(value) is int:  # the encoder makes a machine for it
            return payload_pb2.Payload(data=b"%d" % value)
        try:
            text = _dump(value)
        except TypeError:  # a dict whose keys json does not know, as a rule
            text = _dump(_plain(value))
        return payload_pb2.Payload(data=text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise CodecError(
            f"a value of type {type(value).__qualname__} is no JSON: {error}"
        ) from error


def decode(payload: payload_pb2.Payload, hint: Any = Any) -> Any:
    """Returns the value of a payload, of the type that `hint` says; raises CodecError."""
    kind = payload.content_type
    if not kind or kind.startswith(JSON):
        try:
            data = _load(payload.data.decode())
        except ValueError as error:
            raise CodecError(f"the payload is no JSON: {error}") from error
        read = reader(hint)
        return data if read is None else read(data, "value")
    if kind.startswith("application/x-protobuf"):
        return _decode_message(payload, hint)
    if kind == BYTES or hint is bytes:
        return payload.data
    raise CodecError(f"no codec for the content type {kind!r}; ask for it with type=bytes")


def _decode_message(payload: payload_pb2.Payload, hint: Any) -> Message:
    cls: type[Message]
    _, _, name = payload.content_type.partition("message=")
    name = name.strip(' "')
    if isinstance(hint, type) and issubclass(hint, Message):
        cls = hint
        if name and name != cls.DESCRIPTOR.full_name:
            raise CodecError(f"the payload is a {name}, not a {cls.DESCRIPTOR.full_name}")
    else:
        try:
            descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
        except KeyError:
            raise CodecError(f"the message type {name!r} is not known here; import it") from None
        cls = message_factory.GetMessageClass(descriptor)
    try:
        return cls.FromString(payload.data)
    except DecodeError as error:
        raise CodecError(f"the payload is no {cls.DESCRIPTOR.full_name}: {error}") from error


def _default(value: Any) -> Any:
    """Turns what json does not know into what it does."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {it.name: getattr(value, it.name) for it in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        try:
            return sorted(value)
        except TypeError:  # of things that have no order
            return sorted(value, key=_dump)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Message):
        return json_format.MessageToDict(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    if isinstance(value, Awaitable):
        raise TypeError("it was not awaited; write `await` in front of it")
    raise TypeError(
        "give a dataclass, a pydantic model, a protobuf message, or dicts and lists of such values"
    )


def _plain(value: Any) -> Any:
    """Returns a value as plain JSON data, with keys of every kind that has a text."""
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return _plain(_default(value))


def _key(key: Any) -> Any:
    if isinstance(key, enum.Enum):
        return key.value
    if isinstance(key, datetime | date | time):
        return key.isoformat()
    return str(key) if isinstance(key, uuid.UUID | Decimal) else key


_dump = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_default
).encode


_load = json.JSONDecoder().decode


def reader(hint: Any) -> Reader | None:
    """Returns what reads plain JSON data as the type `hint`; None when the data is the value."""
    try:
        return _reader(hint)
    except TypeError:  # a hint that cannot be hashed, such as Annotated[..., []]
        return _make_reader(hint)


@lru_cache(maxsize=4096)
def _reader(hint: Any) -> Reader | None:
    return _make_reader(hint)


def _make_reader(hint: Any) -> Reader | None:
    if isinstance(hint, typing.NewType):
        return reader(hint.__supertype__)
    if hint in _SIMPLE:
        return _simple(hint)
    if hint is None or hint is types.NoneType:
        return _none
    origin = typing.get_origin(hint)
    if origin is not None:
        return _generic(origin, typing.get_args(hint))
    if not isinstance(hint, type):
        return None
    if issubclass(hint, enum.Enum):
        return _called(hint, hint)
    if hint in _PARSED:
        return _called(hint, _PARSED[hint])
    if hint in (list, dict):
        return _simple(hint)
    if hint in (tuple, set, frozenset):
        return _called(hint, hint)
    if dataclasses.is_dataclass(hint):
        return _object(hint)
    if issubclass(hint, Message):
        return _message(hint)
    if issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _named_tuple(hint)
    validate = getattr(hint, "model_validate", None)
    if validate is not None:
        return _called(hint, validate)
    return None


_SIMPLE: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (float, int),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
}


def _wrong(place: str, expected: str, data: Any) -> CodecError:
    return CodecError(f"{place}: expected {expected}, got {type(data).__name__}")


def _simple(hint: Any) -> Reader:
    allowed: Any = _SIMPLE[hint]

    def read(data: Any, place: str) -> Any:
        if isinstance(data, allowed) and (hint is bool or not isinstance(data, bool)):
            return hint(data) if hint is float else data
        raise _wrong(place, hint.__name__, data)

    return read


def _none(data: Any, place: str) -> None:
    if data is not None:
        raise _wrong(place, "null", data)


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_PARSED: dict[type, Callable[[Any], Any]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    timedelta: lambda seconds: timedelta(seconds=seconds),
    uuid.UUID: uuid.UUID,
    Decimal: Decimal,
    bytes: _from_base64,
}


def _called(hint: type, make: Callable[[Any], Any]) -> Reader:
    def read(data: Any, place: str) -> Any:
        try:
            return make(data)
        except ArithmeticError as error:  # decimal's, which shows its own classes instead of words
            raise CodecError(f"{place}: no {hint.__name__}: {data!r:.100}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CodecError(f"{place}: no {hint.__name__}: {error}") from error

    return read


def _message(hint: type[Message]) -> Reader:
    def read(data: Any, place: str) -> Message:
        try:
            return json_format.ParseDict(data, hint())
        except (json_format.ParseError, AttributeError, TypeError) as error:
            raise CodecError(f"{place}: no {hint.DESCRIPTOR.full_name}: {error}") from error

    return read


def _field_readers(hint: Any) -> dict[str, Reader | None]:
    hints = typing.get_type_hints(hint, include_extras=True)
    return {it.name: reader(hints[it.name]) for it in dataclasses.fields(hint) if it.init}


def _object(hint: type) -> Reader:
    # Made at the first use: the fields of a recursive type name the type itself.
    readers: dict[str, Reader | None] | None = None

    def read(data: Any, place: str) -> Any:
        nonlocal readers
        if readers is None:
            readers = _field_readers(hint)
        if not isinstance(data, dict):
            raise _wrong(place, f"an object for {hint.__name__}", data)
        given = {
            name: data[name] if read_field is None else read_field(data[name], f"{place}.{name}")
            for name, read_field in readers.items()
            if name in data
        }
        try:
            return hint(**given)
        except TypeError as error:
            raise CodecError(f"{place}: {error}") from error

    return read


def _named_tuple(hint: type) -> Reader:
    hints = typing.get_type_hints(hint)
    fields: tuple[str, ...] = hint._fields  # type: ignore[attr-defined]  # a NamedTuple class
    readers = [reader(hints.get(name, Any)) for name in fields]

    def read(data: Any, place: str) -> Any:
        if not isinstance(data, list) or len(data) != len(fields):
            raise _wrong(place, f"an array of {len(fields)} for {hint.__name__}", data)
        return hint(*_each(data, readers, place))

    return read


def _each(data: list[Any], readers: Sequence[Reader | None], place: str) -> list[Any]:
    return [
        item if read is None else read(item, f"{place}[{number}]")
        for number, (item, read) in enumerate(zip(data, readers, strict=True))
    ]


def _generic(origin: Any, args: tuple[Any, ...]) -> Reader | None:
    if origin is typing.Annotated or origin in (typing.Required, typing.NotRequired):
        return reader(args[0])
    if origin is typing.Union or origin is types.UnionType:
        return _union(args)
    if origin is typing.Literal:
        return _literal(args)
    if not isinstance(origin, type):
        return None
    if issubclass(origin, tuple):
        return _tuple(args)
    if issubclass(origin, Mapping):
        return _mapping(args)
    if issubclass(origin, list | set | frozenset) or origin in (
        typing.get_origin(Sequence[int]),
        typing.get_origin(typing.Iterable[int]),
        typing.get_origin(typing.Collection[int]),
    ):
        make = origin if issubclass(origin, set | frozenset) else list
        return _collection(make, reader(args[0]) if args else None)
    return _make_reader(origin)


def _collection(make: Callable[[list[Any]], Any], item: Reader | None) -> Reader:
    def read(data: Any, place: str) -> Any:
        if not isinstance(data, list):
            raise _wrong(place, "an array", data)
        if item is None:
            return make(data)
        return make([item(it, f"{place}[{number}]") for number, it in enumerate(data)])

    return read


def _tuple(args: tuple[Any, ...]) -> Reader:
    if len(args) == 2 and args[1] is Ellipsis:
        return _collection(tuple, reader(args[0]))
    readers = [reader(it) for it in args]

    def read(data: Any, place: str) -> Any:
        if not isinstance(data, list) or len(data) != len(readers):
            raise _wrong(place, f"an array of {len(readers)}", data)
        return tuple(_each(data, readers, place))

    return read


def _members(hint: Any) -> dict[str, Any]:
    """Returns an enum's members by the text of their values: keys are texts in JSON."""
    return {str(it.value): it for it in hint}


def _mapping(args: tuple[Any, ...]) -> Reader:
    key_hint, value_hint = args if len(args) == 2 else (Any, Any)
    value = reader(value_hint)
    key: Reader | None
    if key_hint in (int, float):
        key = _called(key_hint, key_hint)
    elif isinstance(key_hint, enum.EnumMeta):
        key = _called(key_hint, _members(key_hint).__getitem__)
    else:
        key = None if key_hint is str else reader(key_hint)

    def read(data: Any, place: str) -> Any:
        if not isinstance(data, dict):
            raise _wrong(place, "an object", data)
        return {
            name if key is None else key(name, f"{place} key {name!r}"): (
                it if value is None else value(it, f"{place}[{name!r}]")
            )
            for name, it in data.items()
        }

    return read


def _union(args: tuple[Any, ...]) -> Reader | None:
    readers = [reader(it) for it in args]
    if None in readers:
        return None
    # Exact JSON types first: an int for `float | int` stays an int, a string no datetime.
    order = sorted(range(len(args)), key=lambda number: args[number] not in _EXACT)
    choices = [readers[number] for number in order]

    def read(data: Any, place: str) -> Any:
        problems: list[str] = []
        for choice in choices:
            assert choice is not None
            try:
                return choice(data, place)
            except CodecError as error:
                problems.append(str(error))
        raise CodecError(f"{place}: fits none of the union: {'; '.join(problems)}")

    return read


_EXACT = (types.NoneType, bool, int, str)


def _literal(args: tuple[Any, ...]) -> Reader:
    def read(data: Any, place: str) -> Any:
        for value in args:
            if (value.value if isinstance(value, enum.Enum) else value) == data:
                return value
        raise CodecError(f"{place}: {data!r} is none of {', '.join(map(repr, args))}")

    return read
