"""A control plane for the clients of other languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.processes import Child, durable, running, until
from tests.repo.tree import ROOT


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[tuple[Child, str]]:
    """A control plane with the workflows of the clients, and its address."""
    ready = tmp_path / "ready"
    command = durable(
        "dev", str(ROOT / "examples/clients/workflows.py"), "--no-reload", "--no-http",
        "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    with running(command, tmp_path / "dev.log") as child:
        until(ready.exists, "ready file", child)
        yield child, json.loads(ready.read_text())["address"]
