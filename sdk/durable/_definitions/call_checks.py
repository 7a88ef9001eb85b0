"""Checks of calls: refuse a step or an invocation that cannot work, before it is journaled.

Each check raises a TypeError of one line that says what to write instead. Python's own error would
come later, from within the step or the SDK, and would name neither the step nor the mistake.
"""

from __future__ import annotations

import asyncio
import inspect
from types import FunctionType
from typing import Any, Final, NoReturn

from .workflow import Workflow, WorkflowRef

LAYERS_MAX: Final = 100
"""How many decorators are looked under. The limit ends the search in objects that never end."""


def check_step(name: Any, function: Any) -> None:
    """Raises TypeError for what ctx.run cannot run, or for a step without a name."""
    # A hot path: most steps are plain functions.
    if type(name) is str and type(function) is FunctionType:
        return
    if not isinstance(name, str):
        _close(name)
        raise TypeError(
            f"the first argument of ctx.run is the step's name, not {_shown(name)}: write"
            f' ctx.run("name", {_called(name)}, ...)'
        )
    if inspect.iscoroutine(function):
        called = _called(function)
        _close(function)
        raise TypeError(
            f"step {name!r}: {called}() was called already; give the function and its arguments: write"
            f" ctx.run({name!r}, {called}, ...)"
        )
    if asyncio.isfuture(function):
        raise TypeError(
            f"step {name!r}: {_shown(function)} is under way already; write `await` in front of it"
            " instead of ctx.run"
        )
    if isinstance(function, WorkflowRef):
        raise TypeError(
            f"step {name!r}: {function.name} is a workflow, and a step cannot be one; write"
            f" ctx.invoke({function.name}, ...)"
        )
    if not callable(function):
        raise TypeError(
            f"step {name!r} needs a function, not {_shown(function)}; if that is what a function has"
            f" returned, give the function and its arguments: ctx.run({name!r}, function, ...)"
        )


def refuse_target(given: Any) -> NoReturn:
    """Raises TypeError for a target of an invocation that is not a workflow."""
    hidden = hidden_workflow(given)
    if hidden is not None:
        raise TypeError(hidden_workflow_text(given, hidden))
    if inspect.iscoroutine(given):
        called = _called(given)
        _close(given)
        raise TypeError(
            f"{called}() was called already; give the workflow and its arguments: ({called}, ...)"
        )
    raise TypeError(
        f"{_called(given)} is no workflow: decorate it with @durable.workflow, or give its name as a"
        " text"
    )


def hidden_workflow(given: Any) -> Workflow[..., Any] | None:
    """Returns the workflow that a decorator has put a function around; None without one."""
    for _ in range(LAYERS_MAX):
        if isinstance(given, Workflow):
            return given
        if type(given) is not FunctionType:
            return None
        inner = given.__dict__.get("__wrapped__")
        if inner is None:
            inner = next(filter(None, map(_workflow_in, given.__closure__ or ())), None)
        given = inner
    return None


def hidden_workflow_text(function: Any, workflow: Workflow[..., Any]) -> str:
    """Returns the error text for a decorator around a workflow."""
    return (
        f"a decorator above @durable.workflow has put the function {_called(function)} around the"
        f" workflow {workflow.name!r}: write @durable.workflow above that decorator, and make its"
        " wrapper an `async def` with @functools.wraps(function)"
    )


def _workflow_in(cell: Any) -> Workflow[..., Any] | None:
    try:
        found = cell.cell_contents
    except ValueError:  # not assigned yet
        return None
    return found if isinstance(found, Workflow) else None


def _called(value: Any) -> str:
    """Returns the name of a function, or of the function that created a coroutine."""
    if type(value) is FunctionType and value.__name__ == "<lambda>":
        return "function"
    name: str = getattr(value, "__name__", "") or type(value).__name__
    return name


def _shown(value: Any) -> str:
    return f"{value!r:.100}"


def _close(value: Any) -> None:
    """Closes a coroutine, so that Python does not warn that it was never awaited."""
    if inspect.iscoroutine(value):
        value.close()
