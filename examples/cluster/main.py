"""Kills a node of a cluster with SIGKILL under load, and shows that nothing is lost or doubled."""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import click

from durable import AsyncClient
from examples.cluster.load import ORDER_SECONDS, Load
from examples.cluster.nodes import Nodes, three_nodes
from examples.cluster.state import leaders, served, shared
from examples.cluster.workers import start_workers
from examples.cluster.workflows import cluster_order
from examples.launcher import say


async def orders(address: str, load: Load, count: int) -> None:
    """Makes so many orders."""
    async with AsyncClient(address, timeout=ORDER_SECONDS) as client:

        async def order(number: int) -> str:
            # The key makes a repeated call harmless, and spreads the orders over all partitions.
            once = client.options(idempotency_key=f"order-{number}")
            return await once.invoke(cluster_order, number)

        await load.run(order, lambda started: started < count)


async def run(nodes: Nodes, count: int, rate: float) -> Load:
    """Runs the load to its end; kills and restarts a node meanwhile."""
    await served(nodes.address)
    before = await shared(nodes.addresses["a"])
    load = Load(rate)
    running = asyncio.create_task(orders(nodes.address, load, count))
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


def summary(load: Load, effects: Counter[str]) -> bool:
    """Prints what came of the orders; returns whether each was done once."""
    expected = {f"{done} {it}" for done in ("charged", "shipped") for it in range(load.started)}
    lost = len(expected - effects.keys())
    doubled = sum(number - 1 for number in effects.values())
    for text in load.errors[:10]:
        print(f"❌ {text}")
    print(f"⏱️  longest time between two completed orders: {load.longest_gap:.1f} s")
    print(f"⏱️  slowest order: {load.share(1.0):.1f} s")
    print(f"📦 {load.started} started, {len(load.completed_at)} completed")
    print(f"🧾 {effects.total()} side effects, {lost} lost, {doubled} doubled")
    done = len(load.completed_at) == load.started and not lost and not doubled
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
        start_workers(stack, folder, nodes.address, effects)
        load = asyncio.run(run(nodes, count, rate))
        succeeded = summary(load, Counter(effects.read_text().splitlines()))
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
