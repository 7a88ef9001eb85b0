"""Frames: the parts of all calls of one link, in batches.

The writer takes parts by plain calls. One task writes the frames, so a frame holds everything that has
accumulated while the one before was being written. A body larger than a frame goes in pieces, which
the reader puts together again; so the other side hears something at least with each piece, and a large
body on a slow network does not look like silence. node.proto is the specification.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, TypeAlias, TypeVar

from durable_proto.node_v1 import node_pb2

from .tally import LinkTally

FRAME_SOFT_BYTES = 1024 * 1024
"""A frame is closed when it holds more than this, so one part may exceed it."""
PIECE_BYTES = 1024 * 1024
"""The largest body of one part."""
_PART_BYTES = 32
"""What a part counts beside its body."""

End: TypeAlias = node_pb2.PartEnd
GOES_ON = node_pb2.PART_END_UNSPECIFIED
LAST = node_pb2.PART_END_LAST
DONE = node_pb2.PART_END_DONE
REFUSED = node_pb2.PART_END_REFUSED
CANCELLED = node_pb2.PART_END_CANCELLED

F = TypeVar("F", node_pb2.LinkRequest, node_pb2.LinkResponse)


class FrameWriter(Generic[F]):
    """The writer of one side of a link.

    `limit` bounds the bytes that wait, the frame that is being written among them. When they exceed it,
    `full` is called with the reason, and nothing is taken any more.
    """

    def __init__(
        self,
        frame_type: type[F],
        limit: int,
        full: Callable[[str], object],
        tally: LinkTally | None = None,
    ) -> None:
        self._frame_type: type[F] = frame_type
        self._limit = limit
        self._full = full
        self._tally = tally or LinkTally()
        self._frame: F = frame_type()
        self._frame_bytes = 0
        self._closed: deque[tuple[F, int]] = deque()
        self._unwritten = 0
        self._pending = asyncio.Event()
        self._beat_due = False
        self._wrote = False
        """Whether a frame was written since the last beat."""
        self._finishing = False
        self._ended = False

    def add(
        self,
        call: int,
        body: bytes | None = None,
        *,
        method: str = "",
        end: End = GOES_ON,
        status: bytes = b"",
        caller: bytes = b"",
    ) -> None:
        """Adds a part; does nothing after the end of the link."""
        if self._ended:
            return
        size = _PART_BYTES + len(status) + len(caller)
        if body is not None:
            if len(body) > PIECE_BYTES:
                body = self._add_pieces(call, body)
            size += len(body)
        part = self._frame.parts.add()
        part.call = call
        if body is not None:
            part.body = body
        if method:
            part.method = method
            if caller:
                part.caller = caller
        if end:
            part.end = end
            if status:
                part.status = status
        self._added(size)

    def _add_pieces(self, call: int, body: bytes) -> bytes:
        """Adds all pieces of a body but the last one, which it returns."""
        last = (len(body) - 1) // PIECE_BYTES * PIECE_BYTES
        for start in range(0, last, PIECE_BYTES):
            part = self._frame.parts.add()
            part.call = call
            part.body = body[start : start + PIECE_BYTES]
            part.more = True
            self._added(_PART_BYTES + PIECE_BYTES)
        return body[last:]

    def _added(self, size: int) -> None:
        self._frame_bytes += size
        self._unwritten += size
        if self._frame_bytes > FRAME_SOFT_BYTES:
            self._closed.append((self._frame, self._frame_bytes))
            self._frame, self._frame_bytes = self._frame_type(), 0
        self._pending.set()
        if self._unwritten > self._limit:
            self.end()
            self._full(
                f"{self._unwritten} bytes wait to be written, more than the limit unwritten_bytes "
                f"({self._limit}); the other node reads nothing or too slowly"
            )

    def beat(self) -> None:
        """Has an empty frame written, unless another one was written since the last beat or waits."""
        if not self._wrote and not self._unwritten:
            self._beat_due = True
            self._pending.set()
        self._wrote = False

    def finish(self) -> None:
        """Makes `write` return once everything is written."""
        self._finishing = True
        self._pending.set()

    def end(self) -> None:
        """Forgets what waits, and takes nothing any more."""
        self._ended = True
        self._closed.clear()
        self._frame, self._frame_bytes = self._frame_type(), 0

    async def write(self, write: Callable[[F], Awaitable[None]]) -> None:
        """Writes frames as parts are added, until `finish` or the end."""
        while not self._ended:
            if self._closed:
                frame, size = self._closed.popleft()
            elif self._frame_bytes or self._beat_due:
                frame, size = self._frame, self._frame_bytes
                self._frame, self._frame_bytes = self._frame_type(), 0
            elif self._finishing:
                return
            else:
                self._pending.clear()
                await self._pending.wait()
                continue
            self._beat_due = False
            self._wrote = True
            await write(frame)
            self._unwritten -= size
            self._tally.frames += 1
            self._tally.bytes += size


class FrameReader:
    """Takes the frames of one side of a link apart."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Those of one body: nothing comes between the pieces of a body."""

    def parts(
        self, frame: node_pb2.LinkRequest | node_pb2.LinkResponse
    ) -> Iterator[tuple[node_pb2.Part, bytes | None]]:
        """Yields the parts with their whole bodies; a part whose body goes on is left out."""
        for part in frame.parts:
            if part.more:
                self._pieces.append(part.body)
                continue
            body = part.body if part.HasField("body") else None
            if self._pieces:
                body = b"".join((*self._pieces, part.body))
                self._pieces.clear()
            yield part, body
