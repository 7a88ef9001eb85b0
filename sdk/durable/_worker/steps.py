"""Running one step: the user's function, and its value's encoding.

A step never raises here: its error is a result, and the engine decides what it means. The value is
encoded where the step ran, so that a large one does not hold up the loop if a thread made it.

A step runs in a copy of its program's context variables that is its own: it sees what the program has
set, and what it sets itself reaches nobody else. Only the workflow's Context is not there: a step can
have no durable operations.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, NamedTuple, Protocol

from durable_proto.v1 import payload_pb2

from .._common.errors import UnencodableValueError, text_of
from .._engine.context import leave_workflow
from .._engine.steps import StepTask


class Begun(Protocol):
    """A step that notes when its body begins."""

    task: StepTask

    def begin(self) -> None:
        """The body begins, if it has not before."""
        ...


class Ended(NamedTuple):
    """How a step ended: with a value or an error."""

    value: payload_pb2.Payload | None
    error: BaseException | None
    rest: Awaitable[Any] | None = None
    """What a sync function returned instead of a value: it belongs to the worker's event loop."""


def run_blocking(task: StepTask) -> Ended:
    """Runs a sync step in the calling thread."""
    try:
        leave_workflow()
        value = task.body()
        if isawaitable(value):
            # `lambda: fetch(url)`: nobody can tell before the call that it is not blocking.
            return Ended(None, None, value)
        return Ended(_encoded(task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return Ended(None, error)


async def run_async(step: Begun, body: Callable[[], Any]) -> Ended:
    """Runs an async step, or the rest of a sync one, in the calling task."""
    step.begin()
    try:
        leave_workflow()
        value = body()
        if isawaitable(value):
            value = await value
        return Ended(_encoded(step.task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return Ended(None, error)


def _encoded(task: StepTask, value: Any) -> payload_pb2.Payload:
    try:
        return task.encode(value)
    except Exception as error:
        raise UnencodableValueError(
            f"the value of step {task.name!r}, of type {type(value).__qualname__}, cannot be encoded:"
            f" {text_of(error)}; its effect has happened, and it runs again after a resume"
        ) from error


def discard(ended: Ended) -> None:
    """Closes what nobody will await, or the interpreter would warn that nobody has."""
    if inspect.iscoroutine(ended.rest):
        ended.rest.close()


def too_slow(task: StepTask) -> TimeoutError:
    """Returns the error of a step whose time is up: like any other one, it is tried again."""
    return TimeoutError(f"step {task.name!r} has not ended within {task.timeout:g} s")
