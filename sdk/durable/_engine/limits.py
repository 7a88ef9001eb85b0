"""Limits: checks values and texts before they become entries.

The server would refuse what exceeds a limit, and end the attempt. Here the error is raised in the
program, at the line that made the value, where the program can handle it.
"""

from __future__ import annotations

from typing import Final

from durable_proto.v1 import payload_pb2

from .._common.errors import TerminalError
from .entry_kinds import describe

TEXT_BYTES_MAX: Final = 256
"""The protocol's limit for a name, a key or an id: the control plane's `id_bytes`."""


def too_large(what: str, size: int, limit: int) -> TerminalError:
    """Returns the error for a value over the limit; terminal, because a retry makes the same value."""
    return TerminalError(
        f"{what} has {size} bytes, more than the limit payload_bytes ({limit}); store it elsewhere"
        " and give a reference",
        metadata={"limit": "payload_bytes", "size_bytes": str(size)},
    )


def check_payload(kind: int, name: str, payload: payload_pb2.Payload | None, limit: int) -> None:
    """Raises TerminalError for an operation's value that is over the limit."""
    if payload is not None and len(payload.data) > limit:
        raise too_large(f"the value for {describe(kind, name)}", len(payload.data), limit)


def check_text(what: str, text: str) -> None:
    """Raises for a text that no entry can hold.

    An operation checks all its texts before it gets an index: a refused operation leaves no entry.
    Raises TypeError for what is no str; ValueError for more than TEXT_BYTES_MAX bytes of UTF-8, for
    a NUL, and for what is no Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {text!r}")
    size = len(text.encode())
    if size > TEXT_BYTES_MAX:
        raise ValueError(
            f"{what} has {size} bytes, and the limit is at most {TEXT_BYTES_MAX} bytes of UTF-8;"
            " take a shorter one, such as a hash of it"
        )
    if "\0" in text:
        raise ValueError(f"{what} has a NUL character; leave it out of {text!r}")
