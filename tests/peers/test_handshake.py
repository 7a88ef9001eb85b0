"""Links that are refused: a wrong secret, another system, another node, another protocol."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import pytest

from durable_proto.node_v1 import node_pb2
from durable_server.peers.handshake import Credentials
from durable_server.peers.interface import PeerUnavailableError
from durable_server.peers.limits import LinkLimits
from durable_server.peers.links import Links
from durable_server.peers.server import PeerServer
from tests.support.waiting import PATIENCE_SECONDS

from .conftest import credentials
from .methods import RecordedMethods

REFUSED = {
    "secret": (credentials("a", secret="another"), "the secret is not that of node b"),
    "no secret": (credentials("a", secret=""), "the secret is not that of node b"),
    "system": (
        credentials("a", system="77aa"),
        "belongs to system 5f0c, and node a to system 77aa",
    ),
}


@pytest.mark.parametrize(("caller", "problem"), REFUSED.values(), ids=REFUSED)
async def test_a_link_is_refused_with_one_line_on_each_side(
    caller: Credentials,
    problem: str,
    addresses: dict[str, str],
    methods: RecordedMethods,
    caplog: pytest.LogCaptureFixture,
) -> None:
    links = Links(caller, addresses.get)
    for _ in range(50):
        with pytest.raises(PeerUnavailableError, match=problem):
            await links.call("b", "Echo", b"", None)
    await links.close()
    assert not methods.calls_seen
    warnings = [it.getMessage() for it in caplog.records if it.levelno == logging.WARNING]
    dialling = [it for it in warnings if it.startswith("the link to node b")]
    serving = [it for it in warnings if it.startswith("a link from ")]
    assert len(dialling) == 1
    assert problem in dialling[0]
    assert "it refuses this node" in dialling[0]
    assert serving
    assert problem in serving[0]
    assert not [it for it in warnings if "\n" in it]


async def test_the_reason_of_a_refusal_is_never_lost(addresses: dict[str, str]) -> None:
    for _ in range(200):
        links = Links(credentials("a", system="77aa"), addresses.get)
        stream = links.open("b", "Double", b"")
        stream.send(b"more to write")
        with pytest.raises(PeerUnavailableError, match="belongs to system 5f0c"):
            await links.call("b", "Echo", b"", None)
        await links.close()


async def test_a_link_to_an_address_that_another_node_has_now_is_refused(
    addresses: dict[str, str],
) -> None:
    links = Links(credentials("a"), {"c": addresses["b"]}.get)
    with pytest.raises(PeerUnavailableError, match="this is node b, and not node c"):
        await links.call("c", "Echo", b"", None)
    await links.close()


STRANGERS = {
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), "a frame of 1347569952 bytes"),
    "no frame": (b"\0\0\0\2\xff\xff", "a frame that cannot be read"),
    "no greeting": (b"\0\0\0\0", "the secret is not that of node b"),
}


@pytest.mark.parametrize(("data", "problem"), STRANGERS.values(), ids=STRANGERS)
async def test_a_stranger_is_told_why_and_nothing_else(
    data: bytes, problem: str, addresses: dict[str, str], methods: RecordedMethods
) -> None:
    host, _, port = addresses["b"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    length = int.from_bytes(await reader.readexactly(4))
    answer = node_pb2.LinkResponse.FromString(await reader.readexactly(length))
    assert problem in answer.ended
    assert not answer.parts
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert not methods.calls_seen


@pytest.mark.parametrize("limits", [LinkLimits(silence_seconds=0.2)])
async def test_a_connection_without_a_greeting_is_closed(addresses: dict[str, str]) -> None:
    host, _, port = addresses["b"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert b"no greeting came" in await reader.read()
    writer.close()


@pytest.mark.parametrize("limits", [LinkLimits(silence_seconds=60.0, ungreeted=3)])
async def test_connections_without_a_greeting_are_bounded_and_keep_no_node_out(
    addresses: dict[str, str],
) -> None:
    host, _, port = addresses["b"].rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
    for reader, _ in silent[:2]:
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_SECONDS) == b""
    links = Links(credentials("a"), addresses.get)
    assert await links.call("b", "Echo", b"a node", None) == b"a node"
    await links.close()
    for _, writer in silent:
        writer.close()


async def test_a_connection_that_is_open_when_the_node_stops_ends_without_a_failure_in_the_log(
    server: PeerServer, addresses: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = addresses["b"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    # The server answers this one, so it has accepted the first one too.
    links = Links(credentials("a"), addresses.get)
    await links.call("b", "Echo", b"", None)
    await links.close()
    await server.stop(0)
    assert b"node b stops" in await reader.read()
    writer.close()
    assert not [it for it in caplog.records if it.levelno >= logging.ERROR]
