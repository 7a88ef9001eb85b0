"""A control plane and a worker with faulty workflows, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import Cli
from tests.support.processes import Child, control_plane, durable, running, until

FLOWS = "tests.operator.flows"


class Deployment(NamedTuple):
    """A control plane, a worker, and the command line."""

    cli: Cli
    server: Child
    worker: Child


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder: Path = tmp_path_factory.mktemp("deployment")
    with control_plane(folder) as (server, address):
        cli = Cli(address, folder / "data")
        command = durable("worker", FLOWS, "--address", address)
        with running(command, folder / "worker.log") as worker:
            until(lambda: cli.ok("workers", "--json").json, "worker", worker)
            yield Deployment(cli, server, worker)
