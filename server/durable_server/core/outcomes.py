"""The outcomes that the rules make themselves, in the wire format of `durable.v1.Outcome`.

Users' values are opaque bytes to the rules, so the core needs no message classes. The few outcomes that
the control plane makes (the end of a timer, the id of a child, a cancellation) are so small that they
are encoded here, without a dependency of the core on generated code; a test reads each with that code.

These fields are used: Outcome {1: Payload value, 2: Failure failure}, Payload {2: data},
Failure {1: type, 2: message, 7: terminal}.
"""

from __future__ import annotations

import json

from .model import Failure

NULL_OUTCOME = b"\x0a\x06\x12\x04null"
"""An outcome whose value is JSON null, for a timer for example."""

_TERMINAL = b"\x38\x01"
_TEXT_BYTES = 8 * 1024


def text_outcome(text: str) -> bytes:
    """Returns an outcome whose value is a JSON string."""
    return _field(1, _field(2, json.dumps(text).encode()))


def value_outcome(payload: bytes | None) -> bytes:
    """Returns an outcome whose value is a serialized Payload; for None an empty outcome."""
    return b"" if payload is None else _field(1, payload)


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


def _field(number: int, data: bytes) -> bytes:
    """Returns a length-delimited field, with a number of at most 15."""
    size = len(data)
    prefix = bytearray((number << 3 | 2,))
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + data
