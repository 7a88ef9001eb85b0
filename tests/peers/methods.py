"""What the nodes of these tests answer, and what they saw of each call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.rpc import status_pb2

from durable_server.peers.interface import (
    Answer,
    PeerRefusedError,
    PeerStream,
    PeerUnavailableError,
    Serve,
    UnreadableError,
)


def refusal(message: str) -> bytes:
    return bytes(status_pb2.Status(code=9, message=message).SerializeToString())


class RecordedMethods:
    """`Methods`, with records of what they saw."""

    def __init__(self) -> None:
        self.calls: Mapping[str, Answer] = {
            "Echo": self._echo,
            "Refuse": self._refuse,
            "Fail": self._fail,
            "Parse": self._parse,
            "Wait": self._wait,
            "Vanish": self._vanish,
        }
        self.streams: Mapping[str, Serve] = {
            "Double": self._double,
            "Collect": self._collect,
            "Count": self._count,
            "Ignore": self._ignore,
            "GiveUp": self._give_up,
            "RefuseStream": self._refuse_stream,
        }
        self.calls_seen = 0
        self.waiting = asyncio.Event()
        """Set once `Wait` or `Ignore` runs."""
        self.let_go = asyncio.Event()
        """Makes `Wait` answer, and `Ignore` return."""
        self.cancelled = asyncio.Event()
        """Set once `Wait`, `Ignore` or `Collect` is cancelled."""
        self.collected: list[bytes] = []
        self.collected_all = asyncio.Event()

    async def _echo(self, body: bytes) -> bytes:
        self.calls_seen += 1
        return body

    async def _refuse(self, body: bytes) -> bytes:
        raise PeerRefusedError(refusal(body.decode()))

    async def _fail(self, body: bytes) -> bytes:
        raise ValueError(f"failed on {body!r}")

    async def _parse(self, body: bytes) -> bytes:
        if body.isascii():
            raise UnreadableError(f"{body!r} is no number")
        return bytes(status_pb2.Status.FromString(body).SerializeToString())

    async def _vanish(self, body: bytes) -> bytes:
        raise asyncio.CancelledError

    async def _wait(self, body: bytes) -> bytes:
        self.waiting.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return body

    async def _double(self, body: bytes, stream: PeerStream) -> None:
        stream.send(body)
        while (part := await stream.receive()) is not None:
            stream.send(part * 2)

    async def _collect(self, body: bytes, stream: PeerStream) -> None:
        """Collects `body` and the parts that follow."""
        self.collected.append(body)
        try:
            while (part := await stream.receive()) is not None:
                self.collected.append(part)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.collected_all.set()

    async def _count(self, body: bytes, stream: PeerStream) -> None:
        """Sends as many parts as `body` says, and closes; then waits for the other side's end."""
        for number in range(int(body)):
            stream.send(b"%d" % number)
        stream.close()
        stream.send(b"after the end")
        while (part := await stream.receive()) is not None:
            self.collected.append(part)
        self.collected_all.set()

    async def _ignore(self, body: bytes, stream: PeerStream) -> None:
        """Sends `body` until it may return, and receives nothing."""
        self.waiting.set()
        try:
            if body:
                while not self.let_go.is_set():
                    stream.send(body)
                    await asyncio.sleep(0)
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _give_up(self, body: bytes, stream: PeerStream) -> None:
        stream.send(body)
        stream.cancel()
        try:
            await stream.receive()
        except PeerUnavailableError:
            self.collected_all.set()

    async def _refuse_stream(self, body: bytes, stream: PeerStream) -> None:
        stream.send(body)
        raise PeerRefusedError(refusal("after a part"))
