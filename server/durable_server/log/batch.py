"""The body of a frame: a batch of records and the clock reading that they share.

The encoding is MessagePack: `[time_ms, [[number, [field, ...]], ...]]`. Records are tuples, so a batch
of an older version, which lacks the newest fields, is read with the defaults of these fields. msgspec
encodes and decodes in C and checks the types while it decodes, so a batch that does not fit is an error
and is never read in part. The kind of a journal entry is checked too: a kind that this version does not
know has rules that it does not know, so the batch is refused as an unknown record is. The messages in a
`Received` are of several types, and stand as `message_codec` encodes them. A `LevelRaised` of a level
that this version does not know is refused too, and so what follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from ..core.entry_kinds import KINDS
from ..core.levels import FORMAT_LEVEL, fit
from ..core.records import NUMBERS, EntryRecorded, LevelRaised, Received, Record
from .message_codec import decode_message, encode_message

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, msgspec.Raw]]]).decode
_decode_received_fields = msgspec.msgpack.Decoder(tuple[int, int, list[msgspec.Raw]]).decode


def _decode_received(data: msgspec.Raw) -> Received:
    source, first, messages = _decode_received_fields(data)
    return Received(source, first, tuple(map(decode_message, messages)))


_decode_level_fields = msgspec.msgpack.Decoder(LevelRaised).decode


def _decode_level(data: msgspec.Raw) -> LevelRaised:
    record = _decode_level_fields(data)
    if record.level > FORMAT_LEVEL:
        raise msgspec.ValidationError(
            f"version {record.version} has raised the log to format level {record.level}, and this"
            f" version reads up to {FORMAT_LEVEL}"
        )
    return record


_decoders: dict[int, Callable[[msgspec.Raw], Record]] = {
    **{
        number: msgspec.msgpack.Decoder(kind).decode
        for kind, number in NUMBERS.items()
        if kind is not Received
    },
    NUMBERS[Received]: _decode_received,
    NUMBERS[LevelRaised]: _decode_level,
}


class Batch(NamedTuple):
    """Records that are applied together."""

    time_ms: int
    records: Sequence[Record]


class UndecodableBatchError(Exception):
    """A frame holds records that this program cannot read, because a newer version wrote them.

    The text names the sequence number of the frame, if that is known.
    """

    def __init__(self, size: int, problem: object, sequence: int = 0) -> None:
        where = f"sequence {sequence}: " if sequence else ""
        super().__init__(
            f"{where}cannot read a batch of {size} bytes ({problem}): "
            "was this log written by a newer version? Start that version, or a newer one"
        )


def encode(batch: Batch, level: int = FORMAT_LEVEL) -> bytes:
    """Returns the body of a frame for a log of this format level; raises as `encode_record` does."""
    return join(batch.time_ms, [encode_record(record, level) for record in batch.records])


def encode_record(record: Record, level: int = FORMAT_LEVEL) -> bytes:
    """Returns a record as it stands in a body, so that its size is known before it joins a batch.

    Raises OverflowError for a number that no record can hold, and LevelError for a record that a log of
    this format level may not hold.
    """
    if type(record) is Received:
        messages = [msgspec.Raw(encode_message(it, level)) for it in record.messages]
        return _encode((NUMBERS[Received], (record.source, record.first, messages)))
    return _encode((NUMBERS[type(record)], fit(record, level)))


def join(time_ms: int, records: Sequence[bytes]) -> bytes:
    """Returns the body of a frame with these encoded records."""
    return _encode((time_ms, [msgspec.Raw(it) for it in records]))


def decode(body: bytes, sequence: int = 0) -> Batch:
    """Returns the batch in the body of a frame; raises UndecodableBatchError.

    `sequence` is where the frame is in the log, for the error.
    """
    try:
        time_ms, numbered = _decode(body)
        records = [_decoders[number](raw) for number, raw in numbered]
    except msgspec.MsgspecError as error:
        raise UndecodableBatchError(len(body), error, sequence) from error
    except KeyError as error:
        raise UndecodableBatchError(len(body), f"unknown record {error}", sequence) from error
    for record in records:
        if type(record) is EntryRecorded and record.kind not in KINDS:
            problem = f"unknown entry kind {record.kind}"
            raise UndecodableBatchError(len(body), problem, sequence)
    return Batch(time_ms, records)
