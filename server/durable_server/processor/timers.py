"""All timers of a partition on one handle of the event loop.

A heap of (time, invocation id, entry position); the loop is asked to wake up only for the earliest.
So 100,000 sleeping invocations cost memory and nothing else. Timers are not removed when they become
pointless: whoever gets a due one checks whether it still means something.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import TypeAlias

Timer: TypeAlias = tuple[int, str, int]
"""Due time in ms, invocation id, entry position or -1."""

_SLACK_SECONDS = 86_400.0
"""The longest sleep asked of the event loop; a farther timer is looked at again then. It keeps clock
changes and the loop's own limits from mattering."""


class Timers:
    """The timers of one partition; `fire` gets those that are due, earliest first."""

    def __init__(self, now_ms: Callable[[], int], fire: Callable[[list[Timer]], None]) -> None:
        self._now_ms = now_ms
        self._fire = fire
        self._heap: list[Timer] = []
        self._handle: asyncio.TimerHandle | None = None
        self._handle_due = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, due_ms: int, invocation_id: str, position: int) -> None:
        """Adds a timer."""
        heapq.heappush(self._heap, (due_ms, invocation_id, position))
        if self._handle is None or due_ms < self._handle_due:
            self._schedule()

    def fill(self, timers: Iterable[Timer]) -> None:
        """Replaces all timers."""
        self._heap = list(timers)
        heapq.heapify(self._heap)
        self._schedule()

    def close(self) -> None:
        """Stops waking up."""
        self._heap.clear()
        self._schedule()

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._heap:
            self._handle_due = self._heap[0][0]
            delay = max(0.0, (self._handle_due - self._now_ms()) / 1000)
            self._handle = asyncio.get_running_loop().call_later(
                min(delay, _SLACK_SECONDS), self._due
            )

    def _due(self) -> None:
        self._handle = None
        now_ms = self._now_ms()
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due.append(heapq.heappop(self._heap))
        self._schedule()
        if due:
            self._fire(due)
