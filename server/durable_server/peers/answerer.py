"""The answering side of a link: runs the methods that the other node calls.

Each call runs in a task of its own, from the moment in which its part is read. A call whose body the
method cannot read is refused. A method that fails with anything else but a refusal is a defect: it is
logged here with its traceback, and the other node gets an incident number only.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import nullcontext

from google.protobuf.message import DecodeError

from durable_proto.node_v1 import node_pb2

from .frames import CANCELLED, DONE, REFUSED, End, FrameReader, FrameWriter
from .interface import Acting, Methods, PeerRefusedError, UnreadableError
from .limits import LinkLimits
from .refusals import defect, unknown_method, unreadable
from .stream import Stream

logger = logging.getLogger("durable.peers")


class Answerer:
    """The answers of one link from `node`."""

    def __init__(
        self,
        node: str,
        methods: Methods,
        frames: FrameWriter[node_pb2.LinkResponse],
        limits: LinkLimits,
        acting: Acting = nullcontext,
    ) -> None:
        self._node = node
        self._methods = methods
        self._frames = frames
        self._limits = limits
        self._acting = acting
        self._reader = FrameReader()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, Stream] = {}
        self._given_up: set[asyncio.Task[None]] = set()
        """The tasks that were cancelled and have not ended yet."""
        self._stopping = False

    def received(self, frame: node_pb2.LinkRequest) -> None:
        """Takes a frame of the other node."""
        for part, body in self._reader.parts(frame):
            number = part.call
            if part.method:
                self._open(number, part.method, body or b"", part.caller)
                continue
            stream = self._streams.get(number)
            if stream is not None:
                stream.received(body, part.end, part.status)
            if part.end == CANCELLED or (stream is not None and stream.over):
                self._cancel(number)

    async def stop(self, seconds: float) -> None:
        """Takes no new calls, and gives the open ones some time to end."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=seconds)

    def end(self, reason: str) -> None:
        """Gives all calls up, because the link is over."""
        for stream in list(self._streams.values()):
            stream.end(reason)
        for number in list(self._tasks):
            self._cancel(number)

    def _open(self, number: int, method: str, body: bytes, caller: bytes) -> None:
        if self._stopping:
            self._frames.add(number, end=CANCELLED)
            return
        stream = None
        if method in self._methods.streams:
            stream = Stream(
                number, self._node, self._frames, self._limits.unread_bytes, self._forget
            )
            self._streams[number] = stream
        elif method not in self._methods.calls:
            self._frames.add(number, end=REFUSED, status=unknown_method(method).status)
            return
        loop = asyncio.get_running_loop()
        answering = self._answer(number, method, body, stream, caller)
        self._tasks[number] = loop.create_task(answering)

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)

    def _cancel(self, number: int) -> None:
        self._streams.pop(number, None)
        task = self._tasks.pop(number, None)
        if task is not None and task.cancel():
            self._given_up.add(task)
            task.add_done_callback(self._given_up.discard)

    async def _answer(
        self, number: int, method: str, body: bytes, stream: Stream | None, caller: bytes
    ) -> None:
        answer = None
        try:
            with self._acting(caller):
                if stream is None:
                    answer = await self._methods.calls[method](body)
                else:
                    await self._methods.streams[method](body, stream)
        except PeerRefusedError as refusal:
            self._finish(number, REFUSED, status=refusal.status)
        except (UnreadableError, DecodeError) as error:
            logger.warning(
                "node %s has called %s with an unreadable body: %s", self._node, method, error
            )
            self._finish(number, REFUSED, status=unreadable(method).status)
        except asyncio.CancelledError:
            self._finish(number, CANCELLED)
            raise
        except Exception:  # each failure of a method must have an answer
            incident = secrets.token_hex(4)
            logger.exception(
                "incident %s: method %s, called by node %s, failed", incident, method, self._node
            )
            self._finish(number, REFUSED, status=defect(incident).status)
        else:
            self._finish(number, DONE, answer)

    def _finish(
        self, number: int, end: End, body: bytes | None = None, status: bytes = b""
    ) -> None:
        """Sends the end of a call, unless the other node has given it up."""
        if self._tasks.pop(number, None) is None:
            return
        if (stream := self._streams.pop(number, None)) is not None:
            stream.end()
        self._frames.add(number, body, end=end, status=status)
