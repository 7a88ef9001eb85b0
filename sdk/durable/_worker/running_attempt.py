"""A running attempt: what the worker knows of one attempt that it holds, and of each of its steps.

It joins the replay engine's Attempt with what the engine does not know: the steps that run, the timer
of the attempt, and its trace, if there is one.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from .._engine.attempt import Attempt
from .._engine.steps import StepTask
from .._tracing.interface import AttemptTrace, StepTrace
from .step_body import StepOutcome
from .step_threads import Job


class RunningStep:
    """A step that an attempt has requested, and that has neither ended nor been given up."""

    __slots__ = ("began", "run", "task", "timed_out", "timer", "trace", "wait_bounded")

    def __init__(self, task: StepTask, trace: StepTrace | None) -> None:
        self.task = task
        self.trace = trace
        self.run: Job | asyncio.Task[StepOutcome] | None = None
        """What executes it now. A sync step that returns an awaitable goes on as a task."""
        self.began = 0.0
        """When its body began, by time.monotonic(); 0 until then."""
        self.timer: asyncio.TimerHandle | None = None
        """Gives the step up when its timeout or another bound is reached."""
        self.wait_bounded = False
        """Whether the program has given it up and compensations already wait for its end, bounded."""
        self.timed_out = False
        """Whether it was cancelled because of its timeout."""

    def begin(self) -> None:
        """Notes that the body begins now, unless it has begun before."""
        self.began = self.began or time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the body has run."""
        return time.monotonic() - self.began if self.began else 0.0


class RunningAttempt:
    """An attempt that the worker holds. `attempt` is the engine's side of it."""

    __slots__ = (
        "attempt",
        "giving_back",
        "invocation_id",
        "number",
        "steps",
        "suspend_sent",
        "timer",
        "trace",
        "warned_of_limit",
    )

    def __init__(
        self, invocation_id: str, number: int, attempt: Attempt, trace: AttemptTrace | None
    ) -> None:
        self.invocation_id = invocation_id
        self.number = number
        self.attempt = attempt
        self.trace = trace
        self.steps: dict[int, RunningStep] = {}
        """By entry index."""
        self.giving_back = False
        """Whether no step begins any more: the attempt is given back when none runs."""
        self.timer: asyncio.TimerHandle | None = None
        """Suspends the attempt if it is idle, or ends it if it has failed and waits for its steps."""
        self.warned_of_limit = False
        """Whether it was logged that its journal is almost as long as it may be."""
        self.suspend_sent = -1
        """The completion number of the last Suspend that was sent on this session; -1 for none."""

    def log_fields(self) -> dict[str, Any]:
        """Returns the fields that each log record about the attempt has."""
        return {
            "invocation_id": self.invocation_id,
            "attempt": self.number,
            "handler": self.attempt.start.handler,
        }

    @property
    def idle(self) -> bool:
        """Whether the attempt may be suspended: it only waits, and no step runs, discarded or not."""
        return not self.steps and self.attempt.waiting

    def add_step(self, task: StepTask) -> RunningStep:
        """Adds a step that the attempt has requested."""
        trace = None if self.trace is None else self.trace.start_step(task)
        step = self.steps[task.index] = RunningStep(task, trace)
        return step

    def end_step(self, step: RunningStep, error: BaseException | None) -> None:
        """Removes a step that has ended."""
        self._remove(step)
        if step.trace is not None:
            step.trace.end(error)

    def discard_step(self, step: RunningStep) -> None:
        """Removes a step that was withdrawn before it began: it gets no span."""
        self._remove(step)

    def close(self, outcome: str) -> None:
        """Removes all steps and ends the trace: with `outcome` unless the attempt has reported one."""
        if self.trace is not None:
            for step in self.steps.values():
                if step.trace is not None and step.began:
                    step.trace.abandon()
            self.trace.close(outcome)
        self.steps.clear()

    def _remove(self, step: RunningStep) -> None:
        del self.steps[step.task.index]
        if step.timer is not None:
            step.timer.cancel()
            step.timer = None
