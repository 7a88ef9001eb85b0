"""A real control plane that serves HTTP, a client, and a real worker in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config

from . import flows


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    config = Config(
        listen="127.0.0.1:0", http="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2
    )
    async with ControlPlane(config) as started:
        yield started


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[durable.AsyncClient]:
    async with durable.AsyncClient(plane.address, timeout=30) as opened:
        opened.register(*flows.WORKFLOWS)
        await opened.serve_handlers()
        yield opened
