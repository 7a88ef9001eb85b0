"""The load on the cluster: orders that start at a steady rate, whatever happens to the nodes."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from itertools import pairwise

ORDER_SECONDS = 300.0
"""How long an order may take, over all retries."""


class Load:
    """Orders, when each of them completed, and what failed."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        """How many orders start in a second."""
        self.started = 0
        self.completed_at: list[float] = []
        """The time of each completed order, on the monotonic clock."""
        self.seconds: list[float] = []
        """How long each took."""
        self.errors: list[str] = []
        self._ended = asyncio.Event()

    async def run(
        self, order: Callable[[int], Coroutine[None, None, object]], goes_on: Callable[[int], bool]
    ) -> None:
        """Starts orders while `goes_on` says so; returns when all have completed or failed."""
        async with asyncio.TaskGroup() as tasks:
            while goes_on(self.started):
                tasks.create_task(self._order(order, self.started))
                self.started += 1
                await asyncio.sleep(1 / self.rate)

    async def _order(
        self, order: Callable[[int], Coroutine[None, None, object]], number: int
    ) -> None:
        begin = time.monotonic()
        try:
            result = await order(number)
            if result != f"order {number} is on its way":
                raise ValueError(f"the result is {result!r}")
        except Exception as error:  # noqa: BLE001  # counted and shown at the end
            self.errors.append(f"order {number}: {error}")
        else:
            now = time.monotonic()
            self.completed_at.append(now)
            self.seconds.append(now - begin)
        self._ended.set()

    async def until_completed(self, count: int) -> None:
        """Waits until so many orders have ended."""
        while len(self.completed_at) + len(self.errors) < count:
            self._ended.clear()
            await self._ended.wait()

    @property
    def longest_gap(self) -> float:
        """The longest time in seconds between two completed orders."""
        return max((later - it for it, later in pairwise(self.completed_at)), default=0.0)

    def share(self, part: float) -> float:
        """Returns within how many seconds this part of the orders completed, as 0.99 for p99."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
