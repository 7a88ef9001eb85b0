"""The timers of a partition: one alarm of the clock for all of them.

The timers are a heap of (time, invocation id, entry index), and the clock is asked to wake only for the
earliest. So 100,000 sleeping invocations cost memory and nothing else. A timer is not removed when its
invocation does not need it any more; that is checked when it is due.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..core.model import Invocation
from ..core.records import DEADLINE, WAKE, Record, TimerFired
from ..core.states import FINAL
from .clock import Alarm, Clock

Timer: TypeAlias = tuple[int, str, int]
"""Due time in ms, invocation id, and the index as in `TimerFired`."""
Find: TypeAlias = Callable[[str], Invocation | None]


class Timers:
    """The timers of one partition; each that is due and still needed is submitted as a TimerFired.

    `find` reads an invocation back into the partition, so that the rule finds it in memory.
    """

    def __init__(
        self,
        clock: Clock,
        now_ms: Callable[[], int],
        find: Find,
        submit: Callable[[Record], None],
    ) -> None:
        self._clock = clock
        self._now_ms = now_ms
        self._find = find
        self._submit = submit
        self._heap: list[Timer] = []
        self._alarm: Alarm | None = None
        self._alarm_due = 0

    def __len__(self) -> int:
        """Returns how many timers are not due yet, whether needed or not."""
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

    def next_ms(self, find: Find) -> int:
        """Returns when the first timer that is needed is due, 0 without one; drops those before it.

        `find` must not change the partition, because this is no part of a batch.
        """
        while self._heap and not _is_needed(self._heap[0], find(self._heap[0][1])):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else 0

    def close(self) -> None:
        """Drops all timers."""
        self._heap.clear()
        self._schedule()

    def _schedule(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap:
            self._alarm_due = self._heap[0][0]
            self._alarm = self._clock.call_later(self._alarm_due - self._now_ms(), self._fire)

    def _fire(self) -> None:
        self._alarm = None
        now_ms = self._now_ms()
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due.append(heapq.heappop(self._heap))
        self._schedule()
        for timer in due:
            if _is_needed(timer, self._find(timer[1])):
                self._submit(TimerFired(*timer[1:]))


def _is_needed(timer: Timer, invocation: Invocation | None) -> bool:
    """Returns whether an invocation, as it is now, still needs a timer."""
    due_ms, _, index = timer
    if invocation is None or invocation.state in FINAL:
        return False
    if index == WAKE:
        return 0 < invocation.wake_ms <= due_ms
    if index == DEADLINE:
        return 0 < invocation.deadline_ms <= due_ms
    return invocation.recorded.get(index) == 0
