"""A real control plane and a real worker for the programs of one theme, in the ways of working."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.behaviour.conftest import LocalSystem, System
from tests.behaviour.flows import calls


async def _serve(request: pytest.FixtureRequest, made: System) -> AsyncIterator[System]:
    """Serves the WORKFLOWS of the test's own module."""
    calls.clear()
    made.workflows = request.module.WORKFLOWS
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(params=[5.0, 0.0], ids=["live", "always suspended"])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """Over NATS and gRPC, live and with a replay at each await."""
    async for made in _serve(request, System(tmp_path, request.param)):
        yield made


@pytest.fixture(
    params=[(System, 5.0), (System, 0.0), (LocalSystem, 5.0)],
    ids=["live", "always suspended", "local"],
)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """The same, and in local mode."""
    kind, suspend_after = request.param
    async for made in _serve(request, kind(tmp_path, suspend_after)):
        yield made
