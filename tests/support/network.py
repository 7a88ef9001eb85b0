"""A network of named processes whose links a test cuts, holds and heals: a TCP proxy for each link.

    port = await network.way("client", "a", 50051)    to this port of 127.0.0.1, by that of OTHER_HOST
    network.cut("client", "a")     connections break at once, and new ones do too, until `heal`
    network.hold("client", "a")    what either one sends does not arrive, and nothing breaks
    network.hold("client", "a", one_way=True)    the same for what the client sends to a
    network.heal("client", "a")

Each process is given its own ways to the others. Where several must use one address, because a process
tells it to all others itself, `shared_way` finds who has opened a connection by its source port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import cast

from .listening import stop_listening

OTHER_HOST = "127.0.0.2"
"""Where the proxies listen."""
OTHER = "other"
"""Who uses a shared way and has no name."""

Pids = Callable[[], Iterable[int]]
"""Returns the processes that have a name now."""


class Network:
    """The links between named processes. What it has opened is closed when its block ends."""

    def __init__(self) -> None:
        self._pids: dict[str, Pids] = {}
        self._cut: set[tuple[str, str]] = set()
        self._held: set[tuple[str, str]] = set()
        """The directions in which nothing passes."""
        self._pairs: set[_Pair] = set()
        self._closed = False
        self._stack = AsyncExitStack()

    def name(self, name: str, pids: Pids) -> None:
        """Names processes that use shared ways; `pids` is asked whenever a connection comes."""
        self._pids[name] = pids

    async def way(self, client: str, server: str, port: int) -> int:
        """Opens the way of one process to a port of another one; returns the port of OTHER_HOST."""
        return await self._open(lambda _: client, server, port, 0)

    async def shared_way(self, server: str, port: int) -> None:
        """Opens the way of all named processes to a port of another one: the same of OTHER_HOST."""
        await self._open(self._owner, server, port, port)

    async def _open(self, client: Callable[[int], str], server: str, port: int, listen: int) -> int:
        listening = await asyncio.get_running_loop().create_server(
            lambda: _End(_Pair(self, client, server, port), is_near=True), OTHER_HOST, listen
        )
        self._stack.push_async_callback(stop_listening, listening)
        return int(listening.sockets[0].getsockname()[1])

    def cut(self, one: str, other: str) -> None:
        """Breaks all connections between two, and each new one, until `heal`."""
        self._cut |= {(one, other), (other, one)}
        for pair in [it for it in self._pairs if (it.client, it.server) in self._cut]:
            pair.abort()

    def hold(self, one: str, other: str, *, one_way: bool = False) -> None:
        """Lets nothing pass between two, or only from the other one to the first, until `heal`."""
        self._held |= {(one, other)} if one_way else {(one, other), (other, one)}
        self._set_passing()

    def heal(self, one: str, other: str) -> None:
        """Makes the link between two as good as new: what was held arrives now."""
        for links in (self._cut, self._held):
            links -= {(one, other), (other, one)}
        self._set_passing()

    def heal_all(self) -> None:
        """Heals every link."""
        self._cut.clear()
        self._held.clear()
        self._set_passing()

    async def __aenter__(self) -> Network:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        await self._stack.aclose()
        for pair in tuple(self._pairs):
            pair.abort()
        await asyncio.sleep(0)  # their transports close in the next turn of the loop

    # For the connections

    def is_cut(self, one: str, other: str) -> bool:
        """Returns whether a connection between two breaks."""
        return self._closed or (one, other) in self._cut

    def passes(self, source: str, target: str) -> bool:
        """Returns whether what `source` sends arrives at `target`."""
        return (source, target) not in self._held

    def _owner(self, port: int) -> str:
        """Returns who has a connection with this local port."""
        inode = _inode(port)
        for name, pids in self._pids.items():
            for pid in pids():
                with contextlib.suppress(OSError):  # it has just ended
                    if f"socket:[{inode}]" in _descriptors(pid):
                        return name
        return OTHER

    def add(self, pair: _Pair) -> None:
        """Takes a connection that is open now."""
        self._pairs.add(pair)

    def remove(self, pair: _Pair) -> None:
        """Takes that a connection is gone."""
        self._pairs.discard(pair)

    def _set_passing(self) -> None:
        for pair in tuple(self._pairs):
            pair.set_passing()


def _inode(port: int) -> str:
    """Returns the inode of the socket with this local port that is connected to a proxy."""
    local, remote = f":{port:04X}", f"{_hexadecimal(OTHER_HOST)}:"
    with Path("/proc/net/tcp").open() as lines:
        for line in lines:
            fields = line.split()
            if fields[1].endswith(local) and fields[2].startswith(remote):
                return fields[9]
    return ""


def _descriptors(pid: int) -> set[str]:
    """Returns what the file descriptors of a process are. Raises OSError when it has ended."""
    found: set[str] = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it was just closed
            found.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def _hexadecimal(host: str) -> str:
    return socket.inet_aton(host)[::-1].hex().upper()


class _Pair:
    """One connection through a proxy: its two ends."""

    def __init__(
        self, network: Network, client: Callable[[int], str], server: str, port: int
    ) -> None:
        self.client = OTHER
        self.server = server
        self._find_client = client
        self._network = network
        self._port = port
        self._near: _End | None = None
        self._far: _End | None = None
        self._opening: asyncio.Task[None] | None = None

    def begin(self, near: _End, source_port: int) -> None:
        """Takes the end that has come, and opens the other one."""
        self._near = near
        self.client = self._find_client(source_port)
        self._network.add(self)
        if self._network.is_cut(self.client, self.server):
            self.abort()
        else:
            # Not at once: before Python 3.11.3 a transport begins to read after `connection_made`.
            asyncio.get_running_loop().call_soon(near.pause_until_open)
            self._opening = asyncio.create_task(self._open())

    @property
    def is_open(self) -> bool:
        """Whether both ends are open."""
        return self._far is not None

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, far = await loop.create_connection(
                lambda: _End(self, is_near=False), "127.0.0.1", self._port
            )
        except OSError:
            self.abort()
            return
        self._far = far
        self.set_passing()

    def set_passing(self) -> None:
        """Reads from each end what may pass."""
        if self._near is None or self._far is None:
            return
        client, server = self.client, self.server
        self._near.read(reads=self._network.passes(client, server) and not self._far.full)
        self._far.read(reads=self._network.passes(server, client) and not self._near.full)

    def data_received(self, end: _End, data: bytes) -> None:
        """Passes on what has come."""
        if (to := self._far if end is self._near else self._near) is not None:
            to.transport.write(data)

    def abort(self) -> None:
        """Breaks the connection, as a reset does."""
        self._network.remove(self)
        if self._opening is not None:
            self._opening.cancel()
        for end in (self._near, self._far):
            if end is not None:
                end.transport.abort()


class _End(asyncio.Protocol):
    """One end of a connection."""

    transport: asyncio.Transport

    def __init__(self, pair: _Pair, *, is_near: bool) -> None:
        self.full = False
        """Whether it takes no more data now."""
        self._pair = pair
        self._is_near = is_near
        self._reads = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._is_near:
            self._pair.begin(self, self.transport.get_extra_info("peername")[1])

    def data_received(self, data: bytes) -> None:
        self._pair.data_received(self, data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._pair.abort()

    def pause_writing(self) -> None:
        self.full = True
        self._pair.set_passing()

    def resume_writing(self) -> None:
        self.full = False
        self._pair.set_passing()

    def pause_until_open(self) -> None:
        """Does not read until both ends are open; see `_Pair.set_passing`."""
        if not self._pair.is_open:
            self.read(reads=False)

    def read(self, *, reads: bool) -> None:
        """Reads, or does not."""
        if reads == self._reads or self.transport.is_closing():
            return
        self._reads = reads
        if reads:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()
