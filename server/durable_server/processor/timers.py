"""All timers of a partition on one alarm of its clock.

A heap of (time, invocation id, entry index); the clock is asked to wake only for the earliest.
So 100,000 sleeping invocations cost memory and nothing else. Timers are not removed when they become
pointless: whoever gets a due one checks whether it still means something.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .clock import Alarm, Clock

Timer: TypeAlias = tuple[int, str, int]
"""Due time in ms, invocation id, entry index or -1."""


class Timers:
    """The timers of one partition; `fire` gets those that are due, earliest first."""

    def __init__(
        self, clock: Clock, now_ms: Callable[[], int], fire: Callable[[list[Timer]], None]
    ) -> None:
        self._clock = clock
        self._now_ms = now_ms
        self._fire = fire
        self._heap: list[Timer] = []
        self._alarm: Alarm | None = None
        self._alarm_due = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, due_ms: int, invocation_id: str, index: int) -> None:
        """Adds a timer."""
        heapq.heappush(self._heap, (due_ms, invocation_id, index))
        if self._alarm is None or due_ms < self._alarm_due:
            self._schedule()

    def fill(self, timers: Iterable[Timer]) -> None:
        """Replaces all timers."""
        self._heap = list(timers)
        heapq.heapify(self._heap)
        self._schedule()

    def next(self, meant: Callable[[Timer], bool]) -> int:
        """Returns when the first timer that is meant is due, 0 without one; drops those before it."""
        while self._heap and not meant(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else 0

    def close(self) -> None:
        """Stops waking up."""
        self._heap.clear()
        self._schedule()

    def _schedule(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap:
            self._alarm_due = self._heap[0][0]
            self._alarm = self._clock.call_later(self._alarm_due - self._now_ms(), self._due)

    def _due(self) -> None:
        self._alarm = None
        now_ms = self._now_ms()
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due.append(heapq.heappop(self._heap))
        self._schedule()
        if due:
            self._fire(due)
