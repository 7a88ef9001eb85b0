"""Payloads in messages: encodes or decodes all payloads of one message of the protocol.

Which fields may hold a payload follows from the descriptors, once for each type of message. So a
field that is added to the protocol later cannot be forgotten and sent in plain text.

Rules.
- Both directions change the message itself.
- A payload that is encoded already is left alone when it is encoded. So a request that is sent
  again, with the same request id, is the same request.
- A payload that was never encoded is left alone when it is decoded.
- Failures have no payload: they stay as they are.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from durable_proto.v1 import payload_pb2

from ..errors import UndecodableValueError
from .interface import ENCODED_PREFIX, Codec, failure_of, is_encoded, note_problem

_PAYLOAD: Final = payload_pb2.Payload.DESCRIPTOR


class _Field(NamedTuple):
    """A field of a message that is a payload or may hold one."""

    name: str
    single: bool
    map: bool
    payload: bool
    """True if its messages are payloads themselves."""


def encode_message(codec: Codec, message: Message) -> None:
    """Encodes all payloads of a message. Raises what the codec raises, and ValueError for a content
    type that no encoded payload may have.
    """
    for payload in payloads_of(message):
        if not is_encoded(payload):
            encoded = codec.encode(payload)
            if not is_encoded(encoded):
                raise ValueError(
                    f"{type(codec).__name__}.encode returned the content type"
                    f" {encoded.content_type!r}, which must begin with {ENCODED_PREFIX!r}"
                )
            payload.CopyFrom(encoded)


def decode_message(codec: Codec, message: Message) -> None:
    """Decodes all payloads of a message; those that cannot be decoded get a note of the reason.

    Raises what `decode_all` of the codec raises.
    """
    found = [payload for payload in payloads_of(message) if is_encoded(payload)]
    if not found:
        return
    for payload, decoded in zip(found, codec.decode_all(found), strict=True):
        if isinstance(decoded, UndecodableValueError):
            note_problem(payload, decoded)
        else:
            payload.CopyFrom(decoded)


def note_all(codec: Codec, message: Message, error: Exception) -> None:
    """Notes in all encoded payloads of a message that the codec has failed."""
    for payload in payloads_of(message):
        if is_encoded(payload):
            note_problem(payload, failure_of(codec, error))


def payloads_of(message: Message) -> list[Any]:
    """Returns all payloads of a message."""
    found: list[Any] = []
    _collect(message, found)
    return found


def _collect(message: Message, found: list[Any]) -> None:
    # Called for each message of a session, so it makes no generators.
    for name, single, is_map, is_payload in _fields(message.DESCRIPTOR):
        if single:
            if message.HasField(name):
                part = getattr(message, name)
                if is_payload:
                    found.append(part)
                else:
                    _collect(part, found)
            continue
        held = getattr(message, name)
        for part in held.values() if is_map else held:
            if is_payload:
                found.append(part)
            else:
                _collect(part, found)


@cache
def _fields(descriptor: Descriptor) -> tuple[_Field, ...]:
    """Returns the fields of a type of message that are payloads or may hold one."""
    found = []
    for field in descriptor.fields:
        held, is_map = _held(field)
        if held is not None and (held is _PAYLOAD or _reaches(held, frozenset({descriptor}))):
            found.append(_Field(field.name, not field.is_repeated, is_map, held is _PAYLOAD))
    return tuple(found)


def _held(field: FieldDescriptor) -> tuple[Descriptor | None, bool]:
    """Returns the type of a field's messages, and whether it is a map to them."""
    held = field.message_type
    if held is not None and held.GetOptions().map_entry:
        return held.fields_by_name["value"].message_type, True
    return held, False


def _reaches(descriptor: Descriptor, passed: frozenset[Descriptor]) -> bool:
    """Returns True if a message of this type may hold a payload, at any depth."""
    if descriptor in passed:
        return False
    within = passed | {descriptor}
    parts = (_held(field)[0] for field in descriptor.fields)
    return any(it is _PAYLOAD or _reaches(it, within) for it in parts if it is not None)
