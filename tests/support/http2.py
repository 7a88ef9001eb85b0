"""A raw HTTP/2 connection, to be a client of gRPC that misbehaves as no library lets one."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
_INITIAL_WINDOW = 4
_LARGEST_FRAME = 16384


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """Returns one frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def message(data: bytes) -> bytes:
    """Returns a gRPC message."""
    return b"\0" + struct.pack(">I", len(data)) + data


def headers(path: str) -> bytes:
    """Returns the headers of a gRPC call, without compression."""
    fields = {
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x",
        "content-type": "application/grpc", "te": "trailers",
    }  # fmt: skip
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


class RawHttp2:
    """A connection that answers pings and counts what it may send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._stream = -1
        self._windows: dict[int, int] = {0: 65535}
        self._may_send = asyncio.Event()
        self.received: list[tuple[int, int, bytes]] = []
        """The kind, stream and payload of each frame but pings and settings."""
        self.answered: set[int] = set()
        """The streams on which something has come."""
        self._trailed: set[int] = set()
        """The streams whose trailers have come."""
        self.ended = asyncio.Event()
        """Set when the server has hung up."""
        self._task = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str, *, window: int = 65535) -> AsyncIterator[RawHttp2]:
        """Connects; the server may send `window` bytes of each response, and no more."""
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        connection = cls(reader, writer)
        settings = struct.pack(">HI", _INITIAL_WINDOW, window)
        # All streams together may have more.
        everything = frame(WINDOW_UPDATE, struct.pack(">I", 2**30))
        writer.write(PREFACE + frame(SETTINGS, settings) + everything)
        try:
            yield connection
        finally:
            connection._task.cancel()
            writer.transport.abort()

    def call(self, path: str, body: bytes = b"", *, end: bool = False) -> int:
        """Begins a call, with a body of at most one frame; returns the number of its stream."""
        self._stream += 2
        stream = self._stream
        self._windows[stream] = 65535 - len(body)
        self._windows[0] -= len(body)
        self._writer.write(frame(HEADERS, headers(path), flags=END_HEADERS, stream=stream))
        if body or end:
            flags = END_STREAM if end else 0
            self._writer.write(frame(DATA, body, flags=flags, stream=stream))
        return stream

    async def send(self, stream: int, data: bytes) -> None:
        """Sends more of a body, as the server permits."""
        while data:
            size = min(self._windows[0], self._windows[stream], _LARGEST_FRAME, len(data))
            if size <= 0:
                self._may_send.clear()
                await self._may_send.wait()
                continue
            self._windows[0] -= size
            self._windows[stream] -= size
            self._writer.write(frame(DATA, data[:size], stream=stream))
            data = data[size:]
            await self._writer.drain()

    async def drain(self) -> None:
        """Waits until what was sent is written."""
        await self._writer.drain()

    def over(self) -> set[int]:
        """The streams that the server has ended."""
        return {stream for kind, stream, _ in self.received if kind == RST_STREAM} | self._trailed

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
                if kind == PING and not flags & ACK:
                    self._writer.write(frame(PING, payload, flags=ACK))
                elif kind == WINDOW_UPDATE:
                    self._windows[stream] = self._windows.get(stream, 65535) + int.from_bytes(
                        payload
                    )
                    self._may_send.set()
                elif kind not in (PING, SETTINGS):
                    self.received.append((kind, stream, payload))
                    self.answered.add(stream)
                    if flags & END_STREAM:
                        self._trailed.add(stream)
        except (asyncio.IncompleteReadError, OSError):
            self.ended.set()
