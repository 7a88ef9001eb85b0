"""Outcomes that the rules make themselves, on the wire format of `durable.v1.Outcome`.

The rules treat users' values as opaque bytes and need no message classes. The few outcomes that the
system itself gives (a timer's end, a child's id, an end by cancellation) are so small that writing
them by hand costs less than a dependency of the core on generated code; a test reads each with it.

Of the messages this is used: Outcome {1: Payload value, 2: Failure failure}, Payload {2: data},
Failure {1: type, 2: message, 7: terminal}.
"""

from __future__ import annotations

import json

from .model import Failure

NULL_OUTCOME = b"\x0a\x06\x12\x04null"
"""An outcome whose value is JSON null: how a timer ends."""

_TERMINAL = b"\x38\x01"
_TEXT_BYTES = 8 * 1024


def text_outcome(text: str) -> bytes:
    """Returns an outcome whose value is a JSON string."""
    return _field(1, _field(2, json.dumps(text).encode()))


def value_outcome(payload: bytes | None) -> bytes:
    """Returns an outcome with a serialized Payload as its value; without one an empty outcome."""
    return b"" if payload is None else _field(1, payload)


def names_outcome(names: list[str]) -> bytes:
    """Returns an outcome whose value is a JSON array of strings."""
    return _field(1, _field(2, json.dumps(names).encode()))


def make_failure(kind: str, message: str, *, terminal: bool = True) -> Failure:
    """Returns a failure of the system's own making, or one that is told in short."""
    cut = message.encode()[:_TEXT_BYTES]
    data = _field(1, kind.encode()) + _field(2, cut)
    return Failure(kind, message, data + _TERMINAL if terminal else data)


def failure_outcome(kind: str, message: str) -> bytes:
    """Returns an outcome that is a terminal failure."""
    return _field(2, make_failure(kind, message).data)


def terminal_outcome(failure: Failure) -> bytes:
    """Returns the outcome of an invocation whose last failure was final.

    Of a field that occurs twice the last counts, so that `terminal` can be added at the end.
    """
    return _field(2, failure.data + _TERMINAL)


def _field(number: int, data: bytes) -> bytes:
    """Returns a length-delimited field; numbers up to 15."""
    size = len(data)
    prefix = bytearray((number << 3 | 2,))
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + data
