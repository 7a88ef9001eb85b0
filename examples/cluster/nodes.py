"""Three nodes on this machine: each a `durable server` with an embedded NATS server, in one cluster."""

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from examples.launcher import durable_command, start, wait

NAMES = ("a", "b", "c")


class Nodes:
    """The nodes by name, in processes of their own. They end with `stack`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._starts = 0
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        ports = free_ports(2 * len(NAMES))
        self.addresses = {it: f"127.0.0.1:{ports.pop()}" for it in NAMES}
        """Where each node serves clients and workers."""
        self.peers = ",".join(f"{it}=127.0.0.1:{ports.pop()}" for it in NAMES)
        """Where the NATS server of each node listens for the others."""

    @property
    def address(self) -> str:
        """All addresses: a client or worker goes to the next one when a node does not answer."""
        return ",".join(self.addresses.values())

    def start(self, *names: str) -> None:
        """Starts nodes, and returns when they serve."""
        waiting = []
        for name in names:
            self._starts += 1
            ready = self._folder / f"{name}.ready"
            ready.unlink(missing_ok=True)
            log = self._folder / f"{name}-{self._starts}.log"
            command = durable_command(
                "server", "--node", name, "--peers", self.peers,
                "--listen", self.addresses[name], "--data-dir", str(self._folder / name),
                "--ready-file", str(ready),
            )  # fmt: skip
            self._processes[name] = start(self._stack, command, log)
            waiting.append((ready, self._processes[name], log))
        for ready, process, log in waiting:
            wait(ready.exists, process, log)

    def kill(self, name: str) -> None:
        """Sends SIGKILL to a node. Its NATS server ends with it."""
        ready = self._folder / f"{name}.ready"
        os.kill(json.loads(ready.read_text())["pid"], signal.SIGKILL)
        self._processes[name].wait()


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
