"""A client whose own worker serves the workflows of these tests, on a control plane with HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import durable
from durable_server.app import ControlPlane

from . import flows


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[durable.AsyncClient]:
    async with durable.AsyncClient(plane.address, timeout=30) as opened:
        opened.register(*flows.WORKFLOWS)
        await opened.serve_handlers()
        yield opened
