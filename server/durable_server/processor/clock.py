"""Where a partition's time comes from: what its clock shows, and who is woken when.

A processor has one clock and asks it for everything that has to do with time and means something in
the log: sleeps, deadlines, backoffs, delayed starts, retention. Heartbeats, grace periods and the
waits of requests are between processes, and belong to the event loop.

The wall clock may be changed by hand, and the event loop's cannot: so a wake-up that is far away is
looked at again once a day, and whoever is woken looks at the clock whether it is time.

The virtual clock stands still until it is moved. It wakes nobody by itself: who moves it also decides
when, because only they can know whether everything else has come to rest.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

_SLACK_SECONDS = 86_400.0
"""The longest sleep asked of the event loop."""


class Alarm(Protocol):
    """A wake-up that was asked for."""

    def cancel(self) -> None:
        """Takes it back."""
        ...


class Clock(Protocol):
    """Shows the time, and wakes."""

    def now_ms(self) -> int:
        """Returns the time in milliseconds since 1970."""
        ...

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """Calls `wake` from the event loop when so much time is over, or earlier to look again."""
        ...


class WallClock:
    """The machine's clock and the running event loop's timers."""

    def now_ms(self) -> int:
        """Returns the machine's time."""
        return time.time_ns() // 1_000_000

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """See `Clock.call_later`."""
        delay = min(max(0.0, delay_ms / 1000), _SLACK_SECONDS)
        return asyncio.get_running_loop().call_later(delay, wake)


class _VirtualAlarm:
    __slots__ = ("wake",)

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake: Callable[[], None] | None = wake

    def cancel(self) -> None:
        self.wake = None


class VirtualClock:
    """A clock that stands still until `move` is called."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._alarms: list[tuple[int, int, _VirtualAlarm]] = []
        self._order = itertools.count()

    def now_ms(self) -> int:
        """Returns the time that was last moved to."""
        return self._now_ms

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """See `Clock.call_later`; it is called by `move`, at its time and not earlier."""
        alarm = _VirtualAlarm(wake)
        due_ms = self._now_ms + max(0, delay_ms)
        heapq.heappush(self._alarms, (due_ms, next(self._order), alarm))
        return alarm

    def move(self, to_ms: int) -> bool:
        """Moves to the next time at which somebody is to be woken, at most to `to_ms`, and wakes.

        Says whether somebody was woken: then there may be more to do before it is moved on.
        """
        alarms = self._alarms
        while alarms and alarms[0][2].wake is None:
            heapq.heappop(alarms)
        if not alarms or alarms[0][0] > to_ms:
            self._now_ms = max(self._now_ms, to_ms)
            return False
        self._now_ms = max(self._now_ms, alarms[0][0])
        while alarms and alarms[0][0] <= self._now_ms:
            wake = heapq.heappop(alarms)[2].wake
            if wake is not None:
                wake()
        return True
