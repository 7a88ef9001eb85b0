"""Measures a takeover: from SIGKILL of a node to the first step of an invocation in its partitions.

Three nodes and a worker run on this machine, with embedded nats-servers or over one external server.
Again and again the node that leads partition 0 is killed, an invocation is started in each of its
partitions at once, and the time is taken until each has run a step. A killed node starts again before
the next one is killed.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import click

from durable import AsyncClient
from durable_server.core import ids
from examples.cluster.load import ORDER_SECONDS
from examples.cluster.nodes import NAMES, Nodes
from examples.cluster.state import served, shared
from examples.cluster.workers import start_workers
from examples.cluster.workflows import cluster_order
from tests.support.external_nats import JETSTREAM, external_nats

PARTITIONS = 12


async def run(times: int, lease: float, external: bool) -> None:
    """Prints the times of all takeovers."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-")))
        url = ""
        if external:
            nats = await stack.enter_async_context(external_nats(folder / "nats", JETSTREAM))
            url = nats.url
        processes = stack.enter_context(ExitStack())
        nodes = Nodes(processes, folder, url, ["--lease", f"{lease:g}"])
        await asyncio.to_thread(nodes.start, *NAMES)
        effects = folder / "effects"
        effects.touch()
        start_workers(processes, folder, nodes.address, effects)
        await served(nodes.address)
        firsts: list[float] = []
        lasts: list[float] = []
        for number in range(times):
            leaders = await shared(nodes.addresses["a"])
            victim = leaders[0]
            nodes.kill(victim)
            killed = time.monotonic()
            led = [it for it, name in leaders.items() if name == victim]
            others = ",".join(it for name, it in nodes.addresses.items() if name != victim)
            async with AsyncClient(others, timeout=ORDER_SECONDS) as client:
                seconds = sorted(
                    await asyncio.gather(*(_step(client, it, number, killed) for it in led))
                )
            firsts.append(seconds[0])
            lasts.append(seconds[-1])
            print(f"{victim}: {', '.join(f'{it:.1f}' for it in seconds)} s", file=sys.stderr)
            await asyncio.to_thread(nodes.start, victim)
        for what, found in (("first", firsts), ("last", lasts)):
            print(
                f"{what} partition: {min(found):.1f} to {max(found):.1f} s,"
                f" median {statistics.median(found):.1f} s"
            )


async def _step(client: AsyncClient, partition: int, number: int, killed: float) -> float:
    """Returns how long after the kill an invocation in a partition has run its steps."""
    key = next(
        key
        for key in (f"{number}-{it}" for it in range(1_000_000))
        if ids.object_partition(key, PARTITIONS) == partition
    )
    await client.options(partition_key=key).invoke(cluster_order, number)
    return time.monotonic() - killed


@click.command()
@click.option("--times", default=10, show_default=True, help="How many nodes are killed.")
@click.option("--lease", default=5.0, show_default=True, help="The lease of the nodes in seconds.")
@click.option("--external", is_flag=True, help="One external nats-server instead of embedded ones.")
def main(times: int, lease: float, external: bool) -> None:
    """Measure the takeover of a killed node's partitions."""
    asyncio.run(run(times, lease, external))


if __name__ == "__main__":
    main()
