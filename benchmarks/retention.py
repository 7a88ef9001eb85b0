"""Whether retention keeps up with the load: `python benchmarks/retention.py --count 200000`.

It starts a control plane and a worker as processes, and callers that run short workflows in a
closed loop, each with a value of a few KB and a retention of a few seconds. Every few seconds it
prints how many are done, rate and latency, how many are in the store, and the sizes of the store's
file and of its write-ahead log. At the end it prints how long the removal of the remaining
invocations took.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import durable  # noqa: E402
from benchmarks import workflows  # noqa: E402
from benchmarks.run import await_file, child  # noqa: E402

STORE = "partition-0.db"


class Load:
    """Callers in a closed loop, and their latencies."""

    def __init__(self, client: durable.AsyncClient, count: int, value: str) -> None:
        self._client = client
        self._value = value
        self._numbers = iter(range(count))
        self.done = 0
        self.latencies: list[float] = []

    async def caller(self) -> None:
        """Runs one workflow after another until `count` have been started."""
        for _ in self._numbers:
            began = time.perf_counter()
            await self._client.invoke(workflows.brief, self._value)
            self.latencies.append(time.perf_counter() - began)
            self.done += 1


def _mib(path: Path) -> float:
    return path.stat().st_size / 1024**2 if path.exists() else 0.0


async def _watch(load: Load, client: durable.AsyncClient, data: Path, every: float) -> None:
    began, last = time.perf_counter(), 0
    while True:
        await asyncio.sleep(every)
        latencies, load.latencies = sorted(load.latencies), []
        stored = (await client.stats()).total
        row = {
            "seconds": round(time.perf_counter() - began, 1),
            "done": load.done,
            "rate": round((load.done - last) / every),
            "p50_ms": round(latencies[len(latencies) // 2] * 1000, 1) if latencies else 0,
            "p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1000, 1) if latencies else 0,
            "in_store": stored,
            "store_mib": round(_mib(data / STORE)),
            "wal_mib": round(_mib(data / f"{STORE}-wal")),
        }
        last = load.done
        click.echo(json.dumps(row))


async def _run(address: str, data: Path, count: int, callers: int, size: int, every: float) -> None:
    async with durable.AsyncClient(address) as client:
        while not await client.list_workers():  # noqa: ASYNC110  # the server is another process
            await asyncio.sleep(0.05)
        load = Load(client, count, "x" * size)
        watch = asyncio.create_task(_watch(load, client, data, every))
        began = time.perf_counter()
        await asyncio.gather(*(load.caller() for _ in range(callers)))
        seconds = time.perf_counter() - began
        while (await client.stats()).total:  # noqa: ASYNC110  # the server is another process
            await asyncio.sleep(0.2)
        remaining = time.perf_counter() - began - seconds
        watch.cancel()
        click.echo(f"{count} in {seconds:.0f} s, {count / seconds:.0f}/s")
        click.echo(f"the store was empty {remaining:.0f} s later")


@click.command()
@click.option("--count", default=200_000, show_default=True)
@click.option("--callers", default=256, show_default=True)
@click.option("--size", default=2048, show_default=True, help="Bytes of a workflow's value.")
@click.option("--every", default=5.0, show_default=True, help="Seconds from one line to the next.")
def main(count: int, callers: int, size: int, every: float) -> None:
    """Measure whether retention keeps up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="durable-bench-")))
        ready, data = folder / "ready", folder / "data"
        command = [sys.executable, "-m", "durable_server"]
        options = ["--listen", "127.0.0.1:0", "--ready-file", str(ready), "--data-dir", str(data)]
        server = stack.enter_context(
            child([*command, "server", *options], stdout=subprocess.DEVNULL)
        )
        address = await_file(ready, server)["address"]
        stack.enter_context(
            child([*command, "worker", "benchmarks.workflows", "--address", address])
        )
        asyncio.run(_run(address, data, count, callers, size, every))


if __name__ == "__main__":
    main()
