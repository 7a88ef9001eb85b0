"""A control plane for the clients of other languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import Child, durable, running, until
from tests.support.repository import ROOT


@contextmanager
def control_plane(folder: Path, *options: str) -> Iterator[tuple[Child, str]]:
    """Runs `durable dev` with the workflows of the clients; gives the process and its address."""
    ready = folder / "ready"
    command = durable(
        "dev", str(ROOT / "examples/clients/workflows.py"), "--no-reload", "--no-http",
        "--listen", "127.0.0.1:0", "--data-dir", str(folder / "data"), "--ready-file", str(ready),
        *options,
    )  # fmt: skip
    with running(command, folder / "dev.log") as child:
        until(ready.exists, "ready file", child)
        yield child, json.loads(ready.read_text())["address"]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[Child, str]]:
    """A control plane for this test only."""
    with control_plane(tmp_path) as started:
        yield started
