"""A real nats-server for each test (it starts in 50 ms), and the two kinds of log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from durable_server.nats.embedded import EmbeddedNats

from .worlds import JetStreamWorld, MemoryWorld, World


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def jetstream(server: EmbeddedNats) -> AsyncIterator[JetStreamWorld]:
    world = JetStreamWorld(server)
    yield world
    await world.close()


@pytest_asyncio.fixture(params=["memory", "jetstream"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    server = EmbeddedNats(tmp_path / "nats")
    await server.start()
    world = JetStreamWorld(server)
    yield world
    await world.close()
    await server.stop()
