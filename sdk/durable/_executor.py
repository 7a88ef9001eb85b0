"""The worker's desk: the attempts that it holds, and the steps that run for them.

Theory. The desk stands between the session, which moves frames, and the engine, which replays
programs. It is told what the server said and what became of a step; it hands that to the attempt in
question, then takes what the attempt wants: messages go to `outbound`, steps are started.
It survives sessions: while there is none, attempts and steps go on and `outbound` fills.

Rules.
- Attempts are entered only from plain callbacks of the loop, never from inside a task: the engine
  steps tasks of its own, and an event loop knows one current task at a time. Async steps are tasks
  of the real loop; their ends come here through done callbacks.
- A message counts only for the (invocation, attempt) that is held; all else is left over from a
  reconnect and is dropped.
- What has no ack, an attempt's last words, is kept for a while and said again after a reconnect,
  see `_finals`; so are all entries that were not acknowledged.
- When an attempt is over its steps are cancelled. A thread cannot be; its result is ignored.
- In a drain no step begins any more. An attempt that wants one is given back once those that run for it
  have ended, and goes on elsewhere.
- While a step runs, an attempt is neither suspended nor paused, even if nobody wants the step's
  result any more: it goes on, and what it makes is journaled.
- What the caller is not told is logged, see `_warnings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final

from durable_proto.v1 import worker_pb2

from . import _warnings
from ._asking import Environment, StepTask, too_large
from ._failures import internal_failure
from ._finals import LastWords
from ._replay import Attempt
from ._resting import Resting
from ._slots import Slot
from ._statistics import Counters
from ._steps import Ended, StepThreads, run_async, run_blocking, too_slow
from ._tracing import Tracing
from ._workflow import Workflow

SUSPEND_AGAIN_SECONDS: Final = 30.0
"""How long a Suspend may stay without effect before it is sent again."""


class Desk:
    """The attempts that a worker holds, and their steps."""

    def __init__(
        self,
        workflows: Mapping[str, Workflow[..., Any]],
        environment: Environment,
        tracing: Tracing | None = None,
        *,
        suspend_after: float | None,
        size: int,
        threads: int,
    ) -> None:
        self.outbound: list[worker_pb2.WorkerMessage] = []
        """What to send, in order. The session takes it."""
        self.wake: Callable[[], None] = _nothing
        """Called when `outbound` is no longer empty. The session sets it."""
        self.counters: Final = Counters()
        self.draining = False
        self._workflows: Final = workflows
        self._environment = environment
        self._tracing: Final = tracing
        self._suspend_after = suspend_after
        self._slots: Final[dict[str, Slot]] = {}
        self._resting: Final = Resting(size)
        self._last_words: Final = LastWords()
        self._tasks: Final[set[asyncio.Task[Ended]]] = set()
        self._threads: Final = StepThreads(threads)
        self._loop: Final = asyncio.get_running_loop()
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def step_count(self) -> int:
        """How many steps run now."""
        # Of a list: another thread may ask.
        return sum(len(slot.steps) for slot in list(self._slots.values()))

    @property
    def quiet(self) -> bool:
        """Whether no step runs and nothing waits to be sent."""
        return not self.outbound and not any(slot.steps for slot in self._slots.values())

    # What the server says

    def limited(self, payload_bytes_max: int) -> None:
        """Notes the control plane's limit `payload_bytes`, for attempts that begin from now on."""
        self._environment = self._environment._replace(payload_bytes_max=payload_bytes_max)

    def start(self, message: worker_pb2.ServerMessage) -> None:
        """Begins an attempt."""
        invocation_id, number = message.invocation_id, message.attempt
        held = self._slots.get(invocation_id)
        if held is not None:
            if held.number >= number:
                return
            self._drop(held)
        start = message.start
        workflow = self._workflows.get(start.handler)
        if workflow is None or self.draining:
            if workflow is None:
                _warnings.unserved(message)
            self._release(invocation_id, number)
            return
        self.counters.started += 1
        attempt = Attempt(workflow, invocation_id, number, start, self._environment)
        trace = None if self._tracing is None else self._tracing.attempt(message)
        slot = self._slots[invocation_id] = Slot(invocation_id, number, attempt, trace)
        self._empty.clear()
        self._input(slot, attempt.begin)
        self._make_room()

    def ack(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers an Ack."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self._input(slot, slot.attempt.on_ack, message.ack)

    def completion(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers a Completion."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self._input(slot, slot.attempt.on_completion, message.completion)

    def cancel_requested(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers a request to end."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self._input(slot, slot.attempt.on_cancel, message.cancel_requested)

    def pause_requested(self, message: worker_pb2.ServerMessage) -> None:
        """Stops an attempt at its next boundary."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self._input(slot, slot.attempt.on_pause)

    def suspended(self, message: worker_pb2.ServerMessage) -> None:
        """Lets go of an attempt that only waits."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self.counters.suspended += 1
            self._drop(slot, "suspended")

    def abandon(self, message: worker_pb2.ServerMessage) -> None:
        """Lets go of an attempt that is not ours any more."""
        slot = self._slots.get(message.invocation_id)
        if slot is not None and slot.number == message.attempt:
            self.counters.abandoned += 1
            _warnings.taken_away(slot, message.abandon.reason)
            self._drop(slot)

    def forget(self, invocation_id: str, number: int) -> None:
        """Lets go of an attempt whose end was sent without it."""
        slot = self._slots.get(invocation_id)
        if slot is not None and slot.number == number:
            self._drop(slot)

    # What the attempt wants

    def _input(self, slot: Slot, enter: Callable[..., None], *what: Any) -> None:
        """Gives an attempt an input and takes what it wants then."""
        began = time.perf_counter()
        try:
            enter(*what)
            self._take(slot)
        except Exception as error:  # noqa: BLE001  # a defect of ours must not end the worker
            self._broken(slot, error)
        _warnings.held_up(slot, time.perf_counter() - began)

    def _take(self, slot: Slot) -> None:
        """Takes what an attempt wants after an input."""
        attempt = slot.attempt
        outbox = attempt.outbox
        if outbox:
            if attempt.done:
                self._keep_final(slot, outbox[-1])
            self.outbound += outbox
            outbox.clear()
            self.wake()
        if attempt.done:
            self._drop(slot)
            return
        tasks = attempt.tasks
        if tasks and not self.draining:
            for task in tasks:
                self._start_step(slot, task)
            tasks.clear()
        self._disarm(slot)
        if slot.steps:
            return
        if tasks:
            self._hand_over(slot)
        elif attempt.frozen and attempt.settled:
            self._pause(slot)
        elif attempt.waiting:
            self._arm(slot)
            self._make_room()

    def _pause(self, slot: Slot) -> None:
        """Says that an attempt has stopped, and lets go of it."""
        self.counters.paused += 1
        message = worker_pb2.WorkerMessage(invocation_id=slot.invocation_id, attempt=slot.number)
        message.paused.SetInParent()
        self.outbound.append(message)
        self._drop(slot, "paused")
        self.wake()

    def _start_step(self, slot: Slot, task: StepTask) -> None:
        index = task.index
        loop = self._loop
        context = slot.begin(task)
        if task.blocking:
            if context is None:
                future = self._threads.submit(run_blocking, task)
            else:
                future = self._threads.submit(context.run, run_blocking, task)
            slot.steps[index] = future

            def over(ended: Future[Ended]) -> None:
                # The loop may be closed when a thread ends late.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._step_over, slot, task, ended)

            future.add_done_callback(over)
            if task.timeout is not None:
                slot.deadlines[index] = loop.call_later(
                    task.timeout, self._too_slow, slot, task, future
                )
        else:
            running = loop.create_task(run_async(task), context=context)
            slot.steps[index] = running
            self._tasks.add(running)

            def ended(step: asyncio.Task[Ended]) -> None:
                self._tasks.discard(step)
                self._step_over(slot, task, step)

            running.add_done_callback(ended)

    def _too_slow(self, slot: Slot, task: StepTask, step: Future[Ended]) -> None:
        """Gives up a sync step whose time is up; its thread goes on, and nobody hears of it."""
        if slot.steps.get(task.index) is step:
            late: Future[Ended] = Future()
            late.set_result(Ended(None, too_slow(task)))
            slot.steps[task.index] = late
            self._step_over(slot, task, late)

    def _step_over(
        self, slot: Slot, task: StepTask, step: asyncio.Task[Ended] | Future[Ended]
    ) -> None:
        index = task.index
        if slot.steps.get(index) is not step:
            return
        slot.over(index)
        attempt = slot.attempt
        if attempt.done or step.cancelled():
            return
        ended = step.result()
        rest = ended.rest
        if rest is not None:
            self._start_step(slot, replace(task, body=lambda: rest, blocking=False))
            return
        value, error = ended.value, ended.error
        self.counters.steps_run += 1
        limit = self._environment.payload_bytes_max
        if value is not None and len(value.data) > limit:
            what = f"the value of step {index} of {slot.invocation_id}"
            error = too_large(what, len(value.data), limit)
            value = None
        if error is not None:
            self.counters.steps_failed += 1
        elapsed = slot.end(index, error)
        self.counters.step_seconds += elapsed
        self._input(slot, attempt.on_step, index, value, error, elapsed)

    def _drop(self, slot: Slot, outcome: str = "abandoned") -> None:
        """Forgets an attempt and stops what runs for it.

        `outcome` is for the trace, unless the attempt has said how it ended.
        """
        if self._slots.get(slot.invocation_id) is slot:
            del self._slots[slot.invocation_id]
        self._disarm(slot)
        if not slot.attempt.done:
            slot.attempt.abandon()
        slot.let_go(outcome)
        if not self._slots:
            self._empty.set()

    def _hand_over(self, slot: Slot) -> None:
        """Gives an attempt whose next step is not to begin here to another worker.

        What it has recorded may still be on its way, and is said again with this after a reconnect.
        """
        unacknowledged = slot.attempt.unacknowledged()
        self._drop(slot, "released")
        self._release(slot.invocation_id, slot.number)
        self._last_words.keep(self._loop.time(), [*unacknowledged, self.outbound[-1]])

    def _release(self, invocation_id: str, number: int) -> None:
        self.counters.released += 1
        message = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=number)
        message.released.SetInParent()
        self.outbound.append(message)
        self.wake()

    def _broken(self, slot: Slot, error: Exception) -> None:
        """Ends an attempt in which the engine itself has failed: it is tried again later."""
        _warnings.broken(slot, error)
        message = worker_pb2.WorkerMessage(invocation_id=slot.invocation_id, attempt=slot.number)
        message.attempt_failed.failure.CopyFrom(internal_failure(error))
        self._keep_final(slot, message)
        self.outbound.append(message)
        self._drop(slot)
        self.wake()

    # Suspension

    def _arm(self, slot: Slot) -> None:
        """Sees to it that an attempt which only waits is suspended in time."""
        after = 0.0 if self.draining else self._suspend_after
        if after is not None and after <= 0:
            self._suspend(slot)
            return
        self._resting.keep(slot.invocation_id)
        if after is not None:
            slot.timer = self._loop.call_later(after, self._suspend, slot)

    def _disarm(self, slot: Slot) -> None:
        self._resting.discard(slot.invocation_id)
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None

    def _make_room(self) -> None:
        for invocation_id in self._resting.surplus(len(self._slots)):
            self._suspend(self._slots[invocation_id])

    def _suspend(self, slot: Slot) -> None:
        self._disarm(slot)
        self._resting.leave(slot.invocation_id)
        slot.timer = self._loop.call_later(SUSPEND_AGAIN_SECONDS, self._suspend_again, slot)
        number = slot.attempt.last_completion
        if slot.suspend_number == number:
            return
        slot.suspend_number = number
        message = worker_pb2.WorkerMessage(invocation_id=slot.invocation_id, attempt=slot.number)
        message.suspend.completion_number = number
        self.outbound.append(message)
        self.wake()

    def _suspend_again(self, slot: Slot) -> None:
        slot.suspend_number = -1
        self._suspend(slot)

    # Sessions come and go

    def _keep_final(self, slot: Slot, final: worker_pb2.WorkerMessage) -> None:
        """Keeps an attempt's last words, and the entries that they may need to make sense."""
        kind = final.WhichOneof("message")
        counters = self.counters
        if kind == "finished":
            counters.finished += 1
            _warnings.unawaited(slot)
        elif kind == "attempt_failed":
            counters.attempts_failed += 1
            _warnings.failed(slot, "failed", final.attempt_failed.failure)
        elif kind == "held":
            counters.held += 1
            _warnings.failed(slot, "is held", final.held.failure)
        if slot.trace is not None:
            slot.trace.end(final)
        self._last_words.keep(self._loop.time(), [*slot.attempt.unacknowledged(), final])

    def resume(self, since: float) -> list[worker_pb2.OwnedAttempt]:
        """Lists what is held, for the hello of a new session.

        `since` is the loop's time before which last words can be taken to have arrived.
        """
        self._last_words.forget_before(since)
        owned = {(it.invocation_id, it.number): None for it in self._last_words}
        owned.update({(slot.invocation_id, slot.number): None for slot in self._slots.values()})
        return [worker_pb2.OwnedAttempt(invocation_id=it[0], attempt=it[1]) for it in owned]

    def connected(self) -> None:
        """Says again, on a new session, what the control plane may not know."""
        outbound = self.outbound
        outbound.clear()
        for farewell in self._last_words:
            outbound += farewell.messages
        for slot in self._slots.values():
            outbound += slot.attempt.unacknowledged()
            slot.suspend_number = -1
            self._disarm(slot)
            if slot.waiting:
                self._arm(slot)
        self._make_room()

    # The end

    def drain(self) -> None:
        """Begins nothing more: what only waits is suspended, what wants a step is given back.

        Steps that run may end; those that still wait for a thread do not begin.
        """
        self.draining = True
        message = worker_pb2.WorkerMessage()
        message.draining.SetInParent()
        self.outbound.append(message)
        for slot in list(self._slots.values()):
            if slot.waiting:
                self._suspend(slot)
                continue
            begun = len(slot.steps)
            for index, step in list(slot.steps.items()):
                # A future of a thread can be cancelled only before it begins.
                if isinstance(step, Future) and step.cancel():
                    slot.over(index)
            if begun and not slot.steps:
                self._hand_over(slot)
        self.wake()

    async def empty(self) -> None:
        """Returns when no attempt is held."""
        await self._empty.wait()

    def release_all(self) -> None:
        """Gives back all attempts."""
        for slot in list(self._slots.values()):
            self._drop(slot, "released")
            self._release(slot.invocation_id, slot.number)

    def drop_all(self) -> None:
        """Forgets all attempts and what waits to be sent; says nothing."""
        for slot in list(self._slots.values()):
            self._drop(slot)
        self.outbound.clear()

    async def close(self) -> None:
        """Stops everything that runs; says nothing."""
        self.drop_all()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._threads.close()


def _nothing() -> None:
    pass
