"""Three nodes on this machine: each a `durable server`, with an embedded NATS server by default."""

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from examples.launcher import durable_command, start, wait

NAMES = ("a", "b", "c")
STOP_SECONDS = 60.0
"""How long a node may take to end after SIGTERM."""


class Nodes:
    """The nodes by name, in processes of their own. They end with `stack`."""

    def __init__(
        self, stack: ExitStack, folder: Path, nats_url: str = "", options: Sequence[str] = ()
    ) -> None:
        """`nats_url` names an external NATS system; `options` are more of `durable server`."""
        self._stack = stack
        self._folder = folder
        self._starts = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        ports = free_ports(2 * len(NAMES) + 1)
        self.addresses = {it: f"127.0.0.1:{ports.pop()}" for it in NAMES}
        """Where each node serves clients and workers."""
        peers = ",".join(f"{it}=127.0.0.1:{ports.pop()}" for it in NAMES)
        self._options = ["--nats", nats_url] if nats_url else ["--peers", peers]
        self._options += options
        self.http_port = ports.pop()
        """The port on which all nodes serve HTTP, each at a loopback address of its own."""
        self.http_hosts: dict[str, str] = {}
        """The address at which each node serves HTTP; empty to serve none."""

    @property
    def address(self) -> str:
        """All addresses: a client or worker goes to the next one when a node does not answer."""
        return ",".join(self.addresses.values())

    def start(self, *names: str) -> None:
        """Starts nodes, and returns when they serve."""
        waiting = []
        for name in names:
            self._starts += 1
            ready = self._ready(name)
            ready.unlink(missing_ok=True)
            log = self._folder / f"{name}-{self._starts}.log"
            command = durable_command(
                "server", "--node", name, "--listen", self.addresses[name],
                "--data-dir", str(self._folder / name), "--ready-file", str(ready), *self._options,
            )  # fmt: skip
            if self.http_hosts:
                command += ["--http", f"{self.http_hosts[name]}:{self.http_port}"]
            self._processes[name] = start(self._stack, command, log)
            waiting.append((ready, self._processes[name], log))
        for ready, process, log in waiting:
            wait(ready.exists, process, log)

    def kill(self, name: str) -> None:
        """Sends SIGKILL to a node. Its NATS server ends with it."""
        self._send(name, signal.SIGKILL)
        self._processes[name].wait()

    def stop(self, name: str) -> None:
        """Sends SIGTERM to a node, and returns when it has ended."""
        self._send(name, signal.SIGTERM)
        self._processes[name].wait(STOP_SECONDS)

    def logs(self) -> list[str]:
        """Returns what each process of a node has logged."""
        return [it.read_text() for it in self._folder.glob("?-*.log")]

    def _send(self, name: str, number: signal.Signals) -> None:
        os.kill(json.loads(self._ready(name).read_text())["pid"], number)

    def _ready(self, name: str) -> Path:
        return self._folder / f"{name}.ready"


@contextmanager
def three_nodes(folder: Path) -> Iterator[Nodes]:
    """Gives three nodes that serve, with their data dirs in `folder`."""
    with ExitStack() as stack:
        nodes = Nodes(stack, folder)
        nodes.start(*NAMES)
        yield nodes


def free_ports(count: int) -> list[int]:
    """Returns ports that are free now, and that no outgoing connection gets later.

    Systems take those from 32768 on, and a node that starts again needs its port again.
    """
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"fewer than {count} of 1000 ports that were tried are free")
