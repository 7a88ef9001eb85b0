"""A nats-server with a new system in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from ..support.external_nats import JETSTREAM, External, external_nats
from .nodes import make_system


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[External]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as server:
        await make_system(server.url)
        yield server
