"""The cost of many sleeping invocations: `python benchmarks/sleepers.py --count 100000`.

It starts a control plane and a worker as processes, and many invocations that sleep for a month.
Then it measures the CPU and memory of each process while nothing happens, and the latency of other
invocations. It kills the control plane with SIGKILL, and measures how long the next one takes to
start on the same data, and its idle cost. At the end it starts more invocations that all wake at
the same time, and measures how late the last of them completes.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import durable  # noqa: E402
from benchmarks import workflows  # noqa: E402
from benchmarks.run import await_file, child  # noqa: E402

CALLERS = 256


class Plane:
    """A control plane that can be killed, and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.address = "127.0.0.1:0"
        self.processes: dict[str, psutil.Process] = {}

    def start(self) -> float:
        """Starts it; returns how many seconds it took until it served."""
        ready = self._folder / "ready"
        ready.unlink(missing_ok=True)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "durable_server", "server", "--listen", self.address]
        command += ["--data-dir", str(self._folder / "data"), "--ready-file", str(ready)]
        process = self._stack.enter_context(child(command, stdout=subprocess.DEVNULL))
        self.address = await_file(ready, process)["address"]
        seconds = time.perf_counter() - begin
        plane = psutil.Process(process.pid)
        self.processes["control plane"] = plane
        self.processes["nats-server"] = next(it for it in plane.children() if "nats" in it.name())
        return seconds

    def kill(self) -> None:
        """SIGKILL."""
        self.processes["control plane"].kill()
        self._stack.close()

    def close(self) -> None:
        """Stops it."""
        self._stack.close()


async def start_all(client: durable.AsyncClient, count: int, until: datetime, label: str) -> None:
    """Starts `count` invocations that sleep until `until`."""
    numbers = iter(range(count))
    view = client.options(service=label)

    async def caller() -> None:
        for _ in numbers:
            await view.invoke_async(workflows.nap, until)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    say(f"{count:,} started in {time.perf_counter() - begin:.1f} s")


async def reached(client: durable.AsyncClient, look: Callable[[durable.Stats], bool]) -> float:
    """Waits until the statistics satisfy a condition; returns how many seconds that took."""
    begin = time.perf_counter()
    while not look(await client.stats()):  # noqa: ASYNC110  # the server is another process
        await asyncio.sleep(0.1)
    return time.perf_counter() - begin


async def asleep(client: durable.AsyncClient, count: int) -> None:
    """Waits until `count` invocations are suspended."""
    seconds = await reached(client, lambda it: it.by_status.get("suspended", 0) >= count)
    say(f"all asleep, their slots free, {seconds:.1f} s later")


async def idle(processes: dict[str, psutil.Process], seconds: float, label: str) -> None:
    """Prints the CPU and memory of each process while nothing happens."""

    def used() -> dict[str, float]:
        return {name: it.cpu_times().user + it.cpu_times().system for name, it in processes.items()}

    before = used()
    await asyncio.sleep(seconds)
    after = used()
    for name, process in processes.items():
        share = (after[name] - before[name]) / seconds
        memory = process.memory_info().rss / 2**20
        say(f"{label}: {name}: {share:.2%} of a core, {memory:,.0f} MiB")


async def alone(client: durable.AsyncClient) -> None:
    """Prints the latency of an invocation of three steps while the others sleep."""
    taken = []
    for number in range(100):
        begin = time.perf_counter()
        await client.invoke(workflows.three, f"{number}")
        taken.append(time.perf_counter() - begin)
    say(f"an invocation of three steps beside them: p50 {sorted(taken)[50] * 1000:.1f} ms")


def say(line: str) -> None:
    """Prints a line and flushes it."""
    click.echo(line)
    sys.stdout.flush()


async def measure(
    plane: Plane, worker: psutil.Process, count: int, wake: int, seconds: float
) -> None:
    """Runs all measurements."""
    processes = {**plane.processes, "worker": worker}
    async with durable.AsyncClient(plane.address, timeout=600) as client:
        await reached(client, lambda it: it.worker_count > 0)
        await client.invoke(workflows.three, "warm")
        await idle(processes, seconds, "before")
        await start_all(client, count, datetime.now(UTC) + timedelta(days=30), "far")
        await asleep(client, count)
        await idle(processes, seconds, f"{count:,} asleep")
        await alone(client)
        plane.kill()
        say(f"killed; the next control plane serves after {plane.start():.2f} s")
        await client.invoke(workflows.three, "again")
        await idle({**plane.processes, "worker": worker}, seconds, "after the restart")
        near = datetime.now(UTC) + timedelta(seconds=30 + wake / 500)
        await start_all(client, wake, near, "near")
        await asleep(client, count + wake)
        await asyncio.sleep(max(0.0, (near - datetime.now(UTC)).total_seconds()))
        await reached(client, lambda it: it.by_handler["nap"].get("completed", 0) >= wake)
        late = (datetime.now(UTC) - near).total_seconds()
        say(f"{wake:,} woke at one time: the last has ended {late:.1f} s later")


@click.command()
@click.option("--count", default=100_000, show_default=True, help="How many sleep for a month.")
@click.option("--wake", default=10_000, show_default=True, help="How many wake at one time.")
@click.option(
    "--seconds", default=20.0, show_default=True, help="How long each idle measurement takes."
)
def main(count: int, wake: int, seconds: float) -> None:
    """Measure what sleeping invocations cost on this machine."""
    with tempfile.TemporaryDirectory(prefix="durable-sleepers-") as folder:
        plane = Plane(Path(folder))
        with contextlib.closing(plane):
            plane.start()
            command = [sys.executable, "-m", "durable_server", "worker", "benchmarks.workflows"]
            command += ["--address", plane.address]
            with child(command) as worker:
                process = psutil.Process(worker.pid)
                asyncio.run(measure(plane, process, count, wake, seconds))


if __name__ == "__main__":
    main()
