"""The port of a node for other nodes with TLS: what reaches it without a handshake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from durable_server.peers.handshake import Credentials
from durable_server.peers.interface import Answer, Serve
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer
from durable_server.peers.transport import LinkTls

if TYPE_CHECKING:
    from .files import Authority

SECONDS = 5
"""Shorter than a handshake may take."""


class Methods:
    """One method."""

    def __init__(self) -> None:
        self.calls: Mapping[str, Answer] = {"Echo": self._echo}
        self.streams: Mapping[str, Serve] = {}

    async def _echo(self, body: bytes) -> bytes:
        return body


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_handshakes_are_bounded_and_keep_no_node_out(
    run: Callable[[Coroutine[Any, Any, None]], None], authority: Authority
) -> None:
    run(_bounded(authority))


async def _bounded(authority: Authority) -> None:
    pair = authority.issue("node")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    serving.load_cert_chain(pair.cert, pair.key)
    serving.verify_mode = ssl.CERT_REQUIRED
    tls = LinkTls(serving, lambda: authority.context(pair))
    server = PeerServer(
        Credentials("b", "system", "secret"), Methods(), LinkLimits(ungreeted=3), tls=tls
    )
    address = await server.start("127.0.0.1:0")
    host, _, port = address.rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
    for reader, _ in silent[:2]:
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    links = Links(Credentials("a", "system", "secret"), {"b": address}.get, tls=tls)
    # Larger than what is read ahead, in both directions.
    body = bytes(3_000_000)
    assert await links.call("b", "Echo", body, None) == body
    # The node stops while handshakes are not over.
    stopping = asyncio.create_task(server.stop(0))
    for reader, _ in silent[2:]:
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    await asyncio.wait_for(stopping, SECONDS)
    await links.close()
    for _, writer in silent:
        writer.close()
