"""Frames and the rule that decides which of them count. Pure: bytes in, verdicts out.

Why a rule is needed (law 3). JetStream accepts an append only if the stream's last sequence is the
expected one. This fences a *position*, not a *writer*. Let the tail be N, and let a leader have A
(expecting N) and B (expecting N+1) under way when a new leader's fence X (expecting N) is faster: X
becomes N+1, A is refused, but B's expectation now holds and B lands at N+2, behind the fence that
should have shut it out. One append in flight makes this rare; packets held back by the network, an
old process that wakes up, or an operator's mistake can still cause it. So the log must say by
itself which frames count.

The rule. Every frame names itself, (epoch, number), and the frame it was built on, (prev_epoch,
prev_number). Read the slots in order and remember the last valid frame, (0, 0) before the first. A
frame is valid iff

    its prev is the last valid frame, and
    it is the next of the same epoch (number + 1), or the fence (number 0) of a higher epoch.

Everything else is a *dead slot* and is skipped. All readers see the same slots in the same order,
so all agree.

Why it is enough:
- B above names A as its prev; A never landed, so B is dead, and so is everything that its writer
  built on it.
- Two would-be leaders may write fences of the same epoch. They name the same prev, so the second
  one in the log is dead: an epoch has one fence. Their bytes could be the same otherwise, and a
  loser who looks at the slot would take the winner's fence for its own; therefore a frame carries
  its `writer`, a random number drawn anew for each take-over.
- Only the writer of an epoch's fence ever numbers frames in that epoch, one at a time. So (epoch,
  number) names one frame.
- A dead slot stays dead: validity depends only on what stands before it.

Layout, big-endian: magic "DF", version u8, zero u8, CRC32 u32 of all that follows; epoch, number,
prev_epoch, prev_number, writer, each u64; body. The CRC is ours because a log that returns damaged
bytes must be noticed before they are applied; the checksums below it have been seen to miss damage.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from zlib import crc32

from durable_server.log.interface import LogError

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
    """The bytes of a frame. Equal arguments give equal bytes: a resend is recognised by comparing
    them.
    """
    fields = _FIELDS.pack(epoch, number, prev_epoch, prev_number, writer)
    return b"".join((_HEAD.pack(MAGIC, VERSION, 0, crc32(body, crc32(fields))), fields, body))


def decode(data: bytes) -> Frame:
    """The frame in `data`. Raises CorruptFrameError, without a word about where: the caller
    knows.
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
    """The last valid frame, and the rule above. Starts at (0, 0), or at the frame where a reader
    left off.
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
        """Takes the frame in if it is valid; says whether it was."""
        if not self.accepts(frame):
            return False
        self.epoch = frame.epoch
        self.number = frame.number
        return True

    def next(self, writer: int, body: bytes) -> bytes:
        """The bytes of the frame that comes next in this epoch."""
        return encode(self.epoch, self.number + 1, self.epoch, self.number, writer, body)

    def fence(self, epoch: int, writer: int, body: bytes) -> bytes:
        """The bytes of the fence that begins `epoch` here."""
        return encode(epoch, 0, self.epoch, self.number, writer, body)
