"""Frames, and the rule that decides which of them count. Pure: bytes in, decisions out.

Why a rule is needed (law 3). JetStream accepts an append only if the stream's last sequence is the
expected one. This fences a *position*, not a *writer*. Let the last sequence be N, and let a leader
have A (expecting N) and B (expecting N+1) in flight when a new leader's fence X (expecting N) arrives
first: X becomes N+1 and A is refused, but now B's expectation holds, and B lands at N+2, behind the
fence that should have shut it out. With one append in flight this is rare; packets that the network
holds back, an old process that wakes up, or an operator's mistake can still cause it. So the log itself
must say which frames count.

The rule. Every frame names itself, (epoch, number), and its predecessor, (prev_epoch, prev_number).
Read the frames in order and remember the last valid one, (0, 0) before the first. A frame is valid iff

    its predecessor is the last valid frame, and
    it is the next of the same epoch (number + 1), or the fence (number 0) of a higher epoch.

Every other frame is *dead* and is skipped. All readers see the same frames in the same order, so all
agree.

Why it is enough:
- B above names A as its predecessor. A never landed, so B is dead, and so is everything that its writer
  built on it.
- Two candidates may write fences of the same epoch. Both name the same predecessor, so the second one
  in the log is dead: an epoch has one fence. Their bytes could be the same otherwise, and a loser that
  reads the sequence would take the winner's fence for its own; therefore a frame carries its `writer`,
  a random number drawn anew for each takeover.
- Only the writer of an epoch's fence numbers frames in that epoch, one at a time. So (epoch, number)
  identifies one frame.
- A dead frame stays dead: validity depends only on the frames before it.

Layout, big-endian: magic "DF", version u8, zero u8, CRC32 u32 of all that follows; epoch, number,
prev_epoch, prev_number, writer, each u64; body. The frame has a CRC of its own because damaged bytes
must be noticed before they are applied, and the checksums of the layers below have been seen to miss
damage.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from .interface import LogError

MAGIC = b"DF"
VERSION = 1
_HEAD = struct.Struct(">2sBBI")
_FIELDS = struct.Struct(">QQQQQ")
_HEAD_SIZE = _HEAD.size
HEADER_SIZE = _HEAD_SIZE + _FIELDS.size
"""Bytes that a frame adds to its body."""


class CorruptFrameError(LogError):
    """Bytes in the log are damaged, or were not written by this program."""


class Frame(NamedTuple):
    """A decoded frame."""

    epoch: int
    number: int
    prev_epoch: int
    prev_number: int
    writer: int
    body: bytes


def encode(
    epoch: int, number: int, prev_epoch: int, prev_number: int, writer: int, body: bytes
) -> bytes:
    """Returns the bytes of a frame.

    Equal arguments give equal bytes, so a frame that was sent twice is recognised by comparing them.
    """
    fields = _FIELDS.pack(epoch, number, prev_epoch, prev_number, writer)
    return b"".join((_HEAD.pack(MAGIC, VERSION, 0, crc32(body, crc32(fields))), fields, body))


def decode(data: bytes) -> Frame:
    """Returns the frame in `data`.

    Raises CorruptFrameError, which does not say where the frame is: the caller adds that.
    """
    if len(data) < HEADER_SIZE:
        raise CorruptFrameError(
            f"{len(data)} bytes are too few for a frame header of {HEADER_SIZE}"
        )
    magic, version, zero, checksum = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise CorruptFrameError(
            f"it starts with {magic!r} instead of {MAGIC!r}: not a frame of this log"
        )
    if version != VERSION or zero:
        raise CorruptFrameError(
            f"frame format {version}.{zero} is not known; this program reads {VERSION}.0"
            " (written by a newer version?)"
        )
    actual = crc32(memoryview(data)[_HEAD_SIZE:])
    if actual != checksum:
        raise CorruptFrameError(f"its checksum is {checksum:08x}, its bytes give {actual:08x}")
    epoch, number, prev_epoch, prev_number, writer = _FIELDS.unpack_from(data, _HEAD_SIZE)
    return Frame(epoch, number, prev_epoch, prev_number, writer, data[HEADER_SIZE:])


class Chain:
    """The last valid frame, and the rule above.

    It starts at (0, 0), or at the frame up to which a reader has read before.
    """

    __slots__ = ("epoch", "number")

    def __init__(self, epoch: int = 0, number: int = 0) -> None:
        self.epoch = epoch
        self.number = number

    def accepts(self, frame: Frame) -> bool:
        """Whether the frame would be the next valid one."""
        if frame.prev_epoch != self.epoch or frame.prev_number != self.number:
            return False
        if frame.epoch == self.epoch:
            return frame.number == self.number + 1 and frame.epoch > 0
        return frame.epoch > self.epoch and frame.number == 0

    def admit(self, frame: Frame) -> bool:
        """Makes the frame the last valid one if it is valid; returns whether it is."""
        if not self.accepts(frame):
            return False
        self.epoch = frame.epoch
        self.number = frame.number
        return True

    def next(self, writer: int, body: bytes) -> bytes:
        """Returns the bytes of the next frame of this epoch."""
        return encode(self.epoch, self.number + 1, self.epoch, self.number, writer, body)

    def fence(self, epoch: int, writer: int, body: bytes) -> bytes:
        """Returns the bytes of the fence that begins `epoch` here."""
        return encode(epoch, 0, self.epoch, self.number, writer, body)
