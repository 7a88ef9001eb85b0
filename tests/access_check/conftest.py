"""A control plane that authenticates, with callers of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.access_check.callers import Tokens


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        listen="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        auth=True,
        channelz=True,
    )


@pytest.fixture
def tokens(plane: ControlPlane) -> Tokens:
    assert plane.tokens is not None
    return Tokens(plane.tokens)
