"""A node that an operator drains: it leads and follows nothing, and serves on, until that is undone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf import duration_pb2

import durable
from durable_cli.errors import NOT_FOUND, STATE
from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.cluster.member import Member
from durable_server.core.limits import Limits
from durable_server.peers.interface import PeerStream
from durable_server.rpc.draining import Draining
from durable_server.rpc.topology import Changes
from tests.cli.conftest import Run, run
from tests.process.load import Load
from tests.support.processes import control_plane
from tests.support.waiting import eventually

from .nodes import member
from .processes import NAMES, Plant, cluster

WAIT = 30.0


async def test_a_drained_node_serves_without_partitions(tmp_path: Path) -> None:
    async with cluster(tmp_path, workers=1) as plant, plant.client() as client:
        await Load(client, random.Random(1)).served()
        with pytest.raises(durable.NotFoundError, match="'d'; live: a, b, c") as unknown:
            await client.drain_node("d")
        assert unknown.value.reason == "NODE_NOT_FOUND"
        with pytest.raises(durable.InvalidArgumentError, match="node: is empty"):
            await client.drain_node("")
        await drain(client, "b")
        view = await plant.view("b")
        (state,) = [it for it in view.nodes if it.name == "b"]
        assert (state.state, state.followed_count) == ("drained", 0)
        async with durable.AsyncClient(plant.nodes["b"].address, timeout=60) as at_drained:
            for key in "uvwxyz":
                assert (await at_drained.options(key=key).invoke("soak.add", 3)).value() == 3
        await drain_by_command(plant, "c")
        refused = await command(plant, "cluster", "drain", "a")
        assert refused.code == STATE
        assert "nobody can take over what node a leads: all others (b, c) drain too" in refused.err
        assert not next(it for it in (await client.cluster()).nodes if it.name == "a").draining
        undone = await command(plant, "cluster", "--json", "drain", "c", "--undo")
        assert (undone.code, undone.json["name"], undone.json["draining"]) == (0, "c", False)
        await client.drain_node("b", undo=True)
        await plant.led_by(*NAMES, seen_by="a")


async def drain(client: durable.AsyncClient, name: str) -> None:
    """Drains a node; checks that its partitions leave one at a time."""
    counts = [len((await client.drain_node(name)).led_partitions)]
    while counts[-1]:
        counts.append(len((await client.drain_node(name, wait=WAIT)).led_partitions))
        assert counts[-1] < counts[-2], counts
    (node,) = [it for it in (await client.cluster()).nodes if it.name == name]
    assert node.draining
    assert not node.stopping


async def command(plant: Plant, *arguments: str) -> Run:
    return await asyncio.to_thread(run, *arguments, address=plant.nodes["a"].address)


async def drain_by_command(plant: Plant, name: str) -> None:
    """Drains a node with the command line; checks what it says without a terminal."""
    done = await command(plant, "cluster", "drain", name)
    assert done.code == 0, done
    assert done.out == f"node {name} leads nothing; to undo: durable cluster drain {name} --undo\n"
    lines = done.err.splitlines()
    assert lines
    assert all(it.startswith(f"node {name} still leads partition") for it in lines)
    counts = [it.count(",") for it in lines]
    assert counts == sorted(set(counts), reverse=True)
    states = {
        it.split()[0]: it.split()[3]
        for it in (await command(plant, "cluster")).out.splitlines()[1:4]
    }
    assert states[name] == "drained"
    unknown = await command(plant, "cluster", "drain", "d")
    assert (unknown.code, unknown.out) == (NOT_FOUND, "")
    assert "no live node has the name 'd'; live: a, b, c" in unknown.err


async def test_a_drained_node_leads_when_it_is_the_last_one(tmp_path: Path) -> None:
    async with cluster(tmp_path, workers=0) as plant:
        async with plant.client() as client:
            await drain(client, "c")
        assert await plant.nodes["a"].terminate() == 0
        assert await plant.nodes["b"].terminate() == 0
        view = await plant.led_by("c", seen_by="c")
        assert view.nodes[0].draining


class _Nodes:
    """What node a knows: b can take over what it leads. Implements `Topology` and `Peers`."""

    name = "a"

    def __init__(self) -> None:
        self.live = {"a": member("a", leads={0: (1, 1), 1: (1, 1)}), "b": member("b")}
        self.changed: Callable[[], None] = lambda: None

    def leader(self, partition: int) -> Member | None:
        raise AssertionError

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109  # as in Peers
        raise AssertionError

    def open(self, node: str, method: str, body: bytes) -> PeerStream:
        raise AssertionError

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        self.changed = changed
        return lambda: None

    def set_drained(self, drained: bool) -> None:
        self.live["a"] = replace(self.live["a"], draining=drained)
        self.changed()


async def test_a_wait_for_a_drain_ends_when_another_command_undoes_it() -> None:
    nodes = _Nodes()
    draining = Draining(nodes, nodes, Changes(nodes.listen), nodes.set_drained, Limits())
    request = control_pb2.DrainNodeRequest(node="a", wait_timeout=duration_pb2.Duration(seconds=60))
    waiting = asyncio.create_task(draining.answer(request))
    await eventually(lambda: nodes.live["a"].draining)
    undone = await draining.answer(control_pb2.DrainNodeRequest(node="a", undo=True))
    assert not undone.node.draining
    answer = await asyncio.wait_for(waiting, 10)
    assert (answer.node.draining, [*answer.node.led_partitions]) == (False, [0, 1])


class _Undone(control_pb2_grpc.DurableControlServicer):
    """A control plane whose only node is drained by one command and taken back by another."""

    def __init__(self) -> None:
        self.asked = 0

    async def DrainNode(
        self, request: control_pb2.DrainNodeRequest, context: object
    ) -> control_pb2.DrainNodeResponse:
        self.asked += 1
        node = control_pb2.ClusterNode(name="a", draining=self.asked == 1, led_partitions=[0, 1])
        return control_pb2.DrainNodeResponse(node=node)


async def test_the_command_does_not_drain_again_what_was_undone() -> None:
    server, control = grpc.aio.server(), _Undone()
    control_pb2_grpc.add_DurableControlServicer_to_server(control, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        done = await asyncio.to_thread(run, "cluster", "drain", "a", address=address)
    finally:
        await server.stop(None)
    assert (done.code, done.out, control.asked) == (STATE, "", 2)
    assert done.err.splitlines()[-1] == "durable: the drain of node a was undone meanwhile"


def test_one_process_cannot_be_drained(tmp_path: Path) -> None:
    with (
        control_plane(tmp_path) as (_, address),
        durable.Client(address, timeout=5) as client,
        pytest.raises(durable.PreconditionError, match="one process without --node"),
    ):
        client.drain_node("a")
