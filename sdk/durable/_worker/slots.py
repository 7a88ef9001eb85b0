"""One attempt that a worker holds: its steps that run, and its part of a trace, if there is one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from .._engine.attempt import Attempt
from .._engine.steps import StepTask
from .._tracing.tracing import AttemptTrace, StepTrace
from .steps import Ended
from .threads import Job


class Step:
    """One step that an attempt has asked for, and that has neither ended nor been given up."""

    __slots__ = ("began", "deadline", "hurried", "run", "task", "timed_out", "trace")

    def __init__(self, task: StepTask, trace: StepTrace | None) -> None:
        self.task = task
        self.trace = trace
        self.run: Job | asyncio.Task[Ended] | None = None
        """What runs it now; the awaitable that a sync step returns goes on as a task."""
        self.began = 0.0
        """When its body began, by time.monotonic(); 0 while it has not."""
        self.deadline: asyncio.TimerHandle | None = None
        """What gives it up when its time is up."""
        self.hurried = False
        """Whether it is to end soon: it was given up, and something waits to undo it."""
        self.timed_out = False
        """Whether it was cancelled because its time is up."""

    def begin(self) -> None:
        """Notes that the body begins now, unless it has begun already."""
        self.began = self.began or time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the body has run."""
        return time.monotonic() - self.began if self.began else 0.0


class Slot:
    """What the desk knows of one attempt."""

    __slots__ = (
        "attempt",
        "invocation_id",
        "leaving",
        "number",
        "steps",
        "suspend_number",
        "timer",
        "trace",
    )

    def __init__(
        self, invocation_id: str, number: int, attempt: Attempt, trace: AttemptTrace | None
    ) -> None:
        self.invocation_id = invocation_id
        self.number = number
        self.attempt = attempt
        self.trace = trace
        self.steps: dict[int, Step] = {}
        self.leaving = False
        """Whether no step begins any more: the attempt is given back when none runs."""
        self.timer: asyncio.TimerHandle | None = None
        self.suspend_number = -1
        """The completion number of the last Suspend that this session was sent."""

    def names(self) -> dict[str, Any]:
        """Returns what a log record about the attempt should have."""
        return {
            "invocation_id": self.invocation_id,
            "attempt": self.number,
            "handler": self.attempt.start.handler,
        }

    @property
    def waiting(self) -> bool:
        """Whether the attempt may be suspended, and no step runs for it, wanted or not."""
        return not self.steps and self.attempt.waiting

    def begin(self, task: StepTask) -> Step:
        """Notes that a step is asked for."""
        trace = None if self.trace is None else self.trace.step(task)
        step = self.steps[task.index] = Step(task, trace)
        return step

    def end(self, step: Step, error: BaseException | None) -> None:
        """Notes that a step has ended."""
        self._remove(step)
        if step.trace is not None:
            step.trace.end(error)

    def forget(self, step: Step) -> None:
        """Notes that a step was taken back before it began: no trace tells of it."""
        self._remove(step)

    def let_go(self, outcome: str) -> None:
        """Ends the trace; `outcome` is for it, if the attempt has not said how it ended."""
        if self.trace is not None:
            for step in self.steps.values():
                if step.trace is not None and step.began:
                    step.trace.abandon()
            self.trace.let_go(outcome)
        self.steps.clear()

    def _remove(self, step: Step) -> None:
        del self.steps[step.task.index]
        if step.deadline is not None:
            step.deadline.cancel()
            step.deadline = None
