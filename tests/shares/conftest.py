"""A system of nodes for each test of shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .nodes import System

COUNT = 6


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    system = System(COUNT, tmp_path)
    yield system
    await system.stop()
