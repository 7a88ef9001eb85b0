"""The handshakes of HTTPS: a connection counts from the moment it is accepted, and has little time.

The event loop would tell uvicorn of a connection only after its handshake: until then nobody would
count it, for a minute. So TLS is not left to uvicorn. A connection is accepted in plain text, and
nothing is read: its socket is given to the event loop again, for TLS. With one too many, the handshake
that has lasted longest ends, because one of a real client takes milliseconds; without any, the new
connection is closed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from .http1 import Http1Protocol

HANDSHAKE_SECONDS = 20.0
"""How long a handshake may take: as long as at the gRPC address."""


class Handshakes:
    """The connections of one server whose handshake has not ended."""

    def __init__(self, context: ssl.SSLContext, limit: int) -> None:
        """At most `limit` connections are open, with those that HTTP has."""
        self._context = context
        self._limit = limit
        self._tasks: dict[asyncio.Task[None], None] = {}
        """The oldest first."""

    def __len__(self) -> int:
        """Returns how many are under way."""
        return len(self._tasks)

    def accepted(
        self, make: Callable[[], Http1Protocol], served: Collection[object]
    ) -> asyncio.Protocol:
        """Returns the protocol of a connection that is being accepted.

        `make` returns the one for after the handshake; `served` are the connections that have one.
        """
        return _Accepted(lambda it: self._begin(it, make, served))

    def _begin(
        self,
        transport: asyncio.Transport,
        make: Callable[[], Http1Protocol],
        served: Collection[object],
    ) -> None:
        if self._tasks and len(self._tasks) + len(served) >= self._limit:
            oldest = next(iter(self._tasks))
            del self._tasks[oldest]
            oldest.cancel()
        try:
            if len(self._tasks) + len(served) < self._limit:
                # A copy, because the transport closes its own.
                copy = os.dup(transport.get_extra_info("socket").fileno())
                protocol = make()
                task = asyncio.create_task(self._shake(socket.socket(fileno=copy), protocol))
                self._tasks[task] = None
                task.add_done_callback(self._ended)
                # Before the task ends, and then it is among `served`.
                protocol.on_connected = partial(self._ended, task)
        except OSError:
            pass  # it is gone, or this process may open no more files
        finally:
            transport.abort()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

    async def _shake(self, connection: socket.socket, protocol: Http1Protocol) -> None:
        # An OSError: it is no TLS, is too slow, is gone, or lacks the certificate that is asked for.
        with suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )

    def close(self) -> None:
        """Ends all that are under way, and accepts no more."""
        self._limit = 0
        for it in self._tasks:
            it.cancel()


class _Accepted(asyncio.Protocol):
    """One connection that is being accepted."""

    def __init__(self, made: Callable[[asyncio.Transport], None]) -> None:
        self._made = made

    # uvloop's transports do not derive from asyncio's.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Passes it on."""
        self._made(transport)
