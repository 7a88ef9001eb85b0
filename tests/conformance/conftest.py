"""The system that a module's programs run in: by default over gRPC, live and always suspended.

With `pytestmark = EVERYWHERE` they run in local mode too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .effects import calls
from .system import LocalSystem, System

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
    """Serves the WORKFLOWS of the test's own module, by a worker with its WORKER_OPTIONS, if any."""
    calls.clear()
    kind, suspend_after = request.param
    made: System = kind(tmp_path, suspend_after, request.module.WORKFLOWS)
    made.options = getattr(request.module, "WORKER_OPTIONS", {})
    await made.open()
    try:
        yield made
    finally:
        await made.close()
