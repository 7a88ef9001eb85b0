"""The thread wait monitor: logs that steps wait for a thread, and reports those that wait too long.

A pool that is full for a moment is normal. When a step has waited for a second, the log names the
steps that hold the threads and for how long; it repeats that for as long as steps wait. A step that has
waited for `wait_max` seconds is passed to `expired`: it has not begun, so another worker can run it.

There is one timer, and only while a step waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from .step_threads import Job, StepThreads, log_fields

QUIET_SECONDS: Final = 1.0
"""How long a step may wait for a thread before the log says so."""
REPEAT_SECONDS: Final = 30.0
"""How much later the log says so again at the earliest."""
_SHOWN_MAX: Final = 5
"""How many steps that hold a thread one line names: those that hold it longest are the suspects."""

_logger = logging.getLogger("durable.worker")


class ThreadWaitMonitor:
    """Watches the steps that wait for a thread of one pool."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: StepThreads,
        wait_max: float,
        expired: Callable[[list[Job]], None],
    ) -> None:
        self._loop: Final = loop
        self._threads: Final = threads
        self._wait_max: Final = wait_max
        self._expired: Final = expired
        self._timer: asyncio.TimerHandle | None = None
        self._logged = float("-inf")

    def begin(self) -> None:
        """Starts to watch, because a step waits for a thread."""
        if self._timer is None:
            self._timer = self._loop.call_later(min(QUIET_SECONDS, self._wait_max), self._check)

    def close(self) -> None:
        """Stops the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        threads, now = self._threads, time.monotonic()
        late = threads.waiting_since_before(now - self._wait_max)
        if late:
            self._log_late(late)
            self._expired(late)
        oldest = threads.oldest_waiting()
        if oldest is None:
            return
        if now - oldest.submitted >= QUIET_SECONDS and now - self._logged >= REPEAT_SECONDS:
            self._logged = now
            self._log_full(now - oldest.submitted)
        next_check = max(oldest.submitted + QUIET_SECONDS, self._logged + REPEAT_SECONDS)
        delay = min(next_check, oldest.submitted + self._wait_max) - now
        self._timer = self._loop.call_later(max(0.01, delay), self._check)

    def _log_full(self, seconds: float) -> None:
        threads = self._threads
        _logger.warning(
            "all threads for sync steps are taken (max_threads is %d, and %d of them run steps that"
            " were given up); %d steps wait, the first of them for %.1f s, behind %s",
            *(threads.size, threads.stuck, threads.waiting, seconds, self._holders()),
        )

    def _log_late(self, late: list[Job]) -> None:
        for job in late:
            _logger.warning(
                "step %r of %s [%s] has waited for a thread for %.1f s (thread_wait) and has not"
                " begun; its attempt is given back",
                *(job.name, job.handler, job.invocation_id, time.monotonic() - job.submitted),
                extra=log_fields(job),
            )

    def _holders(self) -> str:
        jobs, now = self._threads.holders(), time.monotonic()
        shown = [
            f"{job.name!r} of {job.handler} [{job.invocation_id}] for {now - job.began:.1f} s"
            for job in jobs[:_SHOWN_MAX]
        ]
        more = len(jobs) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
