"""Options and fixtures that every folder of tests may use.

The fixtures run a control plane with its own nats-server in this process. A folder that needs other
settings overrides `config`; the other fixtures follow it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, settings

from durable_proto.v1 import control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the expected output of transcripts anew"
    )
    parser.addoption("--seeds", type=int, default=150, help="how many seeds a simulation runs")
    parser.addoption(
        "--fuzz-examples",
        type=int,
        default=10,
        help="how many examples each test of hostile input takes",
    )
    parser.addoption("--seed", type=int, default=None, help="run this seed only")
    parser.addoption(
        "--recipes", action="store_true", help="build and run the recipes of docs/languages.md"
    )
    parser.addoption(
        "--soak-embedded",
        action="store_true",
        help="the soak of a cluster uses the nodes' own NATS servers",
    )
    parser.addoption(
        "--soak-seconds", type=float, default=10.0, help="how long the soak starts new work"
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The settings of the test's control plane: free ports, and an HTTP address too."""
    return Config(
        listen="127.0.0.1:0", http="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2
    )


@pytest.fixture
async def plane(config: Config) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(config) as started:
        yield started


@pytest.fixture
async def channel(plane: ControlPlane) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(plane.address) as opened:
        yield opened


@pytest.fixture
def control(channel: grpc.aio.Channel) -> control_pb2_grpc.DurableControlAsyncStub:
    return control_pb2_grpc.DurableControlStub(channel)
