"""The log in memory: for local mode, where nothing has to outlive the process, and for simulation.

A `MemoryStream` is the row of slots that a JetStream stream would be; each `MemoryLog` on it is one
would-be leader, and what runs between them is the same `fenced` code as over JetStream. Two logs on
one stream play two leaders.

Faults. A simulation sets `MemoryStream.fault`; it is asked once per append that arrives and answers
what happens to it:

    NONE           it is stored and acknowledged
    LOST_ACK       it is stored, the writer hears nothing
    LOST_APPEND    it is not stored, the writer hears nothing
    LATE           the writer hears nothing now; it arrives when `release` is called, and its
                   expectation is judged then

All of them look the same to the writer: trouble.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Callable

from durable_server.log.fenced import DEFAULT_BUDGET, FencedLog
from durable_server.log.slots import SlotTakenError, SlotTroubleError

DEFAULT_MAX_FRAME = 8 << 20
"""Bytes of the largest frame: like the embedded NATS server, so that local mode refuses what it
would refuse.
"""


class Fault(enum.Enum):
    """What happens to an append."""

    NONE = enum.auto()
    LOST_ACK = enum.auto()
    LOST_APPEND = enum.auto()
    LATE = enum.auto()


def _no_fault(data: bytes, expected: int) -> Fault:
    return Fault.NONE


class MemoryStream:
    """Slots in memory, with JetStream's rule: a message that expects N enters slot N+1 or not at
    all.
    """

    def __init__(self, name: str = "memory", *, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self.name = name
        self.max_frame = max_frame
        self.fault: Callable[[bytes, int], Fault] = _no_fault
        self.available = True
        """False: every operation meets trouble, as if the server were away."""
        self.first = 1
        self.slots: list[bytes] = []
        """The messages from sequence `first` on."""
        self._late: list[tuple[bytes, int]] = []

    @property
    def last(self) -> int:
        """The last sequence."""
        return self.first + len(self.slots) - 1

    def append(self, data: bytes, expected: int) -> None:
        """Stores at once. Raises SlotTakenError."""
        if expected != self.last:
            raise SlotTakenError(f"wrong last sequence: {self.last}")
        self.slots.append(data)

    def arrive(self, data: bytes, expected: int) -> None:
        """An append with the faults of the way. Raises SlotTakenError, SlotTroubleError."""
        self.check_available()
        match self.fault(data, expected):
            case Fault.NONE:
                self.append(data, expected)
                return
            case Fault.LOST_ACK:
                self.append(data, expected)
            case Fault.LATE:
                self._late.append((data, expected))
            case Fault.LOST_APPEND:
                pass
        raise SlotTroubleError("append not acknowledged")

    def release(self) -> int:
        """Lets the late appends arrive, in order; returns how many were accepted."""
        late, self._late = self._late, []
        accepted = 0
        for data, expected in late:
            if expected == self.last:
                self.slots.append(data)
                accepted += 1
        return accepted

    def check_available(self) -> None:
        """Raises SlotTroubleError while the stream is away."""
        if not self.available:
            raise SlotTroubleError("the memory stream is away")


class MemorySlots:
    """One leader's view of a stream. Implements `slots.Slots`. Every operation yields to the event
    loop once.
    """

    stale_reads = False

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self.name = stream.name
        self.max_frame = stream.max_frame
        self.on_lost: Callable[[str], None] = _nothing

    async def bounds(self, create: bool) -> tuple[int, int]:
        """See `Slots.bounds`."""
        await asyncio.sleep(0)
        self._stream.check_available()
        return self._stream.first, self._stream.last

    async def publish(self, data: bytes, expected: int) -> None:
        """See `Slots.publish`."""
        await asyncio.sleep(0)
        self._stream.arrive(data, expected)

    async def fetch(self, sequence: int) -> bytes | None:
        """See `Slots.fetch`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        if not stream.first <= sequence <= stream.last:
            return None
        return stream.slots[sequence - stream.first]

    async def read(self, first: int, last: int, deliver: Callable[[int, bytes], None]) -> None:
        """See `Slots.read`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        for sequence in range(max(first, stream.first), last + 1):
            deliver(sequence, stream.slots[sequence - stream.first])

    async def purge(self, below: int) -> None:
        """See `Slots.purge`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        if below > stream.first:
            del stream.slots[: below - stream.first]
            stream.first = below

    async def close(self) -> None:
        """See `Slots.close`."""


def _nothing(_reason: str) -> None:
    pass


class MemoryLog(FencedLog):
    """A `Log` on a memory stream; on one of its own unless `stream` is given."""

    def __init__(
        self,
        stream: MemoryStream | None = None,
        *,
        budget: float = DEFAULT_BUDGET,
        rng: random.Random | None = None,
    ) -> None:
        self.stream = stream or MemoryStream()
        super().__init__(MemorySlots(self.stream), budget=budget, rng=rng)
