"""A control plane, the workers of several builds, and the commands of a person who deploys."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import durable
from examples.launcher import ROOT, durable_command, start, wait

SECONDS = 60.0
"""How long to wait for anything."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    """What it has written, errors too."""


class System:
    """The control plane and its workers, each in a process of its own; they end with `stack`."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self.effects = folder / "effects"
        """The file with the side effects of all workflows, each a line."""
        self.effects.touch()
        ready, log = folder / "ready", folder / "server.log"
        command = durable_command(
            "server", "--listen", "127.0.0.1:0", "--http", "",
            "--data-dir", str(folder / "data"), "--ready-file", str(ready),
        )  # fmt: skip
        wait(ready.exists, start(stack, command, log), log)
        self.address: str = json.loads(ready.read_text())["address"]
        self.client = stack.enter_context(durable.Client(self.address))

    def deploy(self, build: str) -> None:
        """Starts a worker of a build, and returns when it serves."""
        log = self._folder / f"{build}-{len(list(self._folder.glob(f'{build}-*.log')))}.log"
        command = durable_command(
            "worker", f"examples.deploy.{build}", "--build-id", build,
            "--address", self.address, "--suspend-after", "100ms",
        )  # fmt: skip
        environment = {"EFFECTS_FILE": str(self.effects)}
        self._workers[build] = start(self._stack, command, log, environment)
        wait(lambda: self.workers(build) > 0, self._workers[build], log)

    def workers(self, build: str) -> int:
        """Returns how many workers of a build are connected."""
        found = self.client.list_deployments().get(build)
        return 0 if found is None else found.worker_count

    def stop(self, build: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stops the worker of a build; returns when the control plane has noticed."""
        worker = self._workers.pop(build)
        worker.send_signal(how)
        worker.wait(SECONDS)
        self.until(lambda: not self.workers(build))

    def until(self, true: Callable[[], bool]) -> None:
        """Waits until something is true; raises TimeoutError if it does not become so."""
        deadline = time.monotonic() + SECONDS
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it has not happened within {SECONDS:.0f} s")
            time.sleep(0.05)

    def run(self, *arguments: str) -> Ended:
        """Shows a command of `durable` with what it writes."""
        print(f"\n$ durable {' '.join(arguments)}", flush=True)
        environment = {it: os.environ[it] for it in os.environ if not it.startswith("DURABLE_")}
        environment |= {
            "DURABLE_ADDRESS": self.address,
            "PYTHONPATH": str(ROOT),
            "EFFECTS_FILE": str(self.effects),
        }
        ended = subprocess.run(
            durable_command(*arguments),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = [it.rstrip() for it in ended.stdout.splitlines()]
        print(indent("\n".join(lines), "  "), flush=True)
        return Ended(ended.returncode, ended.stdout)
