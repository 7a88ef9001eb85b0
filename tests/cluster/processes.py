"""A cluster of real processes over one nats-server, any of which a test may kill, stop or cut off.

Each node has a proxy on its way to NATS, and one on the way of the other nodes to it: it is reached by
others at OTHER_HOST, where the proxy listens on the port that the node itself has at 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import durable
from durable._client.cluster_views import Cluster
from tests.support.cuttable import CuttableProxy
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import Child, free_port, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

OTHER_HOST = "127.0.0.2"
NAMES = ("a", "b", "c")
PATIENCE_SECONDS = 90.0


class NodeProcess:
    """One node: its processes, one after another, on one data dir and the same ports."""

    def __init__(self, name: str, folder: Path, to_nats: CuttableProxy, partitions: int) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.address = f"127.0.0.1:{free_port()}"
        self.to_nats = to_nats
        """The proxy between this node and NATS."""
        self.node_port = free_port()
        self.to_node = CuttableProxy(self.node_port, host=OTHER_HOST, listen_port=self.node_port)
        """The proxy between the other nodes and this one."""
        self.child: Child | None = None
        self._partitions = partitions
        self._running = ExitStack()

    async def start(self) -> None:
        """Starts a process, and waits until it serves."""
        await self.end()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        arguments = command(
            "-v", "server", "--nats", f"nats://127.0.0.1:{self.to_nats.port}",
            "--node", self.name, "--advertise", OTHER_HOST, "--listen", self.address,
            "--node-listen", f"127.0.0.1:{self.node_port}", "--data-dir", str(self.folder / "data"),
            "--ready-file", str(ready), "--partitions", str(self._partitions),
        )  # fmt: skip
        self.child = self._running.enter_context(running(arguments, self.folder / "log"))
        until(ready.exists, f"ready file of {self.name}", self.child)
        assert json.loads(ready.read_text())["address"] == self.address

    async def end(self) -> None:
        """Kills the process, if it runs."""
        self.child = None
        await asyncio.to_thread(self._running.close)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process."""
        assert self.child is not None
        self.child.process.send_signal(number)

    async def terminate(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        assert self.child is not None
        return await asyncio.to_thread(self.child.terminate)

    def lose_data(self) -> None:
        """Deletes the data dir of a node that does not run."""
        assert self.child is None
        shutil.rmtree(self.folder / "data")


class Plant:
    """The nodes, and a worker or two."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[str, NodeProcess] = {}

    @property
    def addresses(self) -> str:
        """The addresses of all nodes, as a client or a worker takes them."""
        return ",".join(it.address for it in self.nodes.values())

    def client(self) -> durable.AsyncClient:
        """Returns a client that knows all nodes and does not give up."""
        return durable.AsyncClient(self.addresses, timeout=None)

    def worker(self, name: str, modules: str = "tests.process.trees") -> tuple[list[str], Path]:
        """Returns what runs a worker: its command line and the file of its output."""
        return command("worker", modules, "--address", self.addresses), self.folder / f"{name}.log"

    async def view(self, name: str) -> Cluster:
        """Returns the cluster as one node sees it."""
        async with durable.AsyncClient(self.nodes[name].address, timeout=None) as client:
            return await client.cluster()

    async def led_by(self, *names: str, seen_by: str) -> Cluster:
        """Waits until exactly these nodes are live, and lead all partitions, none of them none."""

        async def found() -> Cluster | None:
            view = await self.view(seen_by)
            leaders = {it.leader for it in view.partitions}
            live = {it.name for it in view.nodes}
            return view if leaders == live == set(names) else None

        view = await eventually(found, patience=PATIENCE_SECONDS)
        assert view is not None
        return view

    async def leads(self, name: str) -> tuple[int, ...]:
        """Returns the partitions that a node leads, as it sees it."""
        view = await self.view(name)
        return next(it.led_partitions for it in view.nodes if it.name == name)


@asynccontextmanager
async def cluster(folder: Path, *, partitions: int = 6, workers: int = 2) -> AsyncIterator[Plant]:
    """Runs three nodes, which lead all partitions among them, and workers that serve the trees."""
    plant = Plant(folder)
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(folder / "nats", JETSTREAM))
        for name in NAMES:
            to_nats = await stack.enter_async_context(CuttableProxy(nats.port))
            node = plant.nodes[name] = NodeProcess(name, folder, to_nats, partitions)
            await stack.enter_async_context(node.to_node)
            stack.push_async_callback(node.end)
        for node in plant.nodes.values():
            await node.start()
        await plant.led_by(*NAMES, seen_by="a")
        for number in range(workers):
            stack.enter_context(running(*plant.worker(f"worker-{number}")))
        yield plant
