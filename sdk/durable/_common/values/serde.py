"""Serialization: values to payloads and back.

JSON is the default: written from what the value is (`json_writer`) and read by what the type hint
says (`shapes`), so that a dataclass goes out as an object and comes back as that dataclass.
Protobuf messages and bytes travel in their own encodings. Pickle is never used, because a payload
may come from anywhere.

Every failure with a value is a CodecError, also when the value's own code raises. It names the
place (`value.items[3].cents`), and the program can catch it where it gives or gets the value. A
type that cannot be read at all is a HintError, raised where the type is named.
"""

from __future__ import annotations

import json
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from durable_proto.v1 import payload_pb2

from ..codecs.interface import is_encoded, problem_of
from ..errors import CodecError, text_of
from .json_writer import dump
from .roundtrip import roundtrip_problem
from .shape_factory import shape_of
from .shapes import Anything, Mismatch, Parsed, Shape, ThirdParty, Union

JSON = "application/json"
BYTES = "application/octet-stream"
_PROTOBUF = "application/x-protobuf; message="


def encode(value: Any) -> payload_pb2.Payload:
    """Returns the payload of a value; raises CodecError for what has no encoding."""
    if isinstance(value, Message):
        name = value.DESCRIPTOR.full_name
        try:
            data = value.SerializeToString(deterministic=True)
        except Exception as error:  # a required field of proto2 that is not set
            raise CodecError(f"the message {name} has no encoding: {text_of(error)}") from error
        return payload_pb2.Payload(content_type=_PROTOBUF + name, data=data)
    if isinstance(value, bytes | bytearray | memoryview):
        return payload_pb2.Payload(content_type=BYTES, data=bytes(value))
    try:
        if type(value) is int:  # faster than the JSON encoder
            return payload_pb2.Payload(data=b"%d" % value)
        return payload_pb2.Payload(data=dump(value).encode())
    except Exception as error:  # json's own, or any error of a property or `model_dump`
        words = text_of(error)
        if not isinstance(error, TypeError | ValueError):
            words = f"{type(error).__name__}: {words}"
        raise CodecError(
            f"a value of type {type(value).__qualname__} is no JSON: {words}"
        ) from error


def encode_as(value: Any, shape: Shape) -> payload_pb2.Payload:
    """Encodes a value that will be read with a shape; raises CodecError if that would change it."""
    try:
        problem = roundtrip_problem(value, shape)
    except RecursionError:  # encoding raises it too, with a better message
        problem = ""
    if problem:
        raise CodecError(problem)
    return encode(value)


def decode(payload: payload_pb2.Payload, hint: Any = Any) -> Any:
    """Returns the value of a payload, of the type that `hint` says.

    Raises CodecError for a payload that holds no such value, HintError for a type that cannot be
    read.
    """
    return decode_as(payload, shape_of(hint))


def decode_as(payload: payload_pb2.Payload, shape: Shape, place: str = "value") -> Any:
    """Decodes with a known shape. `place` is what errors call the value.

    Raises UndecodableValueError for a payload that a codec has encoded and none has decoded.
    """
    kind = payload.content_type
    if not kind or kind.startswith(JSON):
        data = load(payload.data)
        return data if isinstance(shape, Anything) else read_as(data, shape, place)
    if kind.startswith("application/x-protobuf"):
        return _decode_message(payload, shape)
    if is_encoded(payload):
        raise problem_of(payload, place)
    for cls in (bytes, bytearray):
        if _holds(shape, cls):
            return cls(payload.data)
    if kind == BYTES and isinstance(shape, Anything):
        return payload.data
    if kind == BYTES:
        raise CodecError(f"{place}: expected {shape.name}, got bytes ({BYTES})")
    raise CodecError(f"no codec for the content type {kind!r}; ask for it with type=bytes")


def read_as(data: Any, shape: Shape, place: str) -> Any:
    """Returns the value that plain data holds; raises CodecError, which names the place."""
    try:
        return shape.read(data, None)
    except Mismatch as error:
        raise CodecError(f"{place}{error.place}: {error}") from error.__cause__
    except RecursionError as error:
        raise CodecError(f"{place}: nested too deeply") from error
    except Exception as error:
        raise CodecError(f"{place}: {type(error).__name__}: {text_of(error)}") from error


def load(data: bytes) -> Any:
    """Returns the plain data of JSON text; raises CodecError for invalid or too large data."""
    try:
        return _load(data.decode())
    except RecursionError as error:
        raise CodecError("the payload is no JSON that can be read: nested too deeply") from error
    except ValueError as error:
        raise CodecError(f"the payload is no JSON: {error}") from error


def load_object(payload: payload_pb2.Payload, what: str) -> dict[str, Any]:
    """Returns the plain data of a JSON object; raises CodecError for any other payload."""
    kind = payload.content_type
    if is_encoded(payload):
        raise problem_of(payload, what)
    data = load(payload.data) if not kind or kind.startswith(JSON) else None
    if not isinstance(data, dict):
        given = type(data).__name__ if data is not None else kind or "None"
        raise CodecError(f"{what} are an object by name, got {given}")
    return data


def _decode_message(payload: payload_pb2.Payload, shape: Shape) -> Message:
    _, _, name = payload.content_type.partition("message=")
    name = name.strip(' "')
    known = {
        it.cls.DESCRIPTOR.full_name: it.cls
        for it in members_of(shape)
        if isinstance(it, ThirdParty) and it.native
    }
    cls: type[Message]
    if known:
        if name and name not in known:
            raise CodecError(f"the payload is a {name}, not a {' or a '.join(known)}")
        cls = known[name] if name else next(iter(known.values()))
    elif not isinstance(shape, Anything):
        raise CodecError(f"the payload is the message {name}, not of the type {shape.name}")
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


def members_of(shape: Shape) -> list[Shape]:
    """Returns the members of a union; any other shape is its own only one."""
    return list(shape.members) if isinstance(shape, Union) else [shape]


def _holds(shape: Shape, cls: type) -> bool:
    return any(isinstance(it, Parsed) and it.cls is cls for it in members_of(shape))


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")


def _float(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text:.50} is out of the range of a float")
    return number


_load: Final = json.JSONDecoder(parse_float=_float, parse_constant=_no_constant).decode
