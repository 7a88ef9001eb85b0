"""The control plane that a worker under test talks to: a real gRPC server that plays a script."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .peers import WorkerPeer, worker_peer


@pytest.fixture
async def peer() -> AsyncIterator[tuple[WorkerPeer, str]]:
    async with worker_peer() as pair:
        yield pair
