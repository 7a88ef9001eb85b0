"""A TCP proxy in front of a nats-server that injects one fault at a time."""

from __future__ import annotations

import asyncio
import enum
from types import TracebackType

from durable_server.nats.endpoint import Endpoint, EndpointSource
from tests.support.listening import stop_listening


class ProxyFault(enum.Enum):
    NONE = enum.auto()
    CUT_ACK = enum.auto()
    """The next ack is swallowed and the connection cut."""
    CUT_APPEND = enum.auto()
    """The next append is swallowed and the connection cut."""
    MUTE_ACK = enum.auto()
    """The next ack is swallowed; the connection stays."""
    HOLD_APPEND = enum.auto()
    """The next append is kept until `release`, even when the client is long gone."""


class Proxy:
    def __init__(self, upstream: EndpointSource) -> None:
        self._upstream = upstream
        self._held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.fault = ProxyFault.NONE
        self.injected: list[ProxyFault] = []
        self.injection = asyncio.Event()
        """Set once a fault has been injected."""
        self.connections = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        await stop_listening(self._server)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for _, writer, _ in self._held:
            writer.transport.abort()

    async def endpoint(self) -> Endpoint:
        """An `EndpointSource` that leads through here."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return (await self._upstream())._replace(servers=(("127.0.0.1", port),))

    async def release(self) -> bytes:
        """Lets the held append arrive; returns the server's answer to it."""
        reader, writer, data = self._held.pop()
        writer.write(data)
        answer = b""
        while b'"stream"' not in answer:
            answer += await reader.read(65536)
        writer.transport.abort()
        return answer

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        host, port = (await self._upstream()).servers[0]
        up_reader, up_writer = await asyncio.open_connection(host, port)
        back = asyncio.create_task(self._backward(up_reader, writer))
        self._tasks.add(back)
        keep = False
        try:
            while data := await reader.read(65536):
                if b"HPUB" in data and self._inject(ProxyFault.CUT_APPEND):
                    break
                if b"HPUB" in data and self._inject(ProxyFault.HOLD_APPEND):
                    back.cancel()
                    await asyncio.wait({back})
                    self._held.append((up_reader, up_writer, data))
                    keep = True
                    continue
                if not keep:
                    up_writer.write(data)
        except ConnectionError:
            pass
        finally:
            back.cancel()
            writer.transport.abort()
            if not keep:
                up_writer.transport.abort()

    async def _backward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if b'"seq":' in data:
                    if self._inject(ProxyFault.MUTE_ACK):
                        continue
                    if self._inject(ProxyFault.CUT_ACK):
                        break
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    def _inject(self, what: ProxyFault) -> bool:
        if self.fault is not what:
            return False
        self.fault = ProxyFault.NONE
        self.injected.append(what)
        self.injection.set()
        return True
