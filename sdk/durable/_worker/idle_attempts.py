"""Idle attempts: those that only wait for the control plane, and when each of them is suspended.

An idle attempt stays in memory for `suspend_after` seconds, because to continue it is cheaper than to
replay it. The idle attempts are therefore a cache, and a full cache must not delay work: when every
slot is taken, the attempts that have been idle longest are suspended at once, whatever time they have
left. Otherwise a burst of sleeping workflows would pass at the rate of slots per `suspend_after`, and
parents that wait for their children could take all the slots that the children need.

A quarter of the slots is freed at a time: the control plane fills free slots in batches, and freeing
one slot for each round trip would be slow.

Rules.
- An attempt stays held until the server answers a Suspend with Suspended. The server ignores a Suspend
  that crosses with a newer completion, so one without an answer is sent again after a while.
- Without a new completion in between, a Suspend is sent once per session.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from durable_proto.v1 import worker_pb2

from .running_attempt import RunningAttempt
from .send_queue import SendQueue

SUSPEND_AGAIN_SECONDS: Final = 30.0
"""How long a Suspend may stay without an answer before it is sent again."""
_FREED_SHARE: Final = 4
"""One part in so many of the slots is freed at a time."""


class IdleAttempts:
    """The attempts that only wait, in the order in which they became idle."""

    def __init__(self, queue: SendQueue, slot_count: int, suspend_after: float | None) -> None:
        """`suspend_after` is in seconds; None keeps idle attempts for as long as there is room."""
        self._queue: Final = queue
        self._slot_count: Final = slot_count
        self._suspend_after = suspend_after
        self._loop: Final = asyncio.get_running_loop()
        self._kept: Final[dict[str, RunningAttempt]] = {}
        """By invocation id, the longest idle first."""
        self._suspending: Final[set[str]] = set()
        """The invocations for which a Suspend was sent: their slots are as good as free."""

    def add(self, running: RunningAttempt) -> None:
        """Keeps an attempt that has become idle, and suspends it when its time is up."""
        after = self._suspend_after
        if after is not None and after <= 0:
            self.suspend(running)
            return
        self._kept[running.invocation_id] = running
        if after is not None:
            running.timer = self._loop.call_later(after, self.suspend, running)

    def remove(self, running: RunningAttempt) -> None:
        """Removes an attempt that is no longer idle, or no longer held; cancels its timer."""
        self._kept.pop(running.invocation_id, None)
        self._suspending.discard(running.invocation_id)
        if running.timer is not None:
            running.timer.cancel()
            running.timer = None

    def suspend(self, running: RunningAttempt) -> None:
        """Asks the control plane to suspend an attempt; again after a while if it does not answer."""
        self.remove(running)
        self._suspending.add(running.invocation_id)
        running.timer = self._loop.call_later(SUSPEND_AGAIN_SECONDS, self._suspend_again, running)
        number = running.attempt.last_completion
        if running.suspend_sent == number:
            return
        running.suspend_sent = number
        message = worker_pb2.WorkerMessage(
            invocation_id=running.invocation_id, attempt=running.number
        )
        message.suspend.completion_number = number
        self._queue.put(message)

    def make_room(self, held: int) -> None:
        """Suspends those that have been idle longest if `held` attempts take every slot."""
        if held - len(self._suspending) < self._slot_count:
            return
        count = max(1, self._slot_count // _FREED_SHARE)
        for running in list(islice(self._kept.values(), count)):
            self.suspend(running)

    def suspend_at_once(self) -> None:
        """Suspends every attempt that becomes idle from now on without waiting."""
        self._suspend_after = 0.0

    def _suspend_again(self, running: RunningAttempt) -> None:
        running.suspend_sent = -1
        self.suspend(running)
