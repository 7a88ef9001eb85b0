"""The worker of a cluster while a node fails: no attempt is lost, and no step runs twice."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from pathlib import Path

import pytest

import durable
from tests.support.waiting import eventually

from .processes import CLIENT, NAMES, Plant, cluster

pytestmark = pytest.mark.timeout(120)

COUNT = 30
STEPS = 8
STEP_SECONDS = 0.8
"""All steps of an invocation take longer than another node needs to take a partition over."""


@pytest.mark.parametrize(("entry", "cut"), [(True, False), (False, False), (True, True)], ids=str)
async def test_a_failing_node_costs_no_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, entry: bool, cut: bool
) -> None:
    """The node that the worker has dialled (`entry`) or another one is killed, or loses NATS."""
    caplog.set_level(logging.INFO, "durable.worker")
    ran: Counter[str] = Counter()

    async def count(name: str) -> None:
        ran[name] += 1
        await asyncio.sleep(STEP_SECONDS)

    @durable.workflow
    async def steps(ctx: durable.Context) -> str:
        for index in range(STEPS):
            await ctx.run(f"step {index}", count, f"{ctx.invocation_id} {index}")
        return "done"

    async with cluster(tmp_path, workers=0) as plant:
        worker = durable.Worker(plant.addresses(CLIENT), workflows=[steps], insecure=True)
        task = asyncio.create_task(worker.run())
        try:
            await worker.ready()
            told = [it.getMessage() for it in caplog.records]
            dialled = next(it for it in told if " serves " in it).rpartition(" at ")[2]
            failing = next(it for it in NAMES if (plant.nodes[it].address == dialled) is entry)
            others = [plant.nodes[it].address for it in NAMES if it != failing]
            async with durable.AsyncClient(",".join(others), timeout=None) as client:
                invoked = [await client.invoke_async(steps) for _ in range(COUNT)]
                await eventually(lambda: len(ran) >= COUNT)
                await fail(plant, failing, cut=cut)
                for invocation_id in invoked:
                    assert (await client.get_result(invocation_id)).value() == "done"
        finally:
            worker.stop()
            await task
    assert worker.statistics().attempts_started == COUNT
    assert len(ran) == COUNT * STEPS
    assert set(ran.values()) == {1}


async def fail(plant: Plant, name: str, *, cut: bool) -> None:
    if cut:
        plant.cut_off_from_nats(name)
    else:
        await plant.nodes[name].end()
