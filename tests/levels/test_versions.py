"""A cluster of two versions, in real processes and under load: it is upgraded, and downgraded.

The next version is `next_version`: it has a new kind of record, a new kind of message and a new field,
which it uses when the format level allows it. What the present version cannot read ends it, so that a
record that came too early ends a node of this test.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from durable._client.cluster_views import Cluster
from durable_server.core.levels import FORMAT_LEVEL
from tests.cluster.processes import NAMES, WORKERS, NodeProcess, Plant, cluster
from tests.process.load import Load
from tests.support.waiting import eventually

from .logs import record_numbers
from .next_version import LEVEL, NUMBER, VERSION

NEXT = "tests.levels.next_version"
PRESENT = "durable_server"
PARTITIONS = 3
HOLD = ("--format-level", str(FORMAT_LEVEL))
PATIENCE_SECONDS = 90.0


@asynccontextmanager
async def loaded(plant: Plant) -> AsyncIterator[Load]:
    """Runs a worker of each version, and clients without end whose calls all succeed."""
    with plant.worker(WORKERS[0]), plant.worker(WORKERS[1], program=NEXT):
        async with plant.client() as client:
            load = Load(client, random.Random(5), at_once=2)
            await load.served()
            async with load.growing():
                yield load
            await load.check()


async def restart(node: NodeProcess, module: str, *options: str) -> None:
    """Stops a node as an operator does, and starts it with a version and its options."""
    assert await node.terminate() == 0
    node.module, node.options = module, options
    await node.start()


async def until_each(plant: Plant, condition: Callable[[Cluster], bool]) -> None:
    """Waits until the cluster is so as each node sees it."""
    for name in plant.nodes:

        async def holds(name: str = name) -> bool:
            return condition(await plant.view(name))

        await eventually(holds, patience=PATIENCE_SECONDS)


@pytest.mark.timeout(240)  # six restarts of nodes, on a busy machine
async def test_a_downgrade_and_an_upgrade_node_by_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLE_TEST_SETTLE", "0.5")
    made = cluster(tmp_path, partitions=PARTITIONS, workers=0, module=NEXT, options=HOLD)
    async with made as plant:
        a, b, c = plant.nodes.values()
        (nats,) = plant.nats.values()
        async with loaded(plant) as load:
            await load.grown_more(2)
            for node in (a, b, c):
                # All could read the next level until now, and held it.
                await restart(node, PRESENT)
                await load.grown_more(1)
            assert {it.version for it in (await plant.view("a")).nodes} == {"0.1.0"}
            for node in (a, b):
                await restart(node, NEXT)
                # Both versions lead partitions, and send each other messages.
                await plant.led_by(*NAMES, seen_by="c")
                await load.grown_more(1)
            assert (await plant.view("b")).format_level == FORMAT_LEVEL
            for log in await record_numbers(nats.port, PARTITIONS):
                assert NUMBER not in log
            await restart(c, NEXT)
            await until_each(plant, lambda it: it.format_level == LEVEL)
            assert {it.format_level for it in (await plant.view("a")).nodes} == {LEVEL}
            await load.grown_more(2)
        logs = await record_numbers(nats.port, PARTITIONS)
        assert any(NUMBER in log for log in logs)
        await is_refused(c)


async def is_refused(node: NodeProcess) -> None:
    """Checks that the present version does not start any more, and says why."""
    await node.terminate()
    node.module = PRESENT
    with pytest.raises(AssertionError, match="this system has format level"):
        await node.start()
    last = (node.folder / "log").read_text().splitlines()[-1]
    assert f"this system has format level {LEVEL}, and this version (0.1.0) reads up to" in last
    assert f"start version {VERSION}, or a newer one" in last
