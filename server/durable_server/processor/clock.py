"""Where a partition's time comes from: what its clock shows, and who is woken when.

A processor has one clock and asks it for everything that has to do with time and means something in
the log: sleeps, deadlines, backoffs, delayed starts, retention. Heartbeats, grace periods and the
waits of requests are between processes, and belong to the event loop.

The wall clock may be changed by hand, and the event loop's cannot: so a wake-up that is far away is
looked at again once a day, and whoever is woken looks at the clock whether it is time.

The log's time never goes back, and it never stands still either: a wall clock that was put back by an
hour (or the machine of the next leader, whose clock is behind) would stop all sleeps, backoffs and
deadlines for that hour. So there the log's time goes on from where it was, by the steady clock, until
the wall clock is ahead again: every duration keeps its length, and times of day are off by as much
as the clock was wrong before.

The virtual clock stands still until it is moved. It wakes nobody by itself: who moves it also decides
when, because only they can know whether everything else has come to rest.
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
"""How far a clock may be behind the log before a person is told."""
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

    def steady_ms(self) -> int:
        """Returns milliseconds since some moment of this process; nobody can put that back."""
        ...

    def call_later(self, delay_ms: int, wake: Callable[[], None]) -> Alarm:
        """Calls `wake` from the event loop when so much time is over, or earlier to look again."""
        ...


class LogTime:
    """The time of a log: the clock's, and never before what the log has seen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_ms = clock.now_ms() - clock.steady_ms()
        """How far this time is ahead of the steady clock: it only grows."""

    def now_ms(self) -> int:
        """Returns the time."""
        # The wall clock is read first: a pause between the two must not count as being ahead.
        shown_ms = self._clock.now_ms()
        steady_ms = self._clock.steady_ms()
        self._ahead_ms = max(self._ahead_ms, shown_ms - steady_ms)
        return steady_ms + self._ahead_ms

    def reached(self, time_ms: int) -> None:
        """Hears that the log has seen a time: it goes on from there, or from a later one."""
        self._ahead_ms = max(self._ahead_ms, time_ms - self._clock.steady_ms())

    def tell_lead(self) -> None:
        """Tells a person when the log's time is ahead of the clock."""
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
        """See `Clock.steady_ms`; a time that only `move` changes is never put back."""
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
