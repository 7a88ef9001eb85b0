"""Links that are refused: a wrong secret, another system, another node, another protocol."""

from __future__ import annotations

import logging

import grpc
import pytest

from durable_proto.node_v1 import node_pb2_grpc
from durable_server.peers.handshake import Credentials
from durable_server.peers.interface import PeerUnavailableError
from durable_server.peers.links import Links

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


async def test_the_port_serves_nothing_else_and_nobody_without_a_secret(
    addresses: dict[str, str],
) -> None:
    async with grpc.aio.insecure_channel(addresses["b"]) as channel:
        reflect = channel.unary_unary("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflect(b"")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        stream = node_pb2_grpc.DurableNodeStub(channel).Link()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
