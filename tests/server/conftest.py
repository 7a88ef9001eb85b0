"""The settings of the control plane under test: small limits, and times short enough to wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.sessions.times import SessionTimes


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        listen="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        limits=Limits(payload_bytes=64 * 1024, journal_entries=100),
        times=SessionTimes(heartbeat=0.2, timeout=2.0, grace=0.3),
    )
