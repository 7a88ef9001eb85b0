"""The step body: calls the user's function of one step and encodes the value that it returns.

Nothing here raises: an error of the step is part of its outcome, and the engine decides what it means.
The value is encoded where the step ran, so that a thread encodes its own large values and does not
block the event loop.

A step runs in its own copy of the program's context variables: it sees what the program has set, and
what it sets itself stays in the copy. Only the workflow's Context is removed, because a step cannot use
durable operations.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final, NamedTuple, Protocol

from durable_proto.v1 import payload_pb2

from .._common.errors import UnencodableValueError, text_of
from .._engine.context import leave_workflow
from .._engine.steps import StepTask

CALLS_STEP_BODIES: Final = True
"""Read by `retry.is_wrong_call`: an error raised here is the user's."""


class TimedStep(Protocol):
    """A step that notes when its body begins."""

    task: StepTask

    def begin(self) -> None:
        """Notes that the body begins now, unless it has begun before."""
        ...


class StepOutcome(NamedTuple):
    """How a step ended: with a value or an error."""

    value: payload_pb2.Payload | None
    error: BaseException | None
    awaitable: Awaitable[Any] | None = None
    """What a sync function returned instead of a value; only the worker's event loop can await it."""


def run_blocking(task: StepTask) -> StepOutcome:
    """Runs a sync step in the calling thread."""
    try:
        leave_workflow()
        value = task.body()
        if isawaitable(value):
            # `lambda: fetch(url)`: only the call shows that the function is not a sync one.
            return StepOutcome(None, None, value)
        return StepOutcome(_encoded(task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return StepOutcome(None, error)


async def run_async(step: TimedStep, body: Callable[[], Any]) -> StepOutcome:
    """Runs an async step, or the awaitable that a sync one has returned, in the calling task."""
    step.begin()
    try:
        leave_workflow()
        value = body()
        if isawaitable(value):
            value = await value
        return StepOutcome(_encoded(step.task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return StepOutcome(None, error)


def _encoded(task: StepTask, value: Any) -> payload_pb2.Payload:
    try:
        return task.encode(value)
    except Exception as error:
        raise UnencodableValueError(
            f"the value of step {task.name!r}, of type {type(value).__qualname__}, cannot be encoded:"
            f" {text_of(error)}; its effect has happened, and it runs again after a resume"
        ) from error


def discard(outcome: StepOutcome) -> None:
    """Closes a coroutine that is not going to be awaited, or Python warns that it never was."""
    if inspect.iscoroutine(outcome.awaitable):
        outcome.awaitable.close()


def timeout_error(task: StepTask) -> TimeoutError:
    """Returns the error of a step that exceeded its timeout. It is retried like any other error."""
    return TimeoutError(f"step {task.name!r} has not ended within {task.timeout:g} s")
