"""The encoding of messages between partitions, in the log and in the store's outbox.

It is MessagePack, `[number, [field, ...]]`, as for records: see `batch`.
"""

from __future__ import annotations

import msgspec

from ..core.levels import FORMAT_LEVEL, fit
from ..core.messages import MESSAGE_NUMBERS, Message

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw]).decode
_decoders = {
    number: msgspec.msgpack.Decoder(kind).decode for kind, number in MESSAGE_NUMBERS.items()
}


def encode_message(message: Message, level: int = FORMAT_LEVEL) -> bytes:
    """Returns a message as bytes, as a program of this format level reads it.

    Raises LevelError for a message that it cannot read.
    """
    return _encode((MESSAGE_NUMBERS[type(message)], fit(message, level)))


def decode_message(data: bytes | msgspec.Raw) -> Message:
    """Returns the message in some bytes.

    Raises `msgspec.MsgspecError` for bytes that are no message, and KeyError for an unknown number.
    """
    number, fields = _decode(data)
    return _decoders[number](fields)
