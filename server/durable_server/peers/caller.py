"""The calling side of a link: numbers calls, and gives each part that comes back to its call."""

from __future__ import annotations

import asyncio

from durable_proto.node_v1 import node_pb2

from .frames import CANCELLED, DONE, REFUSED, FrameReader, FrameWriter
from .interface import OnBehalf, PeerRefusedError, PeerStream, PeerUnavailableError, nobody
from .limits import LinkLimits
from .refusals import too_many_calls
from .stream import EndedStream, Stream


class Caller:
    """The calls of one link to `node`."""

    def __init__(
        self,
        node: str,
        frames: FrameWriter[node_pb2.LinkRequest],
        limits: LinkLimits,
        on_behalf: OnBehalf = nobody,
    ) -> None:
        self._node = node
        self._frames = frames
        self._limits = limits
        self._on_behalf = on_behalf
        self._reader = FrameReader()
        self._number = 0
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._streams: dict[int, Stream] = {}

    async def call(self, method: str, body: bytes, seconds: float | None) -> bytes:
        """Calls a method; see `Peers.call`."""
        if self._exhausted:
            raise too_many_calls(self._node, self._limits.open_calls)
        number = self._number = self._number + 1
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._calls[number] = answer
        self._frames.add(number, body, method=method, caller=self._on_behalf())
        timer = None
        if seconds is not None:
            timer = loop.call_later(seconds, self._expire, number, seconds)
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.cancelled():  # otherwise its end came in this turn
                self._frames.add(number, end=CANCELLED)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._calls.pop(number, None)

    def open(self, method: str, body: bytes) -> PeerStream:
        """Opens a stream; see `Peers.open`."""
        if self._exhausted:
            return EndedStream(too_many_calls(self._node, self._limits.open_calls))
        number = self._number = self._number + 1
        stream = Stream(number, self._node, self._frames, self._limits.unread_bytes, self._forget)
        self._streams[number] = stream
        self._frames.add(number, body, method=method, caller=self._on_behalf())
        return stream

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)

    @property
    def _exhausted(self) -> bool:
        return len(self._calls) + len(self._streams) >= self._limits.open_calls

    def _expire(self, number: int, seconds: float) -> None:
        """Ends a call that has had no answer for so long."""
        answer = self._calls.pop(number, None)
        if answer is not None and not answer.done():  # otherwise its end came in this turn
            self._frames.add(number, end=CANCELLED)
            answer.set_exception(
                PeerUnavailableError(f"node {self._node} has not answered within {seconds:g} s")
            )

    def received(self, frame: node_pb2.LinkResponse) -> None:
        """Takes a frame of the node."""
        for part, body in self._reader.parts(frame):
            number = part.call
            if (answer := self._calls.pop(number, None)) is not None:
                self._answered(answer, part, body)
            elif (stream := self._streams.get(number)) is not None:
                end = part.end
                if end in (DONE, REFUSED, CANCELLED):
                    del self._streams[number]
                stream.received(body, end, part.status)

    def _answered(
        self, answer: asyncio.Future[bytes], part: node_pb2.Part, body: bytes | None
    ) -> None:
        if answer.done():
            return  # cancelled or too late, and its task has not run since
        if part.end == DONE:
            answer.set_result(body or b"")
        elif part.end == REFUSED:
            answer.set_exception(PeerRefusedError(part.status))
        else:
            answer.set_exception(PeerUnavailableError(f"node {self._node} has given the call up"))

    def end(self, reason: str) -> None:
        """Ends all calls, because the link is over."""
        calls, self._calls = self._calls, {}
        streams, self._streams = self._streams, {}
        for answer in calls.values():
            if not answer.done():
                answer.set_exception(PeerUnavailableError(reason))
        for stream in streams.values():
            stream.end(reason)
