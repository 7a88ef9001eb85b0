"""The visible effects of steps: a list that workflows append to and tests wait on."""

from __future__ import annotations

import asyncio


class Calls(list[str]):
    """Effects in the order in which they happened, and a way to wait for more."""

    def __init__(self) -> None:
        super().__init__()
        self.grown = asyncio.Event()

    async def reached(self, count: int) -> str:
        """Returns the `count`-th effect, once it has happened."""
        while len(self) < count:
            self.grown.clear()
            await self.grown.wait()
        return self[count - 1]


calls = Calls()


async def effect(text: str) -> str:
    """A step with a visible effect."""
    calls.append(text)
    calls.grown.set()
    return text
