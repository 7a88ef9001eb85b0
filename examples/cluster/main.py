"""Kills a node of a cluster with SIGKILL under load, and shows that nothing is lost or doubled."""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import click
import grpc

from durable import AsyncClient
from durable_proto.v1.control_pb2 import GetClusterRequest
from durable_proto.v1.control_pb2_grpc import DurableControlStub
from examples.cluster.nodes import NAMES, Nodes, three_nodes
from examples.cluster.workflows import cluster_order
from examples.launcher import durable_command, say, start

WORKERS = 2
ORDER_SECONDS = 300.0
"""How long an order may take, over all retries."""


class Load:
    """Starts orders at a steady rate, whatever happens to the nodes, and notes when each completes."""

    def __init__(self, address: str, count: int, rate: float) -> None:
        self._address = address
        self.count = count
        self._rate = rate
        self.completed_at: list[float] = []
        self.slowest = 0.0
        """The seconds of the order that took longest."""
        self.errors: list[str] = []
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Returns when all orders have completed or failed."""
        async with (
            AsyncClient(self._address, timeout=ORDER_SECONDS) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(self.count):
                tasks.create_task(self._order(client, number))
                await asyncio.sleep(1 / self._rate)

    async def _order(self, client: AsyncClient, number: int) -> None:
        begin = time.monotonic()
        try:
            # The key makes a repeated call harmless, and spreads the orders over all partitions.
            once = client.options(idempotency_key=f"order-{number}")
            result = await once.invoke(cluster_order, number)
            if result != f"order {number} is on its way":
                raise ValueError(f"the result is {result!r}")
        except Exception as error:  # noqa: BLE001  # counted and shown at the end
            self.errors.append(f"order {number}: {error}")
        else:
            now = time.monotonic()
            self.completed_at.append(now)
            self.slowest = max(self.slowest, now - begin)
        self._ended.set()

    async def until_completed(self, count: int) -> None:
        """Waits until so many orders have ended."""
        while len(self.completed_at) + len(self.errors) < count:
            self._ended.clear()
            await self._ended.wait()

    @property
    def longest_gap(self) -> float:
        """The longest time in seconds between two completed orders."""
        times = self.completed_at
        return max((later - it for it, later in pairwise(times)), default=0.0)


async def leaders(address: str) -> Mapping[int, str]:
    """Returns which node leads each partition, as the node at this address knows it."""
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await DurableControlStub(channel).GetCluster(GetClusterRequest())
    return {it.partition: it.leader for it in answer.partitions if it.has_leader}


async def run(nodes: Nodes, count: int, rate: float) -> Load:
    """Runs the load to its end; kills and restarts a node meanwhile."""
    await served(nodes.address)
    before = await shared(nodes.addresses["a"])
    load = Load(nodes.address, count, rate)
    running = asyncio.create_task(load.run())
    await load.until_completed(count // 4)
    victim = before[0]
    witness = next(it for it in nodes.addresses if it != victim)
    print(f"💥 {len(load.completed_at)} orders are done: SIGKILL for node {victim}")
    nodes.kill(victim)
    killed = time.monotonic()
    waiting = {partition for partition, name in before.items() if name == victim}
    while waiting:
        now = await leaders(nodes.addresses[witness])
        for partition in sorted(waiting):
            if (name := now.get(partition, victim)) != victim:
                waiting.discard(partition)
                seconds = time.monotonic() - killed
                print(f"   partition {partition} moved to node {name} after {seconds:.1f} s")
        await asyncio.sleep(0.1)
    await load.until_completed(count // 2)
    print(f"🔁 {len(load.completed_at)} orders are done: node {victim} starts again")
    await asyncio.to_thread(nodes.start, victim)
    await running
    await shared(nodes.addresses[victim])
    return load


async def shared(address: str) -> Mapping[int, str]:
    """Waits until all nodes lead as many partitions, prints and returns which."""
    while True:
        found = await leaders(address)
        counts = Counter(found.values())
        if len(counts) == len(NAMES) and max(counts.values()) == min(counts.values()):
            break
        await asyncio.sleep(0.1)
    for name in sorted(counts):
        numbers = " ".join(str(it) for it, leader in found.items() if leader == name)
        print(f"   node {name} leads the partitions {numbers}")
    return found


async def served(address: str) -> None:
    """Waits until both workers serve the workflow."""
    async with AsyncClient(address) as client:
        while True:
            workers = {it.name: it.worker_count for it in await client.list_handlers()}
            if workers.get(cluster_order.name) == WORKERS:
                return
            await asyncio.sleep(0.1)


def summary(load: Load, effects: Counter[str]) -> bool:
    """Prints what came of the orders; returns whether each was done once."""
    expected = {f"{done} {it}" for done in ("charged", "shipped") for it in range(load.count)}
    lost = len(expected - effects.keys())
    doubled = sum(number - 1 for number in effects.values())
    for text in load.errors[:10]:
        print(f"❌ {text}")
    print(f"⏱️  longest time between two completed orders: {load.longest_gap:.1f} s")
    print(f"⏱️  slowest order: {load.slowest:.1f} s")
    print(f"📦 {load.count} started, {len(load.completed_at)} completed")
    print(f"🧾 {effects.total()} side effects, {lost} lost, {doubled} doubled")
    done = len(load.completed_at) == load.count and not lost and not doubled
    print("✅ Nothing is lost, nothing is doubled" if done else "❌ The cluster has failed")
    return done


@click.command()
@click.option("--count", default=400, show_default=True, type=click.IntRange(8), help="Orders.")
@click.option("--rate", default=20.0, show_default=True, help="Orders in a second.")
def main(count: int, rate: float) -> None:
    """Kill a node of a cluster of three under load."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="durable-", ignore_cleanup_errors=True)
            )
        )
        say("starting three nodes with embedded NATS servers, and two workers")
        effects = folder / "effects"
        effects.touch()
        nodes = stack.enter_context(three_nodes(folder))
        for number in range(WORKERS):
            command = durable_command(
                "worker", "examples.cluster.workflows", "--address", nodes.address
            )
            start(stack, command, folder / f"worker-{number}.log", {"EFFECTS_FILE": str(effects)})
        load = asyncio.run(run(nodes, count, rate))
        succeeded = summary(load, Counter(effects.read_text().splitlines()))
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
