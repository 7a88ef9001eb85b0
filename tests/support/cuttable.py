"""A TCP proxy whose connections can be cut, as by a network that fails for a while."""

from __future__ import annotations

import asyncio
from types import TracebackType


class CuttableProxy:
    """Passes connections on to one port, until it is cut and after it is mended."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", listen_port: int = 0) -> None:
        """Passes on to `port` of 127.0.0.1; listens on a free port of `host` without `listen_port`."""
        self._port = port
        self._host = host
        self._listen_port = listen_port
        self._connected = True
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Breaks all connections, and accepts none from now on."""
        self._connected = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Accepts connections again."""
        self._connected = True

    async def __aenter__(self) -> CuttableProxy:
        self._server = await asyncio.start_server(self._accept, self._host, self._listen_port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._connected:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, up_writer}
        self._writers |= ends
        try:
            await asyncio.wait(
                {
                    asyncio.create_task(_copy(reader, up_writer)),
                    asyncio.create_task(_copy(up_reader, writer)),
                }
            )
        finally:
            self._writers -= ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies one direction until either end of the connection is gone, and ends both."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
