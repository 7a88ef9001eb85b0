"""A TCP proxy between two nodes whose connections can be cut, or held without a sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.listening import stop_listening


class Proxy:
    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.connections = 0

    @property
    def address(self) -> str:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def cut(self) -> None:
        """Resets all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def hold(self) -> None:
        """Passes nothing on any more; the connections stay."""
        self._open.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            self._writers.add(sink)
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
        except ConnectionError:
            pass
        finally:
            sink.transport.abort()


@asynccontextmanager
async def proxy(upstream: str) -> AsyncIterator[Proxy]:
    """Runs a proxy in front of an address for the length of the block."""
    made = Proxy(upstream)
    made._server = await asyncio.start_server(made._accept, "127.0.0.1", 0)
    try:
        yield made
    finally:
        await stop_listening(made._server)
        made.cut()
        for task in list(made._tasks):
            task.cancel()
        if made._tasks:
            await asyncio.wait(list(made._tasks))
