"""The time to back up and restore a large system, and to replace a node of it:
`python benchmarks/rejoin.py`.

It fills a store as benchmarks/query.py does, backs it up with `durable backup`, and restores it with
`durable restore` into a nats-server of its own. Then it starts a node on the restored data, which keeps
a snapshot in NATS, and a second node with an empty data dir. That one fetches the snapshot, reads the
rest of the log and follows, as a node does that has lost its disk. At last the first node is killed
with SIGKILL, and the second one leads.

Machines differ and are noisy: compare only lines of one run.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import click
import grpc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.query import fill  # noqa: E402
from benchmarks.run import await_file, child  # noqa: E402
from durable_proto.v1 import control_pb2, control_pb2_grpc  # noqa: E402
from durable_server.cluster.identity import Identity, write_identity  # noqa: E402
from durable_server.cluster.metadata import new_system_id  # noqa: E402
from durable_server.core.ids import from_chance  # noqa: E402
from durable_server.nats.binary import find_nats_server  # noqa: E402

BEGIN_MS = 1_700_000_000_000
LONGEST_SECONDS = 600.0
"""After which a part is given up."""
FIRST, SECOND = "b", "a"
"""The names of the nodes: so chosen that the placement leaves the partition where it is."""


def timed(part: str, work: Callable[[], object]) -> None:
    """Prints how long a part takes."""
    begin = time.perf_counter()
    work()
    click.echo(f"{part:<44}{time.perf_counter() - begin:8.2f} s")


def durable(*arguments: str) -> list[str]:
    """Returns a command line of the server's program."""
    return [sys.executable, "-m", "durable_server", *arguments]


class Node:
    """A node of the system."""

    def __init__(self, stack: ExitStack, name: str, data_dir: Path, nats_url: str) -> None:
        ready = data_dir.parent / f"{name}.ready"
        command = durable("server", "--node", name, "--nats", nats_url, "--replicas", "1")
        command += ["--listen", "127.0.0.1:0", "--data-dir", str(data_dir), "--ready-file"]
        self._process = stack.enter_context(
            child([*command, str(ready)], stdout=subprocess.DEVNULL)
        )
        channel = grpc.insecure_channel(await_file(ready, self._process)["address"])
        stack.callback(channel.close)
        self._control = control_pb2_grpc.DurableControlStub(channel)

    def wait(self, reached: Callable[[control_pb2.GetClusterResponse], bool]) -> None:
        """Waits until what this node tells of its cluster satisfies a condition."""
        end = time.monotonic() + LONGEST_SECONDS
        while not reached(self._control.GetCluster(control_pb2.GetClusterRequest())):
            if time.monotonic() > end:
                raise click.ClickException(f"not reached within {LONGEST_SECONDS:g} s")
            time.sleep(0.02)

    def stats(self) -> control_pb2.GetStatsResponse:
        """Returns the counts of invocations."""
        return self._control.GetStats(control_pb2.GetStatsRequest())

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()


def followed(cluster: control_pb2.GetClusterResponse) -> bool:
    """Whether the only partition has a follower that has all of the log."""
    [partition] = cluster.partitions
    return any(it.lag == 0 for it in partition.followers)


def measure(size: int, folder: Path) -> None:
    """Prints the lines for a system of so many invocations."""
    original, restored, backup = folder / "original", folder / "restored", folder / "backup"
    original.mkdir(mode=0o700)
    (original / "FORMAT").write_text("1\n")
    store = original / "partition-0.db"
    seconds = fill(store, size, BEGIN_MS, from_chance(f"{1:032x}"))
    with closing(sqlite3.connect(store)) as connection, connection:
        # A store that holds something is never at the beginning of a log.
        connection.execute("UPDATE position SET sequence = 1, epoch = 1, last_number = ?", [size])
    write_identity(original, Identity(new_system_id(), 1))
    store_bytes = store.stat().st_size
    click.echo(f"{size:,} invocations, {store_bytes / 1e6:,.0f} MB, filled in {seconds:.0f} s")

    def run(*arguments: str) -> None:
        subprocess.run(durable(*arguments), check=True, capture_output=True)

    timed("durable backup", lambda: run("backup", str(backup), "--data-dir", str(original)))
    with ExitStack() as stack:
        ports = folder / "ports"
        ports.mkdir()
        server = find_nats_server().path
        settings = folder / "nats-server.conf"
        settings.write_text(f'max_payload: 8MB\njetstream {{ store_dir: "{folder / "nats"}" }}\n')
        command = [str(server), "-c", str(settings), "-a", "127.0.0.1", "-p", "-1"]
        process = stack.enter_context(
            child([*command, "--ports_file_dir", str(ports)], stderr=subprocess.DEVNULL)
        )
        [url] = await_file(ports / f"nats-server_{process.pid}.ports", process)["nats"]
        restore = ("restore", str(backup), "--data-dir", str(restored), "--nats", url)
        timed("durable restore", lambda: run(*restore))
        nodes: list[Node] = []

        def start(name: str, data_dir: Path, *, follows: bool) -> None:
            node = Node(stack, name, data_dir, url)
            nodes.append(node)
            if follows:
                node.wait(followed)

        timed("start on the restored data", lambda: start(FIRST, restored, follows=False))
        before = nodes[0].stats()
        timed("a node without a disk follows", lambda: start(SECOND, folder / SECOND, follows=True))

        def take_over() -> None:
            nodes[0].kill()
            nodes[1].wait(lambda cluster: cluster.partitions[0].leader == SECOND)
            if nodes[1].stats() != before:
                raise click.ClickException("the nodes count different invocations")

        timed("SIGKILL of the leader, the other one leads", take_over)


@click.command()
@click.option("--size", "sizes", multiple=True, type=int, default=(100_000, 1_000_000))
def main(sizes: tuple[int, ...]) -> None:
    """Prints the lines for each size, in invocations."""
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="durable-rejoin-") as name:
            measure(size, Path(name))


if __name__ == "__main__":
    main()
