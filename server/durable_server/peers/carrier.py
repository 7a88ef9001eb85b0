"""The carrier of a link: reads and writes its frames until it ends, and notices when it is silent.

It is the same for both sides, and knows the connection only as a function that reads a frame and one
that writes one. It has timers only while it carries.

Silence is counted in ticks of the own event loop, not by the clock: a process that was stopped, or was
busy for seconds, finds on its first tick that one tick has passed, and reads what has arrived before it
decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from durable_proto.node_v1 import node_pb2

from .frames import FrameWriter
from .limits import LinkLimits
from .tally import LinkTally

F = TypeVar("F", node_pb2.LinkRequest, node_pb2.LinkResponse)
G = TypeVar("G", node_pb2.LinkRequest, node_pb2.LinkResponse)

_TICKS = 4
"""Into how many ticks the longest silence is divided."""


class Carrier(Generic[F, G]):
    """Carries frames of type F to the other node, and of type G from it."""

    def __init__(
        self, writes: type[F], reads: type[G], limits: LinkLimits, tally: LinkTally | None = None
    ) -> None:
        self.frames: FrameWriter[F] = FrameWriter(writes, limits.unwritten_bytes, self.end, tally)
        self._reads: type[G] = reads
        self._tick_seconds = limits.silence_seconds / _TICKS
        self._silent_ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._finish_reason = ""
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether the link is over, or will be in the next turn of the event loop."""
        return self._over.done()

    def end(self, reason: str) -> None:
        """Ends the link."""
        if not self._over.done():
            self._over.set_result(reason)

    def finish(self, reason: str) -> None:
        """Ends the link once everything is written."""
        self._finish_reason = reason
        self.frames.finish()

    async def carry(
        self,
        read: Callable[[], Awaitable[object]],
        write: Callable[[F], Awaitable[None]],
        received: Callable[[G], None],
    ) -> str:
        """Carries frames until the link ends; returns why it has ended.

        `read` returns anything but a frame at the end. What it raises is raised here.
        """
        reading = asyncio.create_task(self._read(read, received))
        writing = asyncio.create_task(self.frames.write(write))
        self.frames.beat()
        self._start_timer()
        try:
            await asyncio.wait((self._over, reading, writing), return_when=asyncio.FIRST_COMPLETED)
            if writing.done() and writing.exception() is not None:
                # The stream is broken, and only reading from it tells why.
                await asyncio.wait((self._over, reading), return_when=asyncio.FIRST_COMPLETED)
            if self._over.done():
                return self._over.result()
            if reading.done():
                reading.result()
                return "the other node has closed it"
            return self._finish_reason
        finally:
            self.end("")
            self.frames.end()
            if self._timer is not None:
                self._timer.cancel()
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read(
        self, read: Callable[[], Awaitable[object]], received: Callable[[G], None]
    ) -> None:
        while isinstance(frame := await read(), self._reads):
            self._silent_ticks = 0
            received(frame)

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._tick_seconds, self._tick)

    def _tick(self) -> None:
        # One more than the ticks, because the first one may come right after a frame.
        if self._silent_ticks >= _TICKS:
            self.end(f"nothing was heard for {self._tick_seconds * _TICKS:g} s")
            return
        self._silent_ticks += 1
        self.frames.beat()
        self._start_timer()
