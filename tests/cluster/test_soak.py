"""The soak of a cluster: random work while processes are killed and stopped, and links are cut.

    pytest tests/cluster/test_soak.py --soak-seconds 600 --seed 7 [--soak-embedded]

runs it for ten minutes. Trees of work show that nothing is lost and nothing is done twice (`load`), and
registers that the operations on each key are linearizable (`registers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from tests.process.load import Load

from .processes import CLIENT, NAMES, WORKERS, NodeProcess, Plant, cluster
from .registers import Registers

LEAST_SECONDS = 20.0
"""The shortest time in which several leaders change: the lease of a member takes five seconds."""
CLIENTS = 8
"""Clients that work on the registers at the same time."""
MODULES = ("tests.process.trees", "tests.cluster.registers")


class Staff:
    """Those who kill and stop the processes of a cluster, start them again, and cut its links."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self.done: Counter[str] = Counter()
        self.diary: list[str] = []
        """What was done, and when, on the clock of the histories."""
        self.enough = asyncio.Event()
        """Set to leave everything alone."""
        self.over = asyncio.Event()
        """Set when workers are not needed any more."""
        self._plant = plant
        self._rng = rng

    async def work(self) -> None:
        """Disturbs until it is enough; then everything runs, and all links are whole."""
        plant = self._plant
        async with asyncio.TaskGroup() as group:
            for node in plant.nodes.values():
                group.create_task(self._disturb(node))
            group.create_task(self._disturb_nats())
            for links in self._links():
                group.create_task(self._disturb_links(links))

    async def _disturb(self, node: NodeProcess) -> None:
        rng = self._rng
        while not await self._enough_after(rng.expovariate(1 / 18) + 1.0):
            if rng.random() < 0.6:
                self._note("killed", node.name)
                await node.end()
                await self._enough_after(rng.random() * 8)
                await node.begin()
                await node.serves()
                self._note("back", node.name)
            else:
                async with self._stopped(node.name, node.pids):
                    await self._enough_after(rng.random() * 12)

    async def _disturb_nats(self) -> None:
        """Kills or stops one NATS server after another."""
        rng, plant = self._rng, self._plant
        while not await self._enough_after(rng.expovariate(1 / 15) + 2.0):
            kills = rng.random() < 0.5
            if plant.nats:
                name, server = rng.choice([*plant.nats.items()])
                if not kills:
                    async with self._stopped(name, lambda server=server: [server.process.pid]):
                        await self._enough_after(rng.random() * 8)
                    continue
                self._note("killed", name)
                await asyncio.to_thread(server.kill)
                await self._enough_after(rng.random() * 5)
                server.start()
                self._note("back", name)
            else:
                node = rng.choice([*plant.nodes.values()])
                pids = node.nats_pids()
                if not kills:
                    async with self._stopped(f"nats-{node.name}", lambda pids=pids: pids):
                        await self._enough_after(rng.random() * 8)
                    continue
                if pids:
                    self._note("killed", f"nats-{node.name}")
                    _send(pids, signal.SIGKILL)  # its node runs it again

    def _links(self) -> list[list[tuple[str, str]]]:
        """Returns the links by kind: between nodes, to NATS, between NATS servers, of the others."""
        pairs = [("a", "b"), ("a", "c"), ("b", "c")]
        to_nodes = [(one, node) for one in (CLIENT, *WORKERS) for node in NAMES]
        if not self._plant.nats:
            return [pairs, [(f"nats-{one}", f"nats-{other}") for one, other in pairs], to_nodes]
        servers = [*self._plant.nats]
        return [
            pairs,
            [(node, server) for node in NAMES for server in servers],
            [(one, other) for one in servers for other in servers if one < other],
            to_nodes,
        ]

    async def _disturb_links(self, links: list[tuple[str, str]]) -> None:
        """Breaks one or two links of a kind at a time."""
        rng, network = self._rng, self._plant.network
        while not await self._enough_after(rng.expovariate(1 / 18) + 1.0):
            chosen = rng.sample(links, min(len(links), rng.choice((1, 1, 2))))
            how = rng.choice(("cut", "held", "held one way"))
            for one, other in chosen:
                self._note(how, f"{one} {other}")
                if how == "cut":
                    network.cut(one, other)
                else:
                    ends = (one, other) if rng.random() < 0.5 else (other, one)
                    network.hold(*ends, one_way=how == "held one way")
            await self._enough_after(rng.choice((0.5, 3.0, 9.0)) * rng.random())
            for one, other in chosen:
                network.heal(one, other)
                self._note("healed", f"{one} {other}")

    async def replace_workers(self, name: str) -> None:
        """Runs workers, one after another; the last one stays until `over`."""
        rng = self._rng
        while True:
            with self._plant.worker(name, MODULES) as child:
                enough = await self._enough_after(rng.expovariate(1 / 15) + 2.0)
                if not enough and rng.random() < 0.4:
                    async with self._stopped(name, lambda: [child.pid]):
                        enough = await self._enough_after(rng.random() * 8)
                if enough:
                    await self.over.wait()
                    return
                self._note("killed", name)

    @contextlib.asynccontextmanager
    async def _stopped(self, name: str, pids: Callable[[], Iterable[int]]) -> AsyncIterator[None]:
        """Stops processes for the length of the block."""
        found = [*pids()]
        self._note("stopped", name)
        _send(found, signal.SIGSTOP)
        try:
            yield
        finally:
            _send(found, signal.SIGCONT)
            self._note("goes on", name)

    async def _enough_after(self, seconds: float) -> bool:
        """Waits for some time, or until it is enough; returns whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.enough.wait()
        return self.enough.is_set()

    def _note(self, what: str, whom: str) -> None:
        self.diary.append(f"{time.monotonic():.4f} {whom} {what}")
        if what not in ("back", "goes on", "healed"):
            kind = "link" if " " in whom else "node" if whom in NAMES else whom.rstrip("-abc012")
            self.done[f"{kind} {what}"] += 1


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.timeout(3600)  # as long as it is told to run
async def test_nothing_is_lost_nothing_is_done_twice_and_each_key_is_linearizable(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    option = request.config.getoption
    seconds = max(LEAST_SECONDS, option("--soak-seconds"))
    seed = 1 if (given := option("--seed")) is None else given
    embedded = option("--soak-embedded")
    async with (
        cluster(tmp_path, workers=0, nats_servers=3, embedded=embedded) as plant,
        plant.client() as client,
    ):
        staff = Staff(plant, random.Random(seed + 1))
        load = Load(client, random.Random(seed))
        addresses = [it.address for it in plant.nodes.values()]
        registers = Registers(addresses, random.Random(seed + 2))
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(staff.replace_workers(it)) for it in WORKERS]
                await load.served()
                disturbing = group.create_task(staff.work())
                operating = [
                    group.create_task(registers.work(f"client {number}", staff.enough))
                    for number in range(CLIENTS)
                ]
                async with load.growing():
                    await asyncio.sleep(seconds)
                staff.enough.set()
                await asyncio.gather(disturbing, *operating)
                plant.network.heal_all()
                await plant.led_by(*NAMES, seen_by="a")
                await load.check()
                staff.over.set()
                await asyncio.gather(*workers)
        finally:
            (tmp_path / "diary").write_text("\n".join(staff.diary))
            print(f"{load.trees} trees, {load.grown} ended, seed {seed}")
            print(f"{dict(registers.done)}\n{dict(staff.done)}")
    assert registers.done["read by RPC"]
    assert staff.done
    registers.check()
