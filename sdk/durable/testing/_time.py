"""Virtual time: decides when a local control plane is idle, and advances its clock then.

With a virtual clock, everything that happens in a local control plane follows from a message, a step
or a call. When all of these have been dealt with, the next event is a timer, and the clock may go there
at once. So the question is when that is the case. Each part of the answer is kept where it arises:

    processor   waits for input, has none, and appends nothing
    sessions    nothing to write, no frame in flight or being handled, no worker with a step that runs
    workers     connected, no step runs, nothing to send
    calls       each call in progress waits for the end of an invocation

Each of them reports when it may have become true (`LocalControlPlane.on_progress`, `Plane.on_idle`).
Then all of them are checked together, in a callback of the event loop. There is no polling, and nothing
waits for real seconds.

Rules.
- The clock goes from one alarm to the next and never past one. After each it waits until all is idle.
- A control plane that has failed is never idle again: `settle` and `advance` raise its error.
- It advances by itself only while a call waits for an invocation's end, and only to timers of
  invocations, so a test that does anything else in between finds the time unchanged. Retention that
  comes due on the way is handled too.
- What concerns processes does not follow the clock: heartbeats, grace periods, timeouts of a client's
  calls, and the inside of steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from .._common.durations import span
from .._local.control_plane import LocalControlPlane


class _Goal(NamedTuple):
    """A time to which `advance` moves the clock."""

    to_ms: int
    reached: asyncio.Future[None]


class VirtualTime:
    """The clock of one local control plane.

    `workers_quiet` tells whether the workers have anything to do. With `skip` the clock advances by
    itself while a call waits for an invocation's end.
    """

    def __init__(
        self, local: LocalControlPlane, workers_quiet: Callable[[], bool], *, skip: bool
    ) -> None:
        self._local: Final = local
        self._workers_quiet: Final = workers_quiet
        self._skip: Final = skip
        self._check_scheduled = False
        self._goal: _Goal | None = None
        self._advancing: Final = asyncio.Lock()
        self._settling: list[asyncio.Future[None]] = []
        local.on_progress = local.plane.on_idle = self.check_soon

    def now(self) -> datetime:
        """Returns what the clock shows."""
        return datetime.fromtimestamp(self._local.plane.now_ms / 1000, UTC)

    async def settle(self) -> None:
        """Returns when nothing can happen until a timer is due or a call arrives."""
        await self._local.start()
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append(settled)
        self.check_soon()
        await settled

    async def advance(self, by: float | timedelta) -> None:
        """Advances the clock, and returns when everything that came due has been dealt with."""
        by = span(by, "by")
        async with self._advancing:
            await self.settle()
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            by_ms = by // timedelta(milliseconds=1)
            self._goal = _Goal(self._local.plane.now_ms + by_ms, reached)
            self.check_soon()
            try:
                await reached
            finally:
                self._goal = None

    async def jump(self) -> bool:
        """Advances the clock to the next timer of an invocation; returns whether there was one."""
        await self.settle()
        due_ms = self._local.plane.next_timer_ms
        if due_ms:
            await self.advance(timedelta(milliseconds=max(0, due_ms - self._local.plane.now_ms)))
        return due_ms > 0

    def check_soon(self) -> None:
        """Schedules a check, because the control plane or a worker may have become idle."""
        if not self._check_scheduled:
            self._check_scheduled = True
            asyncio.get_running_loop().call_soon(self._check)

    def quiet(self) -> bool:
        """Whether nothing can happen until a timer is due or a call arrives."""
        return self._local.quiet and self._workers_quiet()

    def _check(self) -> None:
        self._check_scheduled = False
        plane, goal = self._local.plane, self._goal
        if plane.failure is not None:
            waiting, self._settling = self._settling, []
            for future in waiting if goal is None else [*waiting, goal.reached]:
                if not future.done():
                    future.set_exception(plane.failure)
        elif not self.quiet():
            return
        elif self._settling:
            settled, self._settling = self._settling, []
            for future in settled:
                if not future.done():
                    future.set_result(None)
            self.check_soon()  # after the tasks that waited for this have run
        elif goal is not None:
            if plane.move(goal.to_ms):
                self.check_soon()
            elif not goal.reached.done():
                goal.reached.set_result(None)
        elif self._skip and plane.waiter_count and (due_ms := plane.next_timer_ms):
            plane.move(due_ms)
            self.check_soon()
