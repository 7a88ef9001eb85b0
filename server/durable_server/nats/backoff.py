"""Backoff between attempts: exponential, with jitter, within a budget that progress renews."""

from __future__ import annotations

import asyncio
import random


class Backoff:
    """Pauses that double from `first` to `cap` seconds, each drawn from the upper half of its span.

    `budget` is the time in seconds that may pass without progress; None has no end. The clock is
    the event loop's, so a loop with virtual time makes it deterministic together with `rng`.
    """

    __slots__ = ("_budget", "_cap", "_deadline", "_first", "_next", "_rng", "attempts")

    def __init__(
        self, first: float, cap: float, budget: float | None, rng: random.Random | None = None
    ) -> None:
        self._first = first
        self._cap = cap
        self._budget = budget
        self._rng = rng or random.Random()
        self.attempts = 0
        self.progress()

    def progress(self) -> None:
        """Starts the budget and the pauses anew, because there was progress."""
        self._next = self._first
        self._deadline = (
            None if self._budget is None else asyncio.get_running_loop().time() + self._budget
        )

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self._deadline is not None and (asyncio.get_running_loop().time() >= self._deadline)

    async def pause(self) -> None:
        """Waits for the next pause, never beyond the deadline."""
        delay = self._next * self._rng.uniform(0.5, 1.0)
        self._next = min(self._next * 2, self._cap)
        self.attempts += 1
        if self._deadline is not None:
            delay = min(delay, max(0.0, self._deadline - asyncio.get_running_loop().time()))
        await asyncio.sleep(delay)
