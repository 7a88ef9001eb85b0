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
- When an attempt is over its steps are given up: an async one is cancelled, a sync one that has not
  begun never begins. A thread cannot be stopped; its result is ignored.
- A step's time counts from when its body begins. How long it may wait for a thread is another limit:
  at that one it has not begun, so it has not failed, and the attempt is given back (`_waiting`).
- An attempt that is leaving begins no step any more. What of it runs comes to its end and is
  journaled; then the attempt is given back, and goes on elsewhere. That is so when the worker
  drains, when a pause is asked for, and when a step has waited for a thread too long.
- While a step runs, an attempt is neither suspended nor paused, even if nobody wants the step's
  result any more: it goes on, and what it makes is journaled.
- What the caller is not told is logged, see `_warnings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from durable_proto.v1 import worker_pb2

from .._definitions.workflow import Workflow
from .._engine.attempt import Attempt
from .._engine.failures import internal_failure
from .._engine.limits import too_large
from .._engine.steps import Environment, StepTask
from .._tracing.tracing import Tracing
from . import warnings
from .blocking import LoopMonitor
from .idle_attempts import Resting
from .resend_buffer import LastWords
from .slots import Slot, Step
from .statistics import Counters
from .steps import Ended, discard, run_async, too_slow
from .threads import Job, Stage, StepThreads
from .waiting import ThreadWatch

ENDING_SECONDS_MAX: Final = 10.0
"""How long an attempt that has failed waits for its other steps, whose results the next one can use.
One that takes longer runs again: a step that hangs must not keep the failure to itself."""
SUSPEND_AGAIN_SECONDS: Final = 30.0
"""How long a Suspend may stay without effect before it is sent again."""
UNDO_WAIT_SECONDS_MAX: Final = 60.0
"""How long what undoes waits for a sync step without a timeout that was given up."""
CANCEL_SECONDS_MAX: Final = 5.0
"""How long an async step may take to end once it is cancelled, to tidy up; then it is given up."""


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
        stuck_threads: int,
        thread_wait: float,
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
        self._tasks: Final[dict[asyncio.Task[Ended], tuple[Slot, Step]]] = {}
        """Every async step that has not ended, also those that were given up."""
        self._loop: Final = asyncio.get_running_loop()
        self._threads: Final = StepThreads(
            threads,
            stuck_threads,
            begun=partial(self._from_thread, self._job_begun),
            over=partial(self._from_thread, self._job_over),
        )
        self._watch: Final = ThreadWatch(
            self._loop, self._threads, thread_wait, self._waited_too_long
        )
        self._entered: Slot | None = None
        """Whose code runs now; another thread may ask."""
        self._monitor: Final = LoopMonitor(lambda: bool(self._slots), self._blocked)
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def step_count(self) -> int:
        """How many steps run now."""
        # Of a list: another thread may ask.
        steps = sum(len(slot.steps) for slot in list(self._slots.values()))
        return max(0, steps - self._threads.waiting)

    @property
    def steps_waiting(self) -> int:
        """How many sync steps wait for a thread now."""
        return self._threads.waiting

    @property
    def threads_stuck(self) -> int:
        """How many threads run a step that was given up."""
        return self._threads.stuck

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
                warnings.unserved(message)
            self._release(invocation_id, number)
            return
        self.counters.started += 1
        attempt = Attempt(workflow, invocation_id, number, start, self._environment)
        trace = None if self._tracing is None else self._tracing.attempt(message)
        slot = self._slots[invocation_id] = Slot(invocation_id, number, attempt, trace)
        self._empty.clear()
        self._monitor.wake()
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
            warnings.taken_away(slot, message.abandon.reason)
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
        self._entered = slot
        try:
            enter(*what)
            self._take(slot)
        except Exception as error:  # noqa: BLE001  # a defect of ours must not end the worker
            self._broken(slot, error)
        finally:
            self._entered = None
        warnings.held_up(slot, time.perf_counter() - began)

    def _blocked(self, seconds: float, place: str) -> None:
        """Warns of what holds up the loop now; called by the monitor's thread."""
        entered = self._entered
        if entered is not None:
            warnings.holds_up(entered, seconds, place)
            return
        task = asyncio.current_task(self._loop)
        found = None if task is None else self._tasks.get(task)
        if found is not None:
            slot, step = found
            warnings.step_holds_up(slot, step.task.index, seconds, place)
            return
        warnings.loop_held_up(seconds, place)

    def _take(self, slot: Slot) -> None:
        """Takes what an attempt wants after an input."""
        attempt = slot.attempt
        if attempt.unwanted:
            self._withdraw_unwanted(slot)
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
        if tasks:
            if self.draining:
                slot.leaving = True
            if not slot.leaving:
                for task in tasks:
                    self._start_step(slot, task)
            tasks.clear()
        self._disarm(slot)
        if attempt.holding_back:
            self._bound_unwanted(slot)
        if attempt.ending is not None:
            self._end_soon(slot)
            return
        if attempt.frozen and slot.steps:
            self._withdraw(slot)
        if slot.steps:
            return
        if slot.leaving:
            self._leave(slot)
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

    # Steps

    def _start_step(self, slot: Slot, task: StepTask) -> None:
        step = slot.begin(task)
        if task.blocking:
            handler = slot.attempt.start.handler
            job = step.run = Job(task, slot.invocation_id, slot.number, handler)
            if not self._threads.submit(job):
                self._watch.begin()
        else:
            self._run_here(slot, step, task.body)

    def _run_here(self, slot: Slot, step: Step, body: Callable[[], Any]) -> None:
        """Runs an async step, or the awaitable that a sync one has returned, on the loop."""
        run = self._loop.create_task(run_async(step, body), context=step.task.variables)
        step.run = run
        self._tasks[run] = (slot, step)
        run.add_done_callback(partial(self._task_over, slot, step))
        if step.task.timeout is not None and step.deadline is None:
            self._set_deadline(slot, step, step.task.timeout - step.seconds)

    def _from_thread(self, tell: Callable[[Job], None], job: Job) -> None:
        # The loop may be closed when a thread ends late.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(tell, job)

    def _step_of(self, job: Job) -> tuple[Slot, Step] | None:
        """Returns the step that a job runs, if anybody still wants it."""
        slot = self._slots.get(job.invocation_id)
        step = None if slot is None else slot.steps.get(job.index)
        return None if slot is None or step is None or step.run is not job else (slot, step)

    def _job_begun(self, job: Job) -> None:
        found = self._step_of(job)
        if found is not None and found[1].deadline is None:
            slot, step = found
            timeout = step.task.timeout
            assert timeout is not None
            step.began = job.began
            self._set_deadline(slot, step, timeout - step.seconds)

    def _job_over(self, job: Job) -> None:
        ended = job.outcome
        assert ended is not None
        found = self._step_of(job)
        if found is None:
            discard(ended)
            return
        slot, step = found
        step.began = job.began
        rest = ended.rest
        if rest is not None:
            self._run_here(slot, step, partial(_same, rest))
        else:
            self._step_over(slot, step, ended, job.ended - job.began)

    def _task_over(self, slot: Slot, step: Step, run: asyncio.Task[Ended]) -> None:
        self._tasks.pop(run, None)
        cancelled = asyncio.CancelledError("the step's task was cancelled from outside")
        ended = Ended(None, cancelled) if run.cancelled() else run.result()
        if slot.steps.get(step.task.index) is not step:
            warnings.ended_late(slot, step, ended.error)
            return
        if step.timed_out and isinstance(ended.error, asyncio.CancelledError):
            ended = Ended(None, too_slow(step.task))
        self._step_over(slot, step, ended, step.seconds)

    def _step_over(self, slot: Slot, step: Step, ended: Ended, elapsed: float) -> None:
        """Hands the end of a step to its attempt; `elapsed` is how long its body took."""
        index = step.task.index
        value, error = ended.value, ended.error
        self.counters.steps_run += 1
        limit = self._environment.payload_bytes_max
        if value is not None and len(value.data) > limit:
            what = f"the value of step {index} of {slot.invocation_id}"
            error = too_large(what, len(value.data), limit)
            value = None
        if error is not None:
            self.counters.steps_failed += 1
        slot.end(step, error)
        self.counters.step_seconds += elapsed
        self._input(slot, slot.attempt.on_step, index, value, error, elapsed)

    def _set_deadline(self, slot: Slot, step: Step, seconds: float) -> None:
        step.deadline = self._loop.call_later(max(0.0, seconds), self._too_slow, slot, step)

    def _too_slow(self, slot: Slot, step: Step) -> None:
        """Gives up a step whose time is up."""
        if slot.steps.get(step.task.index) is not step:
            return
        step.deadline = None
        run, timeout = step.run, step.task.timeout
        assert run is not None
        assert timeout is not None
        if isinstance(run, Job):
            # When it has just ended, that is on its way here, and counts.
            if self._threads.give_up(run) is Stage.RUNNING:
                warnings.goes_on(slot, step, self._threads.stuck)
                self._step_over(slot, step, Ended(None, too_slow(step.task)), step.seconds)
        elif not step.timed_out:
            left = timeout - step.seconds
            if left > 0.001:  # it has begun later than it was asked for
                self._set_deadline(slot, step, left)
                return
            step.timed_out = True
            run.cancel()
            self._set_deadline(slot, step, CANCEL_SECONDS_MAX)
        elif not run.done():
            warnings.not_cancelled(slot, step, CANCEL_SECONDS_MAX)
            self._step_over(slot, step, Ended(None, too_slow(step.task)), step.seconds)

    def _bound_unwanted(self, slot: Slot) -> None:
        """Sees to it that what undoes does not wait for ever for steps that were given up."""
        for index in slot.attempt.unwanted:
            step = slot.steps.get(index)
            if step is None or step.hurried:
                continue
            step.hurried = True
            seconds = UNDO_WAIT_SECONDS_MAX
            if isinstance(step.run, asyncio.Task):
                step.run.cancel()
                seconds = CANCEL_SECONDS_MAX
            elif step.deadline is not None:
                continue
            if step.deadline is not None:
                step.deadline.cancel()
            step.deadline = self._loop.call_later(seconds, self._wait_no_longer, slot, step)

    def _wait_no_longer(self, slot: Slot, step: Step) -> None:
        """Lets what undoes begin, although a step that was given up still runs."""
        if slot.steps.get(step.task.index) is not step:
            return
        step.deadline = None
        if isinstance(step.run, Job):
            self._threads.give_up(step.run)
        warnings.abandoned(slot, step)
        self._step_over(slot, step, Ended(None, TimeoutError("it was given up")), step.seconds)

    def _stop(self, slot: Slot, step: Step) -> None:
        """Gives up a step whose attempt is over."""
        if step.deadline is not None:
            step.deadline.cancel()
        run = step.run
        if isinstance(run, Job):
            step.began = run.began
            if self._threads.give_up(run) is Stage.RUNNING:
                warnings.abandoned(slot, step)
        elif run is not None:
            run.cancel()

    # Steps that do not begin

    def _withdraw_unwanted(self, slot: Slot) -> None:
        """Takes back what the program has given up before it began."""
        for index in tuple(slot.attempt.unwanted):
            step = slot.steps.get(index)
            if step is not None and isinstance(step.run, Job) and self._threads.withdraw(step.run):
                slot.forget(step)
                slot.attempt.on_withdrawn(index)

    def _end_soon(self, slot: Slot) -> None:
        """Begins no step of an attempt any more, which ends when none runs."""
        attempt = slot.attempt
        for step in list(slot.steps.values()):
            if isinstance(step.run, Job) and self._threads.withdraw(step.run):
                slot.forget(step)
                attempt.on_withdrawn(step.task.index)
        if not slot.steps:
            attempt.end_now()
        if attempt.done:
            self._take(slot)
        elif slot.timer is None:
            slot.timer = self._loop.call_later(
                ENDING_SECONDS_MAX, self._input, slot, attempt.end_now
            )

    def _withdraw(self, slot: Slot) -> None:
        """Takes back what has not begun, if anything: then the attempt cannot go on here."""
        for step in list(slot.steps.values()):
            if isinstance(step.run, Job) and self._threads.withdraw(step.run):
                slot.forget(step)
                slot.leaving = True

    def _leave(self, slot: Slot) -> None:
        """Gives an attempt back that begins no step any more, once none of it runs."""
        if slot.steps:
            return
        if not slot.attempt.frozen:
            self._hand_over(slot)
        elif slot.attempt.acknowledged:
            self._pause(slot)

    def _hand_over(self, slot: Slot) -> None:
        """Gives an attempt to another worker.

        What it has recorded may still be on its way, and is said again with this after a reconnect.
        """
        unacknowledged = slot.attempt.unacknowledged()
        self._drop(slot, "released")
        self._release(slot.invocation_id, slot.number)
        self._last_words.keep(self._loop.time(), [*unacknowledged, self.outbound[-1]])

    def _waited_too_long(self, jobs: list[Job]) -> None:
        """Gives back the attempts of jobs that have waited for a thread as long as they may."""
        for job in jobs:
            found = self._step_of(job)
            if found is not None:
                slot = found[0]
                self._withdraw(slot)
                if slot.leaving:
                    self._leave(slot)

    def _drop(self, slot: Slot, outcome: str = "abandoned") -> None:
        """Forgets an attempt and stops what runs for it.

        `outcome` is for the trace, unless the attempt has said how it ended.
        """
        if self._slots.get(slot.invocation_id) is slot:
            del self._slots[slot.invocation_id]
        self._disarm(slot)
        if not slot.attempt.done:
            slot.attempt.abandon()
        for step in slot.steps.values():
            self._stop(slot, step)
        if slot.attempt.stubborn:
            warnings.stubborn(slot)
        slot.let_go(outcome)
        if not self._slots:
            self._empty.set()

    def _release(self, invocation_id: str, number: int) -> None:
        self.counters.released += 1
        message = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=number)
        message.released.SetInParent()
        self.outbound.append(message)
        self.wake()

    def _broken(self, slot: Slot, error: Exception) -> None:
        """Ends an attempt in which the engine itself has failed: it is tried again later."""
        warnings.broken(slot, error)
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
            warnings.forgotten(slot)
        elif kind == "attempt_failed":
            counters.attempts_failed += 1
            warnings.failed(slot, "failed", final.attempt_failed.failure)
        elif kind == "held":
            counters.held += 1
            warnings.failed(slot, "is held", final.held.failure)
            warnings.forgotten(slot)
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
            self._withdraw(slot)
            if slot.leaving:
                self._leave(slot)
            elif slot.waiting:
                self._suspend(slot)
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
        self._watch.close()
        self._threads.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS_MAX)
        for task, (slot, step) in self._tasks.items():
            if task.done():
                continue
            warnings.does_not_end(slot, step)
            # Whoever ends the event loop would wait for it, and it does not end.
            asyncio._unregister_task(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own flag
        self._monitor.close()


def _nothing() -> None:
    pass


def _same(rest: Awaitable[Any]) -> Awaitable[Any]:
    return rest
