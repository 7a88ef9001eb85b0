"""A real control plane that serves HTTP, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.sessions.times import SessionTimes

from .web import Web


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder of the webhook secrets."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


@pytest.fixture
async def plane(tmp_path: Path, secrets: Path) -> AsyncIterator[ControlPlane]:
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        webhook_secrets_dir=secrets,
        limits=Limits(payload_bytes=64 * 1024, journal_entries=100),
        times=SessionTimes(heartbeat=0.2, timeout=2.0, grace=0.3),
    )
    async with ControlPlane(config) as started:
        yield started


@pytest.fixture
async def channel(plane: ControlPlane) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(plane.address) as opened:
        yield opened


@pytest.fixture
def web(plane: ControlPlane) -> Web:
    return Web(plane.http_address)
