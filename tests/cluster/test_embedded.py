"""Three real nodes whose embedded NATS servers are one cluster: nothing else is needed."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager

import pytest
import pytest_asyncio

import durable
from durable_server.nats.api import ApiError

from ..support.processes import nats_of
from ..support.waiting import eventually
from .embedded_nodes import EmbeddedNodes

EFFECTS: Counter[str] = Counter()


@durable.workflow
async def effect(ctx: durable.Context, key: str) -> str:
    await ctx.run("count", EFFECTS.update, [key])
    return f"{key} is done"


@pytest_asyncio.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedNodes]:
    """A cluster that runs; a test leaves it so."""
    with ExitStack() as stack:
        nodes = EmbeddedNodes(stack, tmp_path_factory.mktemp("cluster"))
        first = nodes.begin("a")
        waits = f"waits for 1 more of 3 NATS servers: b at {nodes.routes['b']}, c at"
        await eventually(lambda: waits in first.text())
        await nodes.start("b", "c")
        await nodes.serve("a")
        yield nodes


@asynccontextmanager
async def served(nodes: EmbeddedNodes) -> AsyncIterator[durable.AsyncClient]:
    """Gives a client of all nodes, while a worker of all nodes serves the workflow."""
    worker = durable.Worker(nodes.addresses, workflows=[effect], insecure=True)
    task = asyncio.create_task(worker.run())
    try:
        await worker.ready()
        async with durable.AsyncClient(nodes.addresses, timeout=60) as client:
            yield client
    finally:
        worker.stop()
        await task


async def call(client: durable.AsyncClient, key: str) -> None:
    """Makes a call, with a key that spreads the calls over all partitions."""
    once = client.options(idempotency_key=key)
    assert await once.invoke(effect, key) == f"{key} is done"


async def calls(client: durable.AsyncClient, keys: Iterable[str]) -> None:
    await asyncio.gather(*(call(client, it) for it in keys))


def named(prefix: str) -> set[str]:
    return {f"{prefix}-{number}" for number in range(30)}


def done(*keys: str) -> bool:
    """Whether the side effects of these keys happened.

    One may have happened twice, if its worker did not find a node for a while.
    """
    return EFFECTS.keys() >= {*keys}


async def test_all_servers_keep_each_log(nodes: EmbeddedNodes) -> None:
    async with served(nodes) as client:
        await calls(client, named("first"))
    assert {EFFECTS[it] for it in named("first")} == {1}
    for name in "abc":
        info = await nodes.stream(name, 0)
        assert info["config"]["num_replicas"] == 3
        others = {it["name"] for it in info["cluster"]["replicas"]}
        assert others | {info["cluster"]["leader"]} == set("abc")
        assert info["cluster"]["name"] == "durable"


async def test_a_node_survives_its_nats_server(nodes: EmbeddedNodes) -> None:
    async with served(nodes) as client:
        child = nodes.children["a"]
        server = nats_of(child)
        server.kill()
        await calls(client, named("without"))
        await eventually(lambda: "nats-server is back" in child.text())
        await eventually(lambda: everybody_is_current(nodes))
        await calls(client, named("again"))
    assert nats_of(child).pid != server.pid
    assert done(*named("without"), *named("again"))


async def everybody_is_current(nodes: EmbeddedNodes) -> bool:
    try:
        found = [await nodes.stream(name, 0) for name in "abc"]
    except (OSError, ApiError):
        return False
    return all(len(it["cluster"]["replicas"]) == 2 for it in found) and all(
        replica["current"] for it in found for replica in it["cluster"]["replicas"]
    )


async def test_one_may_be_killed_and_with_two_nothing_is_acknowledged(nodes: EmbeddedNodes) -> None:
    async with served(nodes) as client:
        await calls(client, named("three"))
        await nodes.kill("c")
        await calls(client, named("two"))
        await nodes.kill("b")
        waiting = [asyncio.create_task(call(client, it)) for it in named("one")]
        # One server alone acknowledges nothing, however long it is given.
        ended, _ = await asyncio.wait(waiting, timeout=3)
        assert not ended
        await nodes.start("b", "c")
        await asyncio.gather(*waiting)
    assert done(*named("three"), *named("two"), *named("one"))


async def test_each_is_restarted_under_load_one_without_its_disk(nodes: EmbeddedNodes) -> None:
    """No call fails, and what was done before the disk was lost is still known."""
    stop = asyncio.Event()
    keys: list[str] = []

    async def load(client: durable.AsyncClient) -> None:
        while not stop.is_set():
            keys.append(f"rolling-{len(keys)}")
            await call(client, keys[-1])

    async with served(nodes) as client:
        callers = [asyncio.create_task(load(client)) for _ in range(4)]
        for name in "abc":
            assert await nodes.end(name) == 0, nodes.children[name].text()
            if name == "b":
                shutil.rmtree(nodes.data(name))
            await nodes.start(name)
        stop.set()
        await asyncio.gather(*callers)
        before = EFFECTS.copy()
        await calls(client, named("first"))
        assert before == EFFECTS
    assert len(keys) > len(callers)
    assert done(*keys)
