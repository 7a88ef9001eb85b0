"""The clocks of a partition: they show the time and call back when a time has come.

A processor has one clock, for every time that means something in the log: sleeps, deadlines, backoffs,
delayed starts, retention. Heartbeats, grace periods and the waits of requests are between processes,
and use the event loop's clock.

A person can change the wall clock but not the event loop's. A callback that is far away is therefore
made at least once a day, and the callee checks the clock itself.

The log's time never goes back and never stops. If the wall clock was put back by an hour, or the next
leader's machine is behind, a log time that waited for the wall clock would stop all sleeps, backoffs
and deadlines for that hour. So the log's time continues by the steady clock from where it was, until
the wall clock is ahead again: every duration keeps its length, and times of day are off by as much as
the clock was wrong before.

The virtual clock stands still until it is moved, and makes its callbacks only then. The code that
moves it decides when, because only that code knows whether everything else is idle.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger("durable.processor")

_LEAD_MS = 1000
"""How far a clock may be behind the log before that is logged."""
_SLACK_SECONDS = 86_400.0
"""The longest delay that is requested of the event loop."""


class Alarm(Protocol):
    """A callback that was requested."""

    def cancel(self) -> None:
        """Cancels it."""
        ...


class Clock(Protocol):
    """Shows the time, and calls back."""

    def now_ms(self) -> int:
        """Returns the time in milliseconds since 1970."""
        ...

    def steady_ms(self) -> int:
        """Returns the milliseconds of a steady clock, which cannot be set back."""
        ...

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """Calls `wake` from the event loop after this delay, or earlier so that it checks again."""
        ...


class LogTime:
    """The time of a log: the clock's, but never earlier than a time that is in the log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ms = clock.now_ms() - clock.steady_ms()
        """How far this time is ahead of the steady clock; it only grows."""

    def now_ms(self) -> int:
        """Returns the time."""
        # The wall clock is read first, so that a pause between the two does not count as being ahead.
        shown_ms = self._clock.now_ms()
        steady_ms = self._clock.steady_ms()
        self._ahead_ms = max(self._ahead_ms, shown_ms - steady_ms)
        return steady_ms + self._ahead_ms

    def reached(self, time_ms: int) -> None:
        """Continues from a time that was found in the log, unless this time is later already."""
        self._ahead_ms = max(self._ahead_ms, time_ms - self._clock.steady_ms())

    def warn_if_ahead(self) -> None:
        """Logs a warning when the log's time is ahead of the clock."""
        lead_ms = self.now_ms() - self._clock.now_ms()
        if lead_ms > _LEAD_MS:
            logger.warning(
                "the log was written by a clock that was %d s ahead of this machine's: its time goes"
                " on from there, so sleeps keep their length and times of day are off by as much",
                lead_ms // 1000,
            )


class WallClock:
    """The machine's clock and the running event loop's timers."""

    def now_ms(self) -> int:
        """Returns the machine's time."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """See `Clock.steady_ms`."""
        return time.monotonic_ns() // 1_000_000

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

    def steady_ms(self) -> int:
        """See `Clock.steady_ms`; only `move` changes this time, and never backwards."""
        return self._now_ms

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """See `Clock.call_later`; `move` makes the call, at its time and not earlier."""
        alarm = _VirtualAlarm(wake)
        due_ms = self._now_ms + max(0, delay_ms)
        heapq.heappush(self._alarms, (due_ms, next(self._order), alarm))
        return alarm

    def move(self, to_ms: int) -> bool:
        """Moves to the time of the next callback, or to `to_ms` if that is earlier, and makes the call.

        Says whether a call was made: then there may be more to do before the clock is moved on.
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
