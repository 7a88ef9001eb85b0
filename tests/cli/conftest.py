"""A control plane and a worker as processes, shared by all tests of the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.processes import control_plane, durable, running, until


class Run(NamedTuple):
    """The result of a command: exit code and output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str, address: str = "", stdin: str | None = None) -> Run:
    """Runs `durable` as a process, with pipes."""
    environment = {**os.environ, "DURABLE_ADDRESS": address}
    command = [sys.executable, "-m", "durable_cli", *arguments]
    done = subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


class Cli:
    """The command line against one control plane."""

    def __init__(self, address: str, data_dir: Path) -> None:
        self.address = address
        self.data_dir = data_dir

    def __call__(self, *arguments: str, stdin: str | None = None) -> Run:
        return run(*arguments, address=self.address, stdin=stdin)

    def ok(self, *arguments: str, stdin: str | None = None) -> Run:
        """Runs a command that must work."""
        done = self(*arguments, stdin=stdin)
        assert done.code == 0, done
        return done

    def start(self, handler: str, *arguments: str, steps: int = 0) -> str:
        """Starts an invocation; returns its id when its journal has `steps` entries."""
        invocation_id = self.ok("invoke", handler, *arguments, "--async").out.strip()
        until(lambda: self._steps(invocation_id) >= steps, f"{steps} steps")
        return invocation_id

    def _steps(self, invocation_id: str) -> int:
        return int(self.ok("get", invocation_id, "--json").json["journal_length"])

    def status(self, invocation_id: str) -> str:
        return str(self.ok("get", invocation_id, "--json").json["status"])


@pytest.fixture(scope="package")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    folder: Path = tmp_path_factory.mktemp("cli")
    with control_plane(folder) as (_, address):
        command = durable("worker", "tests.cli.flows", "--address", address)
        with running(command, folder / "worker.log") as worker:
            cli = Cli(address, folder / "data")
            until(lambda: cli.ok("workers", "--json").json, "worker", worker)
            yield cli
