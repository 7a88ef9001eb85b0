"""The outcomes that the rules make or read themselves, in the wire format of `durable.v1.Outcome`.

Users' values are opaque bytes to the rules, so the core needs no message classes. The few outcomes that
the control plane makes (the end of a timer, the id of a child, a cancellation) are so small that they
are encoded here, without a dependency of the core on generated code; a test reads each with that code.

These fields are used: Outcome {1: Payload value, 2: Failure failure}, Payload {1: content_type,
2: data}, Failure {1: type, 2: message, 7: terminal}.
"""

from __future__ import annotations

import hashlib
import json

from .model import Failure, Invocation

NULL_OUTCOME = b"\x0a\x06\x12\x04null"
"""An outcome whose value is JSON null, for a timer for example."""

ENCODED = "application/x-durable-"
"""How the content type of a value begins that a codec of an SDK has encoded, such as an encrypted one:
only the program can read it.
"""

_TERMINAL = b"\x38\x01"
_ENCODED = ENCODED.encode()
_TEXT_BYTES = 8 * 1024
_FIXED_BYTES = {1: 8, 5: 4}
"""The sizes of fields of fixed size, by their wire type."""


def text_outcome(text: str) -> bytes:
    """Returns an outcome whose value is a JSON string."""
    return _field(1, _field(2, json.dumps(text).encode()))


def value_outcome(payload: bytes | None) -> bytes:
    """Returns an outcome whose value is a serialized Payload; for None an empty outcome."""
    return b"" if payload is None else _field(1, payload)


def read_value(outcome: bytes) -> tuple[str, bytes] | None:
    """Returns the content type and the data of an outcome's value; None if it has no value.

    The outcome is one of a program, whose message classes have written it.
    """
    payload = _fields(outcome).get(1)
    if payload is None:
        return None
    fields = _fields(payload)
    return fields.get(1, b"").decode(), fields.get(2, b"")


def read_payload(outcome: bytes) -> bytes | None:
    """Returns the serialized Payload of an outcome; None if it has no value."""
    return _fields(outcome).get(1)


def same_input(first: bytes | None, second: bytes | None) -> bool:
    """Returns whether two inputs, each a serialized Payload, are the same as far as that can be known.

    Each encryption of a value differs, so two encoded inputs cannot be compared: they count as equal.
    """
    return first == second or (_is_encoded(first) and _is_encoded(second))


def input_digest(payload: bytes | None) -> bytes:
    """Returns what identifies an input as well as `same_input` does, in a few bytes; never empty."""
    if _is_encoded(payload):
        return b"encoded"
    if payload is None:
        return b"none"
    return hashlib.blake2b(payload, digest_size=16).digest()


def invoked_with(invocation: Invocation, payload: bytes | None) -> bool:
    """Returns whether an invocation was made with this input; a later run may have another one."""
    if invocation.first_input:
        return invocation.first_input == input_digest(payload)
    return same_input(invocation.input, payload)


def _is_encoded(payload: bytes | None) -> bool:
    # The content type comes first, after its tag and its length of one byte.
    return payload is not None and payload[:1] == b"\x0a" and payload.startswith(_ENCODED, 2)


def names_outcome(names: list[str]) -> bytes:
    """Returns an outcome whose value is a JSON array of strings."""
    return _field(1, _field(2, json.dumps(names).encode()))


def make_failure(kind: str, message: str, *, terminal: bool = True) -> Failure:
    """Returns a failure of the control plane, or the short form of another failure."""
    cut = message.encode()[:_TEXT_BYTES]
    data = _field(1, kind.encode()) + _field(2, cut)
    return Failure(kind, message, data + _TERMINAL if terminal else data)


def failure_outcome(kind: str, message: str) -> bytes:
    """Returns an outcome that is a terminal failure."""
    return _field(2, make_failure(kind, message).data)


def terminal_outcome(failure: Failure) -> bytes:
    """Returns a failure as the outcome of an invocation, marked as terminal.

    Protobuf takes the last of a field that occurs twice, so `terminal` can be appended.
    """
    return _field(2, failure.data + _TERMINAL)


def _fields(message: bytes) -> dict[int, bytes]:
    """Returns the length-delimited fields of a message by number; the last one of a number counts.

    It passes over other fields, which a newer version of the message may have.
    """
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 2:
            size, at = _varint(message, at)
            fields[number] = message[at : at + size]
            at += size
        elif kind == 0:
            _, at = _varint(message, at)
        elif kind in _FIXED_BYTES:
            at += _FIXED_BYTES[kind]
        else:
            break  # a group, which proto3 does not have
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Returns the number at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _field(number: int, data: bytes) -> bytes:
    """Returns a length-delimited field, with a number of at most 15."""
    size = len(data)
    prefix = bytearray((number << 3 | 2,))
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + data
