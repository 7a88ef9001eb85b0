"""Waiting for a condition that nothing announces: another process, a log line, a metric."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 30.0


async def eventually(
    condition: Callable[[], T | Awaitable[T]], patience: float = PATIENCE_SECONDS
) -> T:
    """Evaluates the condition, which may be async, until it is true; returns its value."""
    async with asyncio.timeout(patience):
        while True:
            found = condition()
            value: T = await found if inspect.isawaitable(found) else found  # type: ignore[assignment]  # T is not awaitable
            if value:
                return value
            await asyncio.sleep(0.01)
