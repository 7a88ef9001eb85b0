"""One side of a stream: what was received and not taken yet, and the order of its end.

Both sides of a stream are the same here. What arrived before the end is received before it, also when
the link breaks. Only a side that gives the stream up itself forgets what it has not taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from .frames import CANCELLED, DONE, LAST, REFUSED, End, FrameWriter
from .interface import PeerRefusedError, PeerUnavailableError


class Stream:
    """A `PeerStream`. `other` is the name of the node on the other side, for errors.

    `forget` is called with the stream's number once this side gives the stream up.
    """

    __slots__ = (
        "_ended",
        "_forget",
        "_frames",
        "_limit",
        "_number",
        "_other",
        "_parts",
        "_problem",
        "_sending",
        "_status",
        "_unread",
        "_waiter",
        "over",
    )

    def __init__(
        self,
        number: int,
        other: str,
        frames: FrameWriter[Any],
        limit: int,
        forget: Callable[[int], object],
    ) -> None:
        self._number = number
        self._other = other
        self._frames = frames
        self._limit = limit
        self._forget = forget
        self._sending = True
        self._parts: deque[bytes] = deque()
        self._unread = 0
        self._ended = False
        """Whether no more parts will come."""
        self.over = False
        """Whether both directions have ended."""
        self._problem = ""
        self._status: bytes | None = None
        self._waiter: asyncio.Future[None] | None = None

    # The side that uses the stream: PeerStream.

    def send(self, part: bytes) -> None:
        """See `PeerStream`."""
        if self._sending:
            self._frames.add(self._number, part)

    async def receive(self) -> bytes | None:
        """See `PeerStream`. One task at a time may wait here."""
        while not self._parts:
            if self._ended:
                if self._status is not None:
                    raise PeerRefusedError(self._status)
                if self._problem:
                    raise PeerUnavailableError(self._problem)
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        part = self._parts.popleft()
        self._unread -= len(part)
        return part

    def close(self) -> None:
        """See `PeerStream`."""
        if self._sending:
            self._sending = False
            self._frames.add(self._number, end=LAST)

    def cancel(self) -> None:
        """See `PeerStream`."""
        self._give_up("the stream was given up by this node")

    def _give_up(self, problem: str) -> None:
        if self.over:
            return
        self._frames.add(self._number, end=CANCELLED)
        self._parts.clear()
        self.end(problem)
        self._forget(self._number)

    # The side of the link.

    def received(self, body: bytes | None, end: End, status: bytes) -> None:
        """Takes a part of the other side."""
        if body is not None:
            self._parts.append(body)
            self._unread += len(body)
            if self._unread > self._limit:
                self._give_up(
                    f"{self._unread} bytes of the stream wait to be received, more than the limit "
                    f"unread_bytes ({self._limit})"
                )
                return
        if end == DONE:
            self.end()
        elif end == REFUSED:
            self._status = status
            self.end()
        elif end == CANCELLED:
            self.end(f"node {self._other} has given the stream up")
        else:
            self._ended = end == LAST
            self._wake()

    def end(self, problem: str = "") -> None:
        """Ends both directions, with a reason if the stream did not end as it should."""
        if self.over:
            return
        self.over = self._ended = True
        self._sending = False
        self._problem = problem
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EndedStream:
    """A `PeerStream` that could not be opened."""

    def __init__(self, error: PeerUnavailableError | PeerRefusedError) -> None:
        self._error = error

    def send(self, part: bytes) -> None:
        """Does nothing."""

    async def receive(self) -> bytes | None:
        """Raises the reason."""
        raise self._error

    def close(self) -> None:
        """Does nothing."""

    def cancel(self) -> None:
        """Does nothing."""
