"""A control plane and a worker with bad workflows, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import Cli
from tests.support.processes import Child, control_plane, durable, running, until

FLOWS = "tests.operator.flows"


class Night(NamedTuple):
    """What a person on call has before them."""

    cli: Cli
    server: Child
    worker: Child


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    folder: Path = tmp_path_factory.mktemp("night")
    with control_plane(folder) as (server, address):
        cli = Cli(address, folder / "data")
        command = durable("worker", FLOWS, "--address", address)
        with running(command, folder / "worker.log") as worker:
            until(lambda: cli.ok("workers", "--json").json, "worker", worker)
            yield Night(cli, server, worker)
