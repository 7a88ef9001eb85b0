"""A real control plane with its own nats-server, in this process, for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from durable_proto.v1 import control_pb2_grpc
from durable_server.app import ControlPlane
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
