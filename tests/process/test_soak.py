"""The soak: random programs in real processes under random SIGKILLs; nothing is lost or done twice.

`pytest tests/process/test_soak.py --soak-seconds 600 --seed 7` runs it for ten minutes. The short form
that runs by default is seeded too, though how processes interleave is the machine's own choice.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import pytest

import durable
from tests.support.processes import Child, running, until
from tests.support.processes import durable as command

from .load import Load


class Plant:
    """A control plane and two workers, which are started again whenever they die."""

    def __init__(self, folder: Path, rng: random.Random, partitions: int) -> None:
        self.folder = folder
        self.partitions = partitions
        self.rng = rng
        self.address = "127.0.0.1:0"
        self.kills: Counter[str] = Counter()
        self.ready = asyncio.Event()

    async def control_plane(self) -> None:
        """Runs control planes on one data dir, one after another."""
        while True:
            file = self.folder / "ready"
            file.unlink(missing_ok=True)
            arguments = command(
                "server", "--listen", self.address, "--data-dir", str(self.folder / "data"),
                "--ready-file", str(file), "--partitions", str(self.partitions),
            )  # fmt: skip
            with running(arguments, self.folder / "server.log") as child:
                await asyncio.to_thread(until, file.exists, "ready file", child)
                self.address = json.loads(file.read_text())["address"]
                self.ready.set()
                await self._live(child)
                while child.process.poll() is None and self.rng.random() < 0.3:
                    # The control plane restarts its nats-server and continues.
                    for it in child.descendants():
                        if "nats-server" in it.name():
                            it.kill()
                            self.kills["nats-server"] += 1
                    await self._live(child)
                child.kill()
                self.kills["control plane"] += 1

    async def worker(self, name: str) -> None:
        """Runs workers, one after another."""
        await self.ready.wait()
        while True:
            arguments = command("worker", "tests.process.trees", "--address", self.address)
            with running(arguments, self.folder / f"{name}.log") as child:
                await self._live(child)
                child.kill()
                self.kills["worker"] += 1

    async def _live(self, child: Child) -> None:
        """Lets a process live for a while."""
        lifetime = self.rng.expovariate(1 / 2) + 1.0
        await asyncio.to_thread(_wait, child, lifetime)


def _wait(child: Child, seconds: float) -> None:
    try:
        child.process.wait(seconds)
    except Exception:  # noqa: BLE001 - still alive, as it should be
        return


@pytest.mark.parametrize("partitions", [1, 3])
async def test_nothing_is_lost_and_nothing_is_done_twice(
    tmp_path: Path, request: pytest.FixtureRequest, partitions: int
) -> None:
    seconds = request.config.getoption("--soak-seconds")
    seed = 1 if (given := request.config.getoption("--seed")) is None else given
    plant = Plant(tmp_path, random.Random(seed + 1), partitions)
    staff = [asyncio.create_task(plant.control_plane())]
    staff += [asyncio.create_task(plant.worker(f"worker-{number}")) for number in (1, 2)]
    try:
        await plant.ready.wait()
        async with durable.AsyncClient(plant.address, timeout=None) as client:
            load = Load(client, random.Random(seed))
            await load.served()
            async with load.growing():
                # Ends early when one of the staff has failed.
                await asyncio.wait(staff, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                for task in staff:
                    if task.done():
                        task.result()
            await load.check()
        assert plant.kills["worker"]
        assert plant.kills["control plane"] + plant.kills["nats-server"]
        print(
            f"{load.trees} trees, killed: {dict(plant.kills)}, seed {seed}, {partitions} partitions"
        )
    finally:
        for task in staff:
            task.cancel()
        await asyncio.gather(*staff, return_exceptions=True)
