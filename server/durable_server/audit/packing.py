"""The messages of the stream: lines of the audit, compressed where that makes them smaller.

Lines are much alike, so a batch of many takes about a fifth of its size; the random ids in each line
are most of that. A message begins with `{` if it is plain, else it is in the zlib format.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from ..access.audit import AuditedCall
from .lines import DamagedLineError, decode, encode

MESSAGE_BYTES: Final = 256 * 1024
"""The most bytes of lines in one message: with any content, it fits into what NATS takes."""
_LEVEL: Final = 1


def packed(calls: Sequence[AuditedCall]) -> Iterator[bytes]:
    """Yields the messages of some calls, in order."""
    lines: list[bytes] = []
    size = 0
    for call in calls:
        line = encode(call)
        if lines and size + len(line) > MESSAGE_BYTES:
            yield _message(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield _message(lines)


def unpacked(message: bytes) -> list[AuditedCall]:
    """Returns the calls of a message, in order. Raises DamagedLineError."""
    if not message.startswith(b"{"):
        stream = zlib.decompressobj()
        try:
            message = stream.decompress(message, MESSAGE_BYTES + 1)
        except zlib.error as error:
            raise DamagedLineError(str(error)) from error
        if not stream.eof or len(message) > MESSAGE_BYTES:
            raise DamagedLineError(f"the message ends early, or has over {MESSAGE_BYTES} bytes")
    return [decode(it) for it in message.splitlines()]


def _message(lines: Sequence[bytes]) -> bytes:
    data = b"".join(lines)
    small = zlib.compress(data, _LEVEL)
    return small if len(small) < len(data) else data
