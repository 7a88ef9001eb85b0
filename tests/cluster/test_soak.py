"""The soak of a cluster: random programs while nodes and workers are killed and stopped at random.

`pytest tests/cluster/test_soak.py --soak-seconds 600 --seed 7` runs it for ten minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.process.load import Load
from tests.support.processes import running

from .processes import NAMES, NodeProcess, Plant, cluster

LEAST_SECONDS = 20.0
"""The shortest time in which several leaders change: the lease of a member takes five seconds."""


class Staff:
    """Those who kill and stop the processes of a cluster, and start them again."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.enough = asyncio.Event()
        """Set to leave the nodes alone."""
        self._plant = plant
        self._rng = rng

    async def disturb(self, node: NodeProcess) -> None:
        """Kills or stops a node again and again, until it is enough; then the node runs."""
        rng = self._rng
        while not await self._enough_after(rng.expovariate(1 / 6) + 1.0):
            if rng.random() < 0.6:
                await node.end()
                self.done["nodes killed"] += 1
                await self._enough_after(rng.random() * 8)
                await node.start()
            else:
                node.send(signal.SIGSTOP)
                self.done["nodes stopped"] += 1
                await self._enough_after(rng.random() * 12)
                node.send(signal.SIGCONT)

    async def _enough_after(self, seconds: float) -> bool:
        """Waits for some time, or until it is enough; returns whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.enough.wait()
        return self.enough.is_set()

    async def replace_workers(self, name: str) -> None:
        """Runs workers, one after another."""
        while True:
            with running(*self._plant.worker(name)) as child:
                await asyncio.sleep(self._rng.expovariate(1 / 4) + 2.0)
                child.kill()
                self.done["workers killed"] += 1


@pytest.mark.timeout(3600)  # as long as it is told to run
async def test_nothing_is_lost_and_nothing_is_done_twice(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seconds = max(LEAST_SECONDS, request.config.getoption("--soak-seconds"))
    seed = 1 if (given := request.config.getoption("--seed")) is None else given
    async with cluster(tmp_path, workers=0) as plant, plant.client() as client:
        staff = Staff(plant, random.Random(seed + 1))
        tasks = [
            asyncio.create_task(staff.replace_workers(f"worker-{number}")) for number in (1, 2)
        ]
        try:
            load = Load(client, random.Random(seed))
            await load.served()
            disturbing = [asyncio.create_task(staff.disturb(it)) for it in plant.nodes.values()]
            tasks += disturbing
            async with load.growing():
                # Ends early when one of the staff has failed.
                await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done():
                        task.result()
            staff.enough.set()
            await asyncio.gather(*disturbing)
            await plant.led_by(*NAMES, seen_by="a")
            await load.check()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert staff.done["workers killed"]
        assert staff.done["nodes killed"] + staff.done["nodes stopped"]
        print(f"{load.trees} trees, {dict(staff.done)}, seed {seed}")
