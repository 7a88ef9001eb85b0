"""A real control plane and a real worker for the programs of one theme, live and always suspended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.behaviour.conftest import System
from tests.behaviour.flows import calls


@pytest.fixture(params=[5.0, 0.0], ids=["live", "always suspended"])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """Serves the WORKFLOWS of the test's own module."""
    calls.clear()
    made = System(tmp_path, request.param)
    made.workflows = request.module.WORKFLOWS
    await made.open()
    try:
        yield made
    finally:
        await made.close()
