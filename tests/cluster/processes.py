"""A cluster of real processes, any of which a test may kill, stop or cut off from any other.

    client, workers ──► nodes a, b, c ──► NATS servers n0, n1, n2     or one server, n0
                          └─ each other      └─ each other

With embedded NATS servers these are the nodes' own, and the names of their routes are nats-a, nats-b
and nats-c. All connections but those between a node and its own NATS server pass through
`Plant.network`, where each process has its name. This process is "client".
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import psutil

import durable
from durable._client.cluster_views import Cluster
from tests.support.external_nats import JETSTREAM, External, external_nats
from tests.support.network import OTHER_HOST, Network
from tests.support.processes import Child, free_port, nats_of, running
from tests.support.processes import durable as command
from tests.support.waiting import eventually

NAMES = ("a", "b", "c")
WORKERS = ("worker-1", "worker-2")
CLIENT = "client"
PATIENCE_SECONDS = 90.0


class NodeProcess:
    """One node: its processes, one after another, on one data dir and the same ports."""

    def __init__(self, name: str, folder: Path, partitions: int) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.addresses: dict[str, str] = {}
        """Where the client and each worker reach it."""
        self.node_port = free_port()
        self.child: Child | None = None
        self.module = "durable_server"
        """What is run: the program of this version, or of another one."""
        self.options: tuple[str, ...] = ()
        """Further options of `durable server`."""
        self.nats_options: tuple[str, ...] = ()
        """How it reaches NATS; to be set before it is started."""
        self.http = ""
        """Where it serves HTTP, empty for no HTTP; to be set before it is started."""
        self._partitions = partitions
        self._running = ExitStack()

    @property
    def address(self) -> str:
        """Where this process reaches it."""
        return self.addresses[CLIENT]

    async def start(self) -> None:
        """Starts a process, and waits until it serves."""
        await self.begin()
        await self.serves()

    async def begin(self) -> None:
        """Starts a process, and does not wait for it."""
        await self.end()
        self._ready.unlink(missing_ok=True)
        arguments = command(
            "-v", "server", *self.nats_options,
            "--node", self.name, "--advertise", OTHER_HOST, "--listen", f"127.0.0.1:{self.port}",
            "--node-listen", f"127.0.0.1:{self.node_port}", "--data-dir", str(self.folder / "data"),
            "--ready-file", str(self._ready), "--partitions", str(self._partitions),
            *(("--http", self.http) if self.http else ()),
            *self.options,
            module=self.module,
        )  # fmt: skip
        self.child = self._running.enter_context(running(arguments, self.folder / "log"))

    async def serves(self) -> None:
        """Waits until the process serves; raises AssertionError when it ends instead."""
        child = self.child
        assert child is not None

        def ready() -> bool:
            assert child.process.poll() is None, child.text()[-5000:]
            return self._ready.exists()

        await eventually(ready, PATIENCE_SECONDS)
        assert json.loads(self._ready.read_text())["pid"] == child.pid

    async def end(self) -> None:
        """Kills the process, if it runs, and its NATS server."""
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

    def pids(self) -> list[int]:
        """Returns the process of the node."""
        return [self.child.pid] if self.child is not None else []

    def nats_pids(self) -> list[int]:
        """Returns the process of its own NATS server, if there is one now."""
        if self.child is None:
            return []
        try:
            return [nats_of(self.child).pid]
        except (AssertionError, psutil.Error):
            return []

    @property
    def _ready(self) -> Path:
        return self.folder / "ready"


class Plant:
    """The nodes, the NATS servers that are not theirs, workers, and the network between them."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.folder = folder
        self.network = network
        self.nodes: dict[str, NodeProcess] = {}
        self.nats: dict[str, External] = {}
        """The external NATS servers."""

    def addresses(self, of: str) -> str:
        """Returns the addresses of all nodes, as the client or a worker takes them."""
        return ",".join(it.addresses[of] for it in self.nodes.values())

    def client(self) -> durable.AsyncClient:
        """Returns a client that knows all nodes and does not give up."""
        return durable.AsyncClient(self.addresses(CLIENT), timeout=None)

    @contextmanager
    def worker(
        self,
        name: str,
        modules: Iterable[str] = ("tests.process.trees",),
        *,
        program: str = "durable_server",
    ) -> Iterator[Child]:
        """Runs a worker, which is one of WORKERS, for the length of the block; `program` is the module
        of its command.
        """
        addresses = self.addresses(name)
        arguments = command("worker", *modules, "--address", addresses, module=program)
        with running(arguments, self.folder / f"{name}.log") as child:
            yield child

    def cut_off_from_nats(self, node: str) -> None:
        """Cuts a node off from all external NATS servers."""
        for server in self.nats:
            self.network.cut(node, server)

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
async def cluster(
    folder: Path,
    *,
    partitions: int = 6,
    workers: int = 2,
    nats_servers: int = 1,
    embedded: bool = False,
    http: bool = False,
    module: str = "durable_server",
    options: tuple[str, ...] = (),
) -> AsyncIterator[Plant]:
    """Runs three nodes, which lead all partitions among them, and workers that serve the trees.

    They use 1 or 3 external NATS servers, or their own. `module` and `options` are those of the nodes:
    see `NodeProcess`.
    """
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(Network())
        plant = Plant(folder, network)
        for name in NAMES:
            node = plant.nodes[name] = NodeProcess(name, folder, partitions)
            node.module, node.options = module, options
            if http:
                node.http = f"127.0.0.1:{free_port()}"
            network.name(name, node.pids)
            await network.shared_way(name, node.node_port)
            for other in (CLIENT, *WORKERS):
                port = await network.way(other, name, node.port)
                node.addresses[other] = f"{OTHER_HOST}:{port}"
            stack.push_async_callback(node.end)
        if embedded:
            await _embed_nats(plant)
        else:
            await _run_nats(plant, nats_servers, stack)
        for node in plant.nodes.values():
            await node.begin()
        for node in plant.nodes.values():
            await node.serves()
        await plant.led_by(*NAMES, seen_by="a")
        for name in WORKERS[:workers]:
            stack.enter_context(plant.worker(name))
        yield plant


async def _embed_nats(plant: Plant) -> None:
    """Lets each node run a NATS server, whose routes to the others pass through the network."""
    ports = {name: free_port() for name in NAMES}
    for name, node in plant.nodes.items():
        peers: list[str] = []
        for other, port in ports.items():
            if other == name:
                peers.append(f"{name}=127.0.0.1:{port}")
            else:
                way = await plant.network.way(f"nats-{name}", f"nats-{other}", port)
                peers.append(f"{other}={OTHER_HOST}:{way}")
        node.nats_options = ("--peers", ",".join(peers))


async def _run_nats(plant: Plant, count: int, stack: AsyncExitStack) -> None:
    """Runs NATS servers beside the nodes."""
    network = plant.network
    routes = {f"n{number}": free_port() for number in range(count)}
    for name, port in routes.items():
        config = f"server_name: {name}\n{JETSTREAM}\n"
        if count > 1:
            ways = [await network.way(name, it, to) for it, to in routes.items() if it != name]
            # The own one too: JetStream takes their number for that of the servers.
            hosts = [f"127.0.0.1:{port}", *(f"{OTHER_HOST}:{it}" for it in ways)]
            urls = ", ".join(f'"nats://{it}"' for it in hosts)
            config += f'cluster {{ name: n, listen: "127.0.0.1:{port}", no_advertise: true,'
            config += f" pool_size: 1, routes: [{urls}] }}"
        folder = plant.folder / name
        server = await stack.enter_async_context(external_nats(folder, config, free_port()))
        plant.nats[name] = server
    for node in plant.nodes.values():
        ways = [await network.way(node.name, it, to.port) for it, to in plant.nats.items()]
        servers = ",".join(f"nats://{OTHER_HOST}:{it}" for it in ways)
        node.nats_options = ("--nats", servers, "--replicas", str(count))
