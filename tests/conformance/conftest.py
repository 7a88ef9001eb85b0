"""A real control plane and a real worker for the programs of one theme, live and always suspended.

A module whose programs do not care where they run says `pytestmark = EVERYWHERE`: then they run in
local mode too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.behaviour.conftest import LocalSystem, System
from tests.behaviour.flows import calls

_LIVE = [
    pytest.param((System, 5.0), id="live"),
    pytest.param((System, 0.0), id="always suspended"),
]
_LOCAL = [
    pytest.param((LocalSystem, 5.0), id="local"),
    pytest.param((LocalSystem, 0.0), id="local, always suspended"),
]
EVERYWHERE = pytest.mark.parametrize("system", [*_LIVE, *_LOCAL], indirect=True)


@pytest.fixture(params=_LIVE)
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """Serves the WORKFLOWS of the test's own module."""
    calls.clear()
    kind, suspend_after = request.param
    made: System = kind(tmp_path, suspend_after)
    made.workflows = request.module.WORKFLOWS
    await made.open()
    try:
        yield made
    finally:
        await made.close()
