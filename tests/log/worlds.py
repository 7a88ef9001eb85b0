"""The two kinds of log with one interface, so that one test suite covers both.

A world has one log; `leader()` returns candidates for its leadership. `messages()` and `put()` read and
write the stream directly: for the real stream with nats-py, a client that shares no code with ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from durable_server.log.fenced import FencedLog
from durable_server.log.interface import Position
from durable_server.log.jetstream import JetStreamLog
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.nats.embedded import EmbeddedNats
from durable_server.nats.endpoint import EndpointSource

STREAM = "DURABLE_P0"
SUBJECT = "durable.log.0"


class World(Protocol):
    """One log, from outside."""

    def leader(self, *, budget: float = 20.0) -> FencedLog: ...

    async def messages(self) -> dict[int, bytes]: ...

    async def put(self, data: bytes, expected: int) -> bool:
        """An append by hand; whether it was accepted."""
        ...

    def away(self) -> AbstractAsyncContextManager[None]:
        """While it lasts, nothing answers."""
        ...

    async def close(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.stream = MemoryStream(max_frame=1 << 20)

    def leader(self, *, budget: float = 20.0) -> FencedLog:
        return MemoryLog(self.stream, budget=budget)

    async def messages(self) -> dict[int, bytes]:
        return dict(enumerate(self.stream.messages, self.stream.first))

    async def put(self, data: bytes, expected: int) -> bool:
        if expected != self.stream.last:
            return False
        self.stream.append(data, expected)
        return True

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        self.stream.available = False
        yield
        self.stream.available = True

    async def close(self) -> None:
        pass


class JetStreamWorld:
    def __init__(self, server: EmbeddedNats) -> None:
        self.server = server
        self.logs: list[FencedLog] = []
        self._client: Client | None = None

    def leader(
        self,
        *,
        budget: float = 20.0,
        source: EndpointSource | None = None,
        ack_timeout: float | None = None,
    ) -> FencedLog:
        log = JetStreamLog(
            source or self.server.endpoint,
            budget=budget,
            ack_timeout=ack_timeout,
            max_bytes=1 << 30,
        )
        self.logs.append(log)
        return log

    async def client(self) -> Client:
        if self._client is None or self._client.is_closed:
            endpoint = await self.server.endpoint()
            host, port = endpoint.servers[0]
            self._client = await nats.connect(
                f"nats://{host}:{port}",
                user=endpoint.user,
                password=endpoint.password,
                allow_reconnect=False,
            )
        return self._client

    async def messages(self) -> dict[int, bytes]:
        js = (await self.client()).jetstream()
        try:
            state = (await js.stream_info(STREAM)).state
        except NotFoundError:
            return {}
        found = {}
        for sequence in range(state.first_seq, state.last_seq + 1):
            message = await js.get_msg(STREAM, sequence)
            found[sequence] = message.data or b""
        return found

    async def put(self, data: bytes, expected: int) -> bool:
        headers = {"Nats-Expected-Last-Sequence": str(expected)}
        answer = await (await self.client()).request(SUBJECT, data, 5, headers=headers)
        return b'"error"' not in answer.data

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        await self.server.stop()
        yield
        await self.server.start()

    async def close(self) -> None:
        for log in self.logs:
            await log.close()
        if self._client is not None:
            await self._client.close()


class Reader:
    """Takes over and remembers what was delivered."""

    def __init__(self) -> None:
        self.seen: list[tuple[Position, bytes]] = []

    async def deliver(self, position: Position, body: bytes) -> None:
        self.seen.append((position, body))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.seen]

    @property
    def last(self) -> Position:
        return self.seen[-1][0]


def fence(epoch: int) -> bytes:
    return b"fence %d" % epoch


async def lead(
    log: FencedLog,
    applied: Position | None = None,
    make_fence: Callable[[int], bytes] = fence,
) -> Reader:
    """Takes over from `applied`, by default from the beginning."""
    reader = Reader()
    position = await log.take_over(applied or Position(), reader.deliver, make_fence)
    assert position == reader.last
    return reader
