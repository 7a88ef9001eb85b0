"""The step runner: runs the steps of all attempts, in threads and as tasks, and gives them up.

An async step is a task of the worker's event loop. A sync step waits for a thread of the pool
(`step_threads`); if its function returns an awaitable, that goes on as a task. The end of a step is
reported to `on_end` from a plain callback of the loop, never from inside a task, because the replay
engine steps tasks of its own and an event loop knows only one current task at a time.

Rules.
- The timeout of a step counts from the begin of its body. The time for which it waits for a thread has
  a limit of its own (`thread_wait`): a step that reaches it has not begun, so it has not failed.
- A step that waits for a thread can be withdrawn, and then it never begins.
- A step that runs can only be given up: an async one is cancelled, and nothing can stop a thread. What
  it returns after that is ignored, and logged.
- Compensations wait for steps that the program has discarded, within a bound (`time_bounds`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from .._engine.steps import StepTask
from . import log_messages, time_bounds
from .running_attempt import RunningAttempt, RunningStep
from .step_body import StepOutcome, discard, run_async, timeout_error
from .step_threads import Job, Stage, StepThreads
from .thread_wait import ThreadWaitMonitor

OnEnd: TypeAlias = Callable[[RunningAttempt, RunningStep, StepOutcome, float], None]


class StepRunner:
    """Runs the steps of `attempts`, which are those that the worker holds, by invocation id.

    `on_end` gets a step that has ended or timed out, its outcome, and the seconds that its body took.
    `on_thread_wait` gets an attempt one of whose steps has waited for a thread for `thread_wait`
    seconds.
    """

    def __init__(
        self,
        attempts: Mapping[str, RunningAttempt],
        *,
        threads: int,
        stuck_threads: int,
        thread_wait: float,
        on_end: OnEnd,
        on_thread_wait: Callable[[RunningAttempt], None],
    ) -> None:
        self._attempts: Final = attempts
        self._on_end: Final = on_end
        self._on_thread_wait: Final = on_thread_wait
        self._loop: Final = asyncio.get_running_loop()
        self._tasks: Final[dict[asyncio.Task[StepOutcome], tuple[RunningAttempt, RunningStep]]] = {}
        """Every async step that has not ended, also those that were given up."""
        self._threads: Final = StepThreads(
            threads,
            stuck_threads,
            on_begin=partial(self._from_thread, self._job_began),
            on_end=partial(self._from_thread, self._job_ended),
        )
        self._wait_monitor: Final = ThreadWaitMonitor(
            self._loop, self._threads, thread_wait, self._waited_too_long
        )

    @property
    def waiting(self) -> int:
        """How many sync steps wait for a thread now."""
        return self._threads.waiting

    @property
    def stuck(self) -> int:
        """How many threads run a step that was given up."""
        return self._threads.stuck

    def find(self, task: asyncio.Task[Any]) -> tuple[RunningAttempt, RunningStep] | None:
        """Returns the attempt and the step that a task of the event loop runs, if it runs one."""
        return self._tasks.get(task)

    def start(self, running: RunningAttempt, task: StepTask) -> None:
        """Runs a step that an attempt has requested."""
        step = running.add_step(task)
        if task.blocking:
            handler = running.attempt.start.handler
            job = step.run = Job(task, running.invocation_id, running.number, handler)
            if not self._threads.submit(job):
                self._wait_monitor.begin()
        else:
            self._run_on_loop(running, step, task.body)

    # Steps that have not begun

    def withdraw(self, running: RunningAttempt, step: RunningStep) -> bool:
        """Takes back a step that still waits for a thread; returns whether it did."""
        run = step.run
        if isinstance(run, Job) and self._threads.withdraw(run):
            running.discard_step(step)
            return True
        return False

    def withdraw_all(self, running: RunningAttempt) -> list[int]:
        """Takes back all steps of an attempt that still wait for a thread; returns their indexes."""
        steps = list(running.steps.values())
        return [step.task.index for step in steps if self.withdraw(running, step)]

    # Steps that are given up

    def abandon(self, running: RunningAttempt) -> None:
        """Gives up all steps of an attempt that is over. Their ends are not reported."""
        for step in running.steps.values():
            if step.timer is not None:
                step.timer.cancel()
            run = step.run
            if isinstance(run, Job):
                step.began = run.began
                if self._threads.give_up(run) is Stage.RUNNING:
                    log_messages.thread_outlives_attempt(running, step)
            elif run is not None:
                run.cancel()

    def bound_discarded(self, running: RunningAttempt) -> None:
        """Bounds how long compensations wait for the steps that the program has discarded."""
        for index in running.attempt.discarded:
            step = running.steps.get(index)
            if step is None or step.wait_bounded:
                continue
            step.wait_bounded = True
            seconds = time_bounds.UNDO_WAIT_SECONDS_MAX
            if isinstance(step.run, asyncio.Task):
                step.run.cancel()
                seconds = time_bounds.CANCEL_SECONDS_MAX
            elif step.timer is not None:
                continue  # its own timeout is the bound
            if step.timer is not None:
                step.timer.cancel()
            step.timer = self._loop.call_later(seconds, self._wait_no_longer, running, step)

    def _wait_no_longer(self, running: RunningAttempt, step: RunningStep) -> None:
        """Reports the end of a discarded step that still runs, so that compensations begin."""
        if running.steps.get(step.task.index) is not step:
            return
        step.timer = None
        if isinstance(step.run, Job):
            self._threads.give_up(step.run)
        log_messages.undone_while_it_runs(running, step)
        error = TimeoutError("it was given up")
        self._on_end(running, step, StepOutcome(None, error), step.seconds)

    def _set_timeout(self, running: RunningAttempt, step: RunningStep, seconds: float) -> None:
        step.timer = self._loop.call_later(max(0.0, seconds), self._time_out, running, step)

    def _time_out(self, running: RunningAttempt, step: RunningStep) -> None:
        """Gives up a step that has exceeded its timeout; an async one is first cancelled."""
        if running.steps.get(step.task.index) is not step:
            return
        step.timer = None
        run, timeout = step.run, step.task.timeout
        assert run is not None
        assert timeout is not None
        if isinstance(run, Job):
            # If the thread has just ended the step, its outcome is on the way here, and counts.
            if self._threads.give_up(run) is Stage.RUNNING:
                log_messages.thread_outlives_timeout(running, step, self._threads.stuck)
                self._end_timed_out(running, step)
        elif not step.timed_out:
            left = timeout - step.seconds
            if left > 0.001:  # the body began later than the timer
                self._set_timeout(running, step, left)
                return
            step.timed_out = True
            run.cancel()
            self._set_timeout(running, step, time_bounds.CANCEL_SECONDS_MAX)
        elif not run.done():
            log_messages.step_ignores_cancellation(running, step, time_bounds.CANCEL_SECONDS_MAX)
            self._end_timed_out(running, step)

    def _end_timed_out(self, running: RunningAttempt, step: RunningStep) -> None:
        outcome = StepOutcome(None, timeout_error(step.task))
        self._on_end(running, step, outcome, step.seconds)

    # Tasks

    def _run_on_loop(
        self, running: RunningAttempt, step: RunningStep, body: Callable[[], Any]
    ) -> None:
        run = self._loop.create_task(run_async(step, body), context=step.task.variables)
        step.run = run
        self._tasks[run] = (running, step)
        run.add_done_callback(partial(self._task_ended, running, step))
        if step.task.timeout is not None and step.timer is None:
            self._set_timeout(running, step, step.task.timeout - step.seconds)

    def _task_ended(
        self, running: RunningAttempt, step: RunningStep, run: asyncio.Task[StepOutcome]
    ) -> None:
        self._tasks.pop(run, None)
        cancelled = asyncio.CancelledError("the step's task was cancelled from outside")
        outcome = StepOutcome(None, cancelled) if run.cancelled() else run.result()
        if running.steps.get(step.task.index) is not step:
            log_messages.unused_step_ended(running, step, outcome.error)
            return
        if step.timed_out and isinstance(outcome.error, asyncio.CancelledError):
            outcome = StepOutcome(None, timeout_error(step.task))
        self._on_end(running, step, outcome, step.seconds)

    # Threads

    def _from_thread(self, report: Callable[[Job], None], job: Job) -> None:
        # A thread may end after the loop was closed.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(report, job)

    def _step_of(self, job: Job) -> tuple[RunningAttempt, RunningStep] | None:
        """Returns the attempt and the step that a job runs, unless the step was given up."""
        running = self._attempts.get(job.invocation_id)
        step = None if running is None else running.steps.get(job.index)
        if running is None or step is None or step.run is not job:
            return None
        return running, step

    def _job_began(self, job: Job) -> None:
        found = self._step_of(job)
        if found is not None and found[1].timer is None:
            running, step = found
            timeout = step.task.timeout
            assert timeout is not None
            step.began = job.began
            self._set_timeout(running, step, timeout - step.seconds)

    def _job_ended(self, job: Job) -> None:
        outcome = job.outcome
        assert outcome is not None
        found = self._step_of(job)
        if found is None:
            discard(outcome)
            return
        running, step = found
        step.began = job.began
        awaitable = outcome.awaitable
        if awaitable is not None:
            self._run_on_loop(running, step, partial(_same, awaitable))
        else:
            self._on_end(running, step, outcome, job.ended - job.began)

    def _waited_too_long(self, jobs: list[Job]) -> None:
        for job in jobs:
            found = self._step_of(job)
            if found is not None:
                self._on_thread_wait(found[0])

    # Stop

    async def close(self) -> None:
        """Lets go of all threads and tasks, once every attempt was abandoned; logs what still runs."""
        self._wait_monitor.close()
        self._threads.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=time_bounds.CANCEL_SECONDS_MAX)
        for task, (running, step) in self._tasks.items():
            if task.done():
                continue
            log_messages.step_outlives_worker(running, step)
            # asyncio.run waits for all registered tasks, and this one may never end.
            asyncio._unregister_task(task)
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own flag


def _same(awaitable: Awaitable[Any]) -> Awaitable[Any]:
    return awaitable
