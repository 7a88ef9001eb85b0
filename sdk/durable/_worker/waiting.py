"""Steps that wait for a thread: who is told of it, and for how long they may.

A pool that is full for a moment is no news. When a step has waited for a second, the log names the
steps that hold the threads and since when; again after a while, for as long as it lasts. A step that
has waited as long as it may is handed to `expired`: it has not begun, so its attempt can go elsewhere.

There is one timer, and only while a step waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from .threads import Job, StepThreads, names_of

QUIET_SECONDS: Final = 1.0
"""How long a step may wait for a thread before the log says so."""
REPEAT_SECONDS: Final = 30.0
"""How often the log says so at most."""
_SHOWN_MAX: Final = 5
"""Steps that hold a thread that one line names: those that hold it longest are what one looks for."""

_logger = logging.getLogger("durable.worker")


class ThreadWatch:
    """Looks after the steps that wait for a thread."""

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
        self._told = float("-inf")

    def begin(self) -> None:
        """A step has begun to wait."""
        if self._timer is None:
            self._timer = self._loop.call_later(min(QUIET_SECONDS, self._wait_max), self._look)

    def close(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        threads, now = self._threads, time.monotonic()
        late = threads.waiting_since_before(now - self._wait_max)
        if late:
            self._say_late(late)
            self._expired(late)
        oldest = threads.oldest_waiting()
        if oldest is None:
            return
        if now - oldest.asked >= QUIET_SECONDS and now - self._told >= REPEAT_SECONDS:
            self._told = now
            self._say_full(now - oldest.asked)
        next_look = max(oldest.asked + QUIET_SECONDS, self._told + REPEAT_SECONDS)
        delay = min(next_look, oldest.asked + self._wait_max) - now
        self._timer = self._loop.call_later(max(0.01, delay), self._look)

    def _say_full(self, seconds: float) -> None:
        threads = self._threads
        _logger.warning(
            "all threads for sync steps are taken (max_threads is %d, and %d of them run steps that"
            " were given up); %d steps wait, the first of them for %.1f s, behind %s",
            *(threads.size, threads.stuck, threads.waiting, seconds, self._holders()),
        )

    def _say_late(self, late: list[Job]) -> None:
        for job in late:
            _logger.warning(
                "step %r of %s [%s] has waited for a thread for %.1f s (thread_wait) and has not"
                " begun; its attempt is given back",
                *(job.name, job.handler, job.invocation_id, time.monotonic() - job.asked),
                extra=names_of(job),
            )

    def _holders(self) -> str:
        jobs, now = self._threads.holders(), time.monotonic()
        shown = [
            f"{job.name!r} of {job.handler} [{job.invocation_id}] for {now - job.began:.1f} s"
            for job in jobs[:_SHOWN_MAX]
        ]
        more = len(jobs) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
