"""What one frame of the log carries: a batch of records and the one clock reading they share.

Encoded as MessagePack: `[time_ms, [[number, [field, ...]], ...]]`. Records are tuples, so an old
batch that lacks the newest fields reads with their defaults. msgspec does both directions in C, with
types checked on the way in: a batch that does not fit is an error and never a half-read one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..core.records import NUMBERS, Record

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, msgspec.Raw]]]).decode
_decoders = {number: msgspec.msgpack.Decoder(kind).decode for kind, number in NUMBERS.items()}


class Batch(NamedTuple):
    """Records that are applied together."""

    time_ms: int
    records: Sequence[Record]


class UndecodableBatchError(Exception):
    """A frame holds something that this program cannot read: it was written by a newer one."""


def encode(batch: Batch) -> bytes:
    """Returns the body of a frame."""
    return join(batch.time_ms, [encode_record(record) for record in batch.records])


def encode_record(record: Record) -> bytes:
    """Returns a record as a body has it: so its size is known before it is in a batch.

    Raises OverflowError for a number that no record can hold.
    """
    return _encode((NUMBERS[type(record)], record))


def join(time_ms: int, records: Sequence[bytes]) -> bytes:
    """Returns the body of a frame with these encoded records."""
    return _encode((time_ms, [msgspec.Raw(it) for it in records]))


def decode(body: bytes) -> Batch:
    """Returns the batch in the body of a frame; raises UndecodableBatchError."""
    try:
        time_ms, numbered = _decode(body)
        return Batch(time_ms, [_decoders[number](raw) for number, raw in numbered])
    except (msgspec.MsgspecError, KeyError) as error:
        raise UndecodableBatchError(
            f"cannot read a batch of {len(body)} bytes ({error}): "
            "was this log written by a newer version? Start that version, or a newer one"
        ) from error
