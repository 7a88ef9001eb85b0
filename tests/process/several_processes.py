"""A control plane of several processes, with a worker that serves a tally."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

import durable
from durable._client.cluster_views import Cluster
from tests.support.processes import Child, control_plane
from tests.support.waiting import eventually

KEYS = [f"key-{number}" for number in range(6)]
PATIENCE_SECONDS = 60.0


@durable.object("tally")
class Tally:
    @durable.handler
    async def add(self, ctx: durable.Context, number: int) -> int:
        total: int = await ctx.get("total", int, 0) + await ctx.run("number", lambda: number)
        ctx.set("total", total)
        return total


class System:
    """A control plane of several processes, and a client of it."""

    def __init__(self, child: Child, address: str, client: durable.AsyncClient) -> None:
        self.child = child
        self.address = address
        self.client = client
        self.added = 0
        """What was added to each key."""

    def processes(self) -> dict[str, psutil.Process]:
        """The control plane processes that run now, by their names as nodes."""
        found: dict[str, psutil.Process] = {}
        for it in psutil.Process(self.child.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                number = it.environ().get("DURABLE_SERVER_PROCESS")
                if number is not None:
                    found[f"p{number}"] = it
        return found

    async def led_by(self, count: int) -> Cluster:
        """Waits until so many processes lead all partitions, each as many."""

        async def found() -> Cluster | None:
            view = await self.client.cluster()
            shares = {len(it.led_partitions) for it in view.nodes}
            even = len(view.nodes) == count and shares == {len(view.partitions) // count}
            return view if even else None

        view = await eventually(found, PATIENCE_SECONDS)
        assert view is not None
        return view

    async def add(self) -> None:
        """Adds one to each key, once whatever happens meanwhile; checks that nothing was lost."""
        self.added += 1
        totals = await asyncio.gather(
            *(
                self.client.options(key=it, idempotency_key=f"{it}-{self.added}").invoke(
                    Tally.add, 1
                )
                for it in KEYS
            )
        )
        assert totals == [self.added] * len(KEYS)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Adds again and again while the block runs, and a few times more after it."""
        stop = asyncio.Event()

        async def keep_adding() -> None:
            while not stop.is_set():
                await self.add()

        adding = asyncio.create_task(keep_adding())
        before = self.added
        await eventually(lambda: self.added > before + 1)
        try:
            yield
            during = self.added
            await eventually(lambda: adding.done() or self.added > during + 2, PATIENCE_SECONDS)
        finally:
            stop.set()
            await adding


@asynccontextmanager
async def served(folder: Path, *options: str, listen: str = "127.0.0.1:0") -> AsyncIterator[System]:
    """Runs a control plane with a worker in this process."""
    with control_plane(folder, *options, listen=listen) as (child, address):
        worker = durable.Worker(address, workflows=[Tally])
        serving = asyncio.create_task(worker.run())
        try:
            await worker.ready()
            async with durable.AsyncClient(address, timeout=PATIENCE_SECONDS) as client:
                yield System(child, address, client)
        finally:
            worker.stop()
            await serving


def gone(processes: list[psutil.Process]) -> bool:
    return not any(it.is_running() and it.status() != psutil.STATUS_ZOMBIE for it in processes)
