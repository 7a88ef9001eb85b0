"""Virtual time: when a local control plane is at rest, and what moves its clock then.

Theory. With a virtual clock nothing happens by itself in a local control plane but what a message, a
step or a call has set going. When all of those are over, the next thing to happen is a timer, and its
time may as well be now. So all that is needed is to know when they are over, and that is a question of
facts, each kept where it arises:

    processor   waits for input, has none, appends nothing
    sessions    nothing to be written, no frame on its way or being handled, no worker with work away
    workers     connected, no step running, nothing waiting to be sent
    calls       each that is under way waits for the end of an invocation

Whoever makes one of them true says so (`Local.moved`, `Plane.on_idle`), and then they are looked at
all together, in a turn of the loop of its own. Nothing is polled and nothing is waited for in seconds.

Rules.
- The clock moves from one alarm to the next, never over one, and after each it waits for rest again.
- By itself it moves only while somebody waits for an end, and only to timers of invocations: a test
  that does something else meanwhile finds the time where it was. Retention comes due on the way.
- What is between processes does not follow it: heartbeats, grace periods, timeouts of a client's calls,
  and what a step does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from .._common.durations import span
from .._local.local import Local


class _Goal(NamedTuple):
    to_ms: int
    reached: asyncio.Future[None]


class VirtualTime:
    """The time of one local control plane. `skip` lets it move by itself while somebody waits."""

    def __init__(self, local: Local, workers_quiet: Callable[[], bool], *, skip: bool) -> None:
        self._local: Final = local
        self._workers_quiet: Final = workers_quiet
        self._skip: Final = skip
        self._looking = False
        self._goal: _Goal | None = None
        self._moving: Final = asyncio.Lock()
        self._settling: list[asyncio.Future[None]] = []
        local.moved = local.plane.on_idle = self.moved

    def now(self) -> datetime:
        """Returns what the clock shows."""
        return datetime.fromtimestamp(self._local.plane.now_ms / 1000, UTC)

    async def settle(self) -> None:
        """Returns when nothing can happen any more but a timer or a call."""
        await self._local.start()
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append(settled)
        self.moved()
        await settled

    async def advance(self, by: float | timedelta) -> None:
        """Moves the clock, and returns when all that came due has been dealt with."""
        by = span(by, "by")
        async with self._moving:
            await self.settle()
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            by_ms = by // timedelta(milliseconds=1)
            self._goal = _Goal(self._local.plane.now_ms + by_ms, reached)
            self.moved()
            try:
                await reached
            finally:
                self._goal = None

    async def jump(self) -> bool:
        """Moves the clock to the next timer of an invocation; says whether there was one."""
        await self.settle()
        due_ms = self._local.plane.next_timer_ms
        if due_ms:
            await self.advance(timedelta(milliseconds=max(0, due_ms - self._local.plane.now_ms)))
        return due_ms > 0

    def moved(self) -> None:
        """Something may have come to rest."""
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def quiet(self) -> bool:
        """Says whether nothing can happen any more but a timer or a call."""
        return self._local.quiet and self._workers_quiet()

    def _look(self) -> None:
        self._looking = False
        if not self.quiet():
            return
        plane, goal = self._local.plane, self._goal
        if self._settling:
            settled, self._settling = self._settling, []
            for future in settled:
                if not future.done():
                    future.set_result(None)
            self.moved()  # after those who were waiting have had their turn
        elif goal is not None:
            if plane.move(goal.to_ms):
                self.moved()
            elif not goal.reached.done():
                goal.reached.set_result(None)
        elif self._skip and plane.waiter_count and (due_ms := plane.next_timer_ms):
            plane.move(due_ms)
            self.moved()
