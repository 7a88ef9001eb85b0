"""The transport of a link: one TCP connection, on which both sides write frames.

A frame is a message of node.proto behind its length in four bytes, the highest first. The node that
dials writes a greeting first; the other one answers with a frame, or with the reason why it refuses.
A side that ends the link in order writes why in its last frame.

With TLS both sides show a certificate of the authority that all nodes trust, and the one that dials
compares it with the host that it dials. That authority may have signed certificates of clients too, so
it is still the greeting that proves that the other side is a node.

It is not gRPC, because a node has nothing of it here: calls and streams are multiplexed and bounded by
the link itself, and a frame through gRPC costs six times as much CPU (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from google.protobuf.message import DecodeError

from durable_proto.node_v1 import node_pb2

logger = logging.getLogger("durable.peers")

F = TypeVar("F", node_pb2.LinkRequest, node_pb2.LinkResponse)

FRAME_BYTES = 8 * 1024 * 1024
"""The largest frame, in both directions. Frames have a soft limit of about 1 MiB, which one part may
exceed.
"""
GREETING_BYTES = 4096
"""The largest first frame of a node that dials, which nobody knows yet."""
HANDSHAKE_SECONDS = 10.0
"""How long the handshake of TLS may take, in which nobody is known yet; asyncio's 60 s are many."""
ENDING_SECONDS = 0.5
"""How long the end of a connection waits for what was written to be taken."""
_PAUSE_SECONDS = 1.0
"""How long nothing is accepted after that has failed, as it does without a free file."""
_LENGTH_BYTES = 4
_BUFFER_BYTES = 256 * 1024
"""How much is read ahead."""


class FrameError(Exception):
    """What came is no frame of a link."""


class LinkTls(NamedTuple):
    """The TLS of links. Certificates may change, so each use asks for the newest."""

    serving: ssl.SSLContext
    """For connections that other nodes open."""
    dialling: Callable[[], ssl.SSLContext]
    """Returns the context for a connection to another node."""


class FrameConnection:
    """One connection with frames on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def dial(cls, address: str, tls: LinkTls | None = None) -> FrameConnection:
        """Connects to `HOST:PORT`; None is plain text. Raises OSError."""
        host, port = split(address)
        context = None if tls is None else tls.dialling()
        return cls(
            *await asyncio.open_connection(
                host,
                port,
                limit=_BUFFER_BYTES,
                ssl=context,
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
            )
        )

    @property
    def other(self) -> str:
        """The address of the other side."""
        name = self._writer.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else "an unknown address"

    async def read(self, frame_type: type[F], limit: int = FRAME_BYTES) -> F | None:
        """Returns the next frame; None at the end of the connection. Raises FrameError and OSError."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES))
            if length > limit:
                raise FrameError(f"a frame of {length} bytes has come, more than {limit}")
            return frame_type.FromString(await self._reader.readexactly(length))
        except asyncio.IncompleteReadError:
            return None
        except DecodeError as error:
            raise FrameError(f"a frame that cannot be read has come: {error}") from error

    async def write(self, frame: node_pb2.LinkRequest | node_pb2.LinkResponse) -> None:
        """Writes a frame; returns when the next one may be written. Raises OSError."""
        self._add(frame)
        await self._writer.drain()

    async def end(self, last: node_pb2.LinkResponse) -> None:
        """Writes a last frame, and closes when the other side has read it or after a moment."""
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                self._add(last)
                # A connection that is closed with something unread loses what it has written.
                while await self._reader.read(_BUFFER_BYTES):
                    pass
        except (TimeoutError, OSError):
            pass
        await self.close()

    async def close(self) -> None:
        """Closes once everything is written, or after a moment."""
        self._writer.close()
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            pass
        finally:
            self._writer.transport.abort()

    def abort(self) -> None:
        """Closes at once; a read that waits ends."""
        self._writer.transport.abort()

    def _add(self, frame: node_pb2.LinkRequest | node_pb2.LinkResponse) -> None:
        if self._writer.is_closing():  # uvloop raises RuntimeError when it is closed
            raise ConnectionResetError("the connection is closed")
        data = frame.SerializeToString()
        self._writer.write(len(data).to_bytes(_LENGTH_BYTES) + data)


Accept = Callable[[FrameConnection], Awaitable[None]]
_Accepted = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def split(address: str) -> tuple[str, int]:
    """Returns the host, without brackets, and the port of `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bind(address: str) -> socket.socket:
    """Returns a socket that listens at `HOST:PORT`; `[::]` means IPv4 too. Raises OSError."""
    host, port = split(address)
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, bound = found[0]
    both = family is socket.AF_INET6 and bound[0] == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((bound[0], port), family=family, dualstack_ipv6=both, backlog=128)


def serve(
    listening: socket.socket, accept: Accept, tls: LinkTls | None = None, *, handshakes: int = 300
) -> Listening:
    """Accepts connections; `accept` runs for each in a task of its own, with TLS after the handshake.

    `handshakes` is how many may be in it. With one more, the one that has waited longest is closed.
    """

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept(FrameConnection(reader, writer))

    return Listening(listening, accepted, None if tls is None else tls.serving, handshakes)


class Listening:
    """A port that accepts connections.

    asyncio's own servers say nothing of the connections in the TLS handshake, so nobody could bound
    these. And `asyncio.Server.close` leaves a connection open for ever that it has just accepted
    (https://github.com/python/cpython/issues/109564), so the other node waits for its greeting.
    """

    def __init__(
        self,
        listening: socket.socket,
        accepted: _Accepted,
        context: ssl.SSLContext | None,
        limit: int,
    ) -> None:
        self._listening = listening
        self._accepted = accepted
        self._context = context
        self._limit = limit
        self._opening: dict[asyncio.Task[None], None] = {}
        """The connections that are accepted and not open yet, the oldest first."""
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accepts nothing any more, and ends handshakes; connections that are open go on.

        Closing it again has no effect.
        """
        if self._listening.fileno() < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        for task in self._opening:
            task.cancel()

    def _resume(self) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        """Accepts one connection, and begins its handshake."""
        loop = asyncio.get_running_loop()
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            logger.warning("a connection of another node cannot be accepted: %s", error.strerror)
            loop.remove_reader(self._listening)
            self._pause = loop.call_later(_PAUSE_SECONDS, self._resume)
            return
        connection.setblocking(False)
        with suppress(OSError):  # it may be over
            # asyncio does not, for a socket that was accepted from one without a protocol number.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self._opening) >= self._limit:
            oldest = next(iter(self._opening))
            del self._opening[oldest]
            oldest.cancel()
        task = loop.create_task(self._open(connection))
        self._opening[task] = None
        task.add_done_callback(partial(self._opened, connection))

    def _opened(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._opening.pop(task, None)
        if task.cancelled():  # maybe before it has begun
            connection.close()

    async def _open(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=_BUFFER_BYTES)
        # A handshake that fails has told the other side; here it is nothing that anybody could mend.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader, self._accepted),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=None if self._context is None else HANDSHAKE_SECONDS,
            )
