"""Restarts all nodes of a cluster, one after another, under load: no call fails, nothing is doubled."""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import click

from durable import AsyncClient
from examples.cluster.load import ORDER_SECONDS, Load
from examples.cluster.nodes import NAMES, Nodes
from examples.cluster.state import served, shared
from examples.cluster.workers import start_workers
from examples.cluster.workflows import cluster_order
from examples.launcher import say

HOSTS = {"a": "127.0.0.1", "b": "127.0.0.2", "c": "127.0.0.3"}
"""Where the nodes serve HTTP, all on one port: as the addresses of one name in DNS would be."""
NAME = "durable"
"""That name."""
FIRST_BY_CURL = 1_000_000
"""The number of the first order that curl makes."""


class Order:
    """The two ways in which an order is made."""

    def __init__(self, nodes: Nodes, client: AsyncClient) -> None:
        self._nodes = nodes
        self._client = client

    async def by_sdk(self, number: int) -> str:
        """Makes an order with the SDK, which goes to the next node by itself."""
        once = self._client.options(idempotency_key=f"order-{number}")
        return await once.invoke(cluster_order, number)

    async def by_curl(self, number: int) -> str:
        """Makes an order with curl, which is told to try again on 503 and where nobody listens."""
        nodes = self._nodes
        number += FIRST_BY_CURL
        # As a name with several addresses does in DNS, each call has them in another order.
        first = number % len(NAMES)
        hosts = [nodes.http_hosts[it] for it in (*NAMES[first:], *NAMES[:first])]
        command = [
            "curl", "--silent", "--show-error", "--fail",
            "--retry", "20", "--retry-connrefused", "--max-time", f"{ORDER_SECONDS:g}",
            "--resolve", f"{NAME}:{nodes.http_port}:{','.join(hosts)}",
            "--header", f"Idempotency-Key: curl-{number}", "--data", str(number),
            f"http://{NAME}:{nodes.http_port}/api/workflows/{cluster_order.name}/invoke",
        ]  # fmt: skip
        curl = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, problem = await curl.communicate()
        if curl.returncode:
            raise OSError(f"curl ends with {curl.returncode}: {(problem + output).decode()}")
        result = str(json.loads(output)["result"])
        return result.replace(str(number), str(number - FIRST_BY_CURL))


async def run(nodes: Nodes, sdk: Load, curl: Load, seconds: float) -> None:
    """Restarts each node while both loads run, and lets them run for so long before and after."""
    await served(nodes.address)
    await shared(nodes.addresses["a"])
    done = asyncio.Event()

    def goes_on(_: int) -> bool:
        return not done.is_set()

    async with AsyncClient(nodes.address, timeout=ORDER_SECONDS) as client:
        order = Order(nodes, client)
        running = [asyncio.create_task(sdk.run(order.by_sdk, goes_on))]
        if nodes.http_hosts:
            running.append(asyncio.create_task(curl.run(order.by_curl, goes_on)))
        await asyncio.sleep(seconds)
        for name in NAMES:
            await restart(nodes, name)
            await asyncio.sleep(seconds)
        done.set()
        await asyncio.gather(*running)
    await shared(nodes.addresses["a"])


async def restart(nodes: Nodes, name: str) -> None:
    """Stops a node with SIGTERM and starts it again; returns when it is ready."""
    begin = time.monotonic()
    await asyncio.to_thread(nodes.stop, name)
    stopped = time.monotonic()
    await asyncio.to_thread(nodes.start, name)
    ready = time.monotonic()
    print(
        f"🔁 node {name}: stopped in {stopped - begin:.1f} s, ready again after {ready - stopped:.1f} s"
    )


def summary(loads: dict[str, Load], effects: Counter[str]) -> bool:
    """Prints what came of the orders; returns whether each was done once and no call failed."""
    expected: Counter[str] = Counter()
    failed = 0
    for name, load in loads.items():
        numbers = range(load.started)
        if name == "curl":
            numbers = range(FIRST_BY_CURL, FIRST_BY_CURL + load.started)
        expected.update(f"{done} {it}" for done in ("charged", "shipped") for it in numbers)
        failed += len(load.errors)
        for text in load.errors[:10]:
            print(f"❌ {name}: {text}")
        print(
            f"⏱️  {name}: {load.started} orders, {len(load.errors)} failed;"
            f" p50 {load.share(0.5) * 1000:.0f} ms, p99 {load.share(0.99) * 1000:.0f} ms,"
            f" longest {load.share(1.0) * 1000:.0f} ms"
        )
    lost = (expected - effects).total()
    doubled = (effects - expected).total()
    print(f"🧾 {effects.total()} side effects, {lost} lost, {doubled} doubled")
    done = not (failed or lost or doubled)
    print("✅ No call failed, nothing is lost or doubled" if done else "❌ The cluster has failed")
    return done


@click.command()
@click.option("--rate", default=20.0, show_default=True, help="Orders of the SDK in a second.")
@click.option("--curl-rate", default=5.0, show_default=True, help="Orders of curl in a second.")
@click.option("--seconds", default=3.0, show_default=True, help="Between two restarts.")
@click.option("--nats", default="", help="An external NATS system; else the nodes form one.")
@click.option("--logs", type=click.Path(path_type=Path), help="Keep the data and the logs here.")
def main(rate: float, curl_rate: float, seconds: float, nats: str, logs: Path | None) -> None:
    """Restart all nodes of a cluster of three under load."""
    with ExitStack() as stack:
        folder = logs or Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="durable-", ignore_cleanup_errors=True)
            )
        )
        folder.mkdir(parents=True, exist_ok=True)
        say("starting three nodes and two workers")
        effects = folder / "effects"
        effects.touch()
        nodes = Nodes(stack, folder, nats, ["--allowed-host", NAME])
        # Other systems have no loopback address but 127.0.0.1.
        if shutil.which("curl") and sys.platform == "linux":
            nodes.http_hosts = HOSTS
        nodes.start(*NAMES)
        start_workers(stack, folder, nodes.address, effects)
        loads = {"sdk": Load(rate), "curl": Load(curl_rate)}
        asyncio.run(run(nodes, loads["sdk"], loads["curl"], seconds))
        succeeded = summary(loads, Counter(effects.read_text().splitlines()))
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
