"""The settings of a control plane for tests of HTTP, and a client of its HTTP address."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
def config(config: Config, secrets: Path) -> Config:
    return replace(
        config,
        webhook_secrets_dir=secrets,
        limits=Limits(payload_bytes=64 * 1024, journal_entries=100),
        times=SessionTimes(heartbeat=0.2, timeout=2.0, grace=0.3),
    )


@pytest.fixture
def web(plane: ControlPlane) -> Web:
    return Web(plane.http_address)
