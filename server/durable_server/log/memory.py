"""The log in memory: for local mode, where nothing has to survive the process, and for simulation.

A `MemoryStream` takes the place of a JetStream stream. Each `MemoryLog` on it is one candidate for
leadership and runs the same code (`fenced`) as over JetStream. Two logs on one stream are two leaders.

Faults. A simulation sets `MemoryStream.fault`, which is called once for each append that arrives and
returns what happens to it:

    NONE           it is stored and acknowledged
    LOST_ACK       it is stored, but the writer gets no answer
    LOST_APPEND    it is not stored, and the writer gets no answer
    LATE           the writer gets no answer; the append arrives when `release` is called, and its
                   expectation is checked then

The writer cannot tell the last three from each other: each raises StreamUnavailableError.
"""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Callable

from .fenced import DEFAULT_BUDGET, FencedLog
from .stream import DeliverMessage, StreamUnavailableError, WrongLastSequenceError

DEFAULT_MAX_FRAME = 8 << 20
"""Bytes of the largest frame: as with the embedded NATS server, so that local mode refuses the same
batches.
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
    """A stream in memory, with JetStream's rule: a message that expects N gets N+1 or is refused."""

    def __init__(self, name: str = "memory", *, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self.name = name
        self.max_frame = max_frame
        self.fault: Callable[[bytes, int], Fault] = _no_fault
        self.available = True
        """While False, every operation fails as if the server were away."""
        self.first = 1
        self.messages: list[bytes] = []
        """The messages from sequence `first` on."""
        self._late: list[tuple[bytes, int]] = []

    @property
    def last(self) -> int:
        """The last sequence."""
        return self.first + len(self.messages) - 1

    def append(self, data: bytes, expected: int) -> None:
        """Stores a message. Raises WrongLastSequenceError."""
        if expected != self.last:
            raise WrongLastSequenceError(f"wrong last sequence: {self.last}")
        self.messages.append(data)

    def arrive(self, data: bytes, expected: int) -> None:
        """Takes an append that may be subject to a fault.

        Raises WrongLastSequenceError, StreamUnavailableError.
        """
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
        raise StreamUnavailableError("append not acknowledged")

    def release(self) -> int:
        """Delivers the late appends, in order; returns how many were accepted."""
        late, self._late = self._late, []
        accepted = 0
        for data, expected in late:
            if expected == self.last:
                self.messages.append(data)
                accepted += 1
        return accepted

    def check_available(self) -> None:
        """Raises StreamUnavailableError while the stream is away."""
        if not self.available:
            raise StreamUnavailableError("the memory stream is away")


class MemoryStreamClient:
    """One leader's client of a memory stream. Implements `stream.StreamClient`.

    Every operation yields to the event loop once.
    """

    stale_reads = False

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self.name = stream.name
        self.max_frame = stream.max_frame
        self.on_lost: Callable[[str], None] = _nothing

    async def bounds(self, create: bool) -> tuple[int, int]:
        """See `StreamClient.bounds`."""
        await asyncio.sleep(0)
        self._stream.check_available()
        return self._stream.first, self._stream.last

    async def publish(self, data: bytes, expected: int) -> None:
        """See `StreamClient.publish`."""
        await asyncio.sleep(0)
        self._stream.arrive(data, expected)

    async def fetch(self, sequence: int) -> bytes | None:
        """See `StreamClient.fetch`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        if not stream.first <= sequence <= stream.last:
            return None
        return stream.messages[sequence - stream.first]

    async def read(self, first: int, last: int, deliver: DeliverMessage) -> None:
        """See `StreamClient.read`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        first = max(first, stream.first)
        found = stream.messages[first - stream.first : last + 1 - stream.first]
        for sequence, data in enumerate(found, first):
            await deliver(sequence, data)

    async def purge(self, below: int) -> None:
        """See `StreamClient.purge`."""
        await asyncio.sleep(0)
        stream = self._stream
        stream.check_available()
        if below > stream.first:
            del stream.messages[: below - stream.first]
            stream.first = below

    async def close(self) -> None:
        """See `StreamClient.close`."""


def _nothing(_reason: str) -> None:
    pass


class MemoryLog(FencedLog):
    """A `Log` on a memory stream: on `stream`, or on a new one."""

    def __init__(
        self,
        stream: MemoryStream | None = None,
        *,
        budget: float = DEFAULT_BUDGET,
        rng: random.Random | None = None,
    ) -> None:
        self.stream = stream or MemoryStream()
        super().__init__(MemoryStreamClient(self.stream), budget=budget, rng=rng)
