"""One attempt that a worker holds: its steps that run, and its part of a trace, if there is one."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from contextvars import Context
from typing import Any, NamedTuple

from ._asking import StepTask
from ._replay import Attempt
from ._steps import Ended
from ._tracing import AttemptTrace, StepTrace


class _Begun(NamedTuple):
    """When a step has begun, and its part of the trace."""

    seconds: float
    trace: StepTrace | None


class Slot:
    """What the desk knows of one attempt."""

    __slots__ = (
        "_begun",
        "attempt",
        "deadlines",
        "invocation_id",
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
        self.steps: dict[int, asyncio.Task[Ended] | Future[Ended]] = {}
        self.deadlines: dict[int, asyncio.TimerHandle] = {}
        """What gives up the sync steps of which each has a timeout."""
        self.timer: asyncio.TimerHandle | None = None
        self.suspend_number = -1
        """The completion number of the last Suspend that this session was sent."""
        self._begun: dict[int, _Begun] = {}

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

    def over(self, index: int) -> None:
        """Notes that what ran for a step does not any more."""
        del self.steps[index]
        deadline = self.deadlines.pop(index, None)
        if deadline is not None:
            deadline.cancel()

    def begin(self, task: StepTask) -> Context | None:
        """Notes that a step begins, or goes on elsewhere; returns what to run it in, if need be."""
        begun = self._begun.get(task.index)
        if begun is None:
            trace = None if self.trace is None else self.trace.step(task)
            begun = self._begun[task.index] = _Begun(time.perf_counter(), trace)
        return None if begun.trace is None else begun.trace.context

    def end(self, index: int, error: BaseException | None) -> float:
        """Notes that a step has ended; returns how long it took, in seconds."""
        begun = self._begun.pop(index)
        if begun.trace is not None:
            begun.trace.end(error)
        return time.perf_counter() - begun.seconds

    def let_go(self, outcome: str) -> None:
        """Stops what runs; `outcome` is for the trace, if the attempt has not said how it ended."""
        for step in list(self.steps.values()):
            step.cancel()
        self.steps.clear()
        for deadline in self.deadlines.values():
            deadline.cancel()
        self.deadlines.clear()
        if self.trace is not None:
            for begun in self._begun.values():
                if begun.trace is not None:
                    begun.trace.abandon()
            self.trace.let_go(outcome)
        self._begun.clear()
