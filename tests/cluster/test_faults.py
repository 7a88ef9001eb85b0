"""What happens when a node of a cluster fails, row by row of the table in docs/design/cluster.md.

The nodes are processes, and they are under load all the time: each tree of work must return its sum,
each counter must have its number at the end, and nothing may be left that has not ended.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.process.load import Load
from tests.process.trees import mailbox

from .processes import NAMES, Plant, cluster

pytestmark = pytest.mark.timeout(300)

SOME = 6
"""How many trees show that work goes on."""


@asynccontextmanager
async def under_load(folder: Path, nats_servers: int = 1) -> AsyncIterator[tuple[Plant, Load]]:
    """Runs a cluster and a load, on which everything is checked at the end."""
    async with cluster(folder, nats_servers=nats_servers) as plant, plant.client() as client:
        load = Load(client, random.Random(1))
        await load.served()
        async with load.growing():
            await load.grown_more(SOME)
            yield plant, load
            await load.grown_more(SOME)
        await load.check()


async def test_a_leader_is_killed(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        await plant.nodes["b"].end()
        await plant.led_by("a", "c", seen_by="a")
        await load.grown_more(SOME)
        await plant.nodes["b"].start()
        await plant.led_by(*NAMES, seen_by="a")


async def test_a_leader_is_stopped_and_comes_back(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        plant.nodes["b"].send(signal.SIGSTOP)
        await plant.led_by("a", "c", seen_by="a")
        await load.grown_more(SOME)
        plant.nodes["b"].send(signal.SIGCONT)
        await plant.led_by(*NAMES, seen_by="b")


async def test_a_leader_is_cut_off_from_nats(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        plant.cut_off_from_nats("b")
        await plant.led_by("a", "c", seen_by="a")
        await load.grown_more(SOME)
        plant.network.heal_all()
        await plant.led_by(*NAMES, seen_by="b")


async def test_the_nodes_are_cut_off_from_each_other_but_not_from_nats(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        led = {name: await plant.leads(name) for name in NAMES}
        for one, other in itertools.combinations(NAMES, 2):
            plant.network.cut(one, other)
        # What needs no other node goes on, as far as a worker has dialled the node that leads it.
        view = await plant.view("a")
        assert {it.name: it.led_partitions for it in view.nodes} == led
        plant.network.heal_all()
        await load.grown_more(SOME)
        assert {name: await plant.leads(name) for name in NAMES} == led


async def test_one_nats_server_is_lost_and_then_a_majority(tmp_path: Path) -> None:
    async with under_load(tmp_path, nats_servers=3) as (plant, load):
        first, second, _ = plant.nats.values()
        first.kill()
        await load.grown_more(SOME)
        second.kill()
        async with plant.client() as client:
            waiting = asyncio.create_task(client.invoke(mailbox, 0))
            # One of three acknowledges nothing, however long it is given.
            ended, _ = await asyncio.wait({waiting}, timeout=3)
            assert not ended
            first.start()
            second.start()
            assert await waiting == []
        await plant.led_by(*NAMES, seen_by="a")


async def test_nats_is_lost_and_the_stores_are_not(tmp_path: Path) -> None:
    async with cluster(tmp_path, workers=0) as plant:
        [server] = plant.nats.values()
        for node in plant.nodes.values():
            await node.end()
        server.kill()
        server.lose_data()
        server.start()
        for node in plant.nodes.values():
            with pytest.raises(AssertionError, match=r"durable restore"):
                await node.start()


async def test_a_follower_loses_its_disk(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        await plant.nodes["b"].end()
        plant.nodes["b"].lose_data()
        await plant.led_by("a", "c", seen_by="a")
        await plant.nodes["b"].start()
        await plant.led_by(*NAMES, seen_by="b")
        await load.grown_more(SOME)


async def test_all_stores_are_lost(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, _):
        for node in plant.nodes.values():
            await node.end()
            node.lose_data()
        for node in plant.nodes.values():
            await node.start()
        await plant.led_by(*NAMES, seen_by="c")


async def test_a_node_that_stops_gives_its_partitions_away(tmp_path: Path) -> None:
    async with under_load(tmp_path) as (plant, load):
        assert await plant.leads("b")
        assert await plant.nodes["b"].terminate() == 0
        view = await plant.view("a")
        assert not view.leaderless
        assert {it.name for it in view.nodes} == {"a", "c"}
        await load.grown_more(SOME)
