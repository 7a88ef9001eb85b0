"""Checks of declarations: what cannot be a workflow or a handler is refused by the decorator.

Each check raises an error of one line that names the function and says what to write instead. The
checks are pure functions.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any, Final

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
"""The names that a handler may have."""
_COUNT_MAX: Final = 2**31 - 1
_PLAIN: Final = (str, bytes, int, float, bool, list, dict, tuple, set, frozenset, type(None))
_CONTEXT_NAMES: Final = ("Context", "durable.Context")


def check_name(name: Any, of: str, pattern: re.Pattern[str] = NAME) -> None:
    """Raises TypeError for a name that is not a str, ValueError for one that is not allowed."""
    if not isinstance(name, str):
        raise TypeError(f"the name of {of} is a str, not {name!r}")
    if not pattern.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of {of}: it must match {pattern.pattern}")


def check_options(name: str, version: Any, max_concurrent: Any) -> None:
    """Raises TypeError or ValueError for an invalid version or concurrency limit."""
    if version is not None and not isinstance(version, str):
        raise TypeError(f"{name}: version is a str, not {version!r}")
    if isinstance(max_concurrent, bool) or not isinstance(max_concurrent, int):
        raise TypeError(
            f"{name}: max_concurrent is a whole number, 0 for no limit, not {max_concurrent!r}"
        )
    if not 0 <= max_concurrent <= _COUNT_MAX:
        raise ValueError(
            f"{name}: max_concurrent is {max_concurrent}, and must be from 0, for no limit, to"
            f" {_COUNT_MAX}"
        )


def check_async(function: Any, decorator: str) -> None:
    """Raises TypeError for anything but an `async def` function; the text depends on what it is."""
    name = getattr(function, "__qualname__", repr(function))
    if isinstance(function, str):
        raise TypeError(f"a name is given by keyword: write @durable.{decorator}(name={name})")
    if isinstance(function, staticmethod | classmethod):
        kind = type(function).__name__
        raise TypeError(
            f"{function.__func__.__qualname__}: write @{kind} above @durable.{decorator}"
            if kind == "staticmethod" and decorator == "workflow"
            else f"{function.__func__.__qualname__}: a {kind} cannot be a handler; write a method"
            " with @durable.handler, in a class with @durable.object"
        )
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            f"{name} has a `yield`, and a workflow has one result: return a list, or await what is to"
            " happen in between"
        )
    if inspect.iscoroutinefunction(function):
        if not inspect.isfunction(function):
            raise TypeError(
                f"{name} must be an `async def` function itself: write one that calls it"
            )
        return
    written = inspect.unwrap(function) if callable(function) else function
    if written is not function and inspect.iscoroutinefunction(written):
        raise TypeError(
            f"{name} must be an `async def` function, and a decorator below @durable.{decorator} has"
            " made a plain one of it: write that decorator's wrapper with `async def` and `await`"
        )
    raise TypeError(f"{name} must be an `async def` function")


def check_parameters(name: str, parameters: list[inspect.Parameter]) -> None:
    """Raises TypeError unless the context comes first and a payload can fill the rest."""
    if not parameters:
        raise TypeError(f"{name}: the first parameter must be the context")
    first = parameters[0]
    if first.name in ("self", "cls"):
        raise TypeError(
            f"{name} is a method, whose {first.name!r} no invocation has: write @durable.handler above"
            " it and @durable.object above its class, or move it out of the class"
        )
    if first.kind is first.KEYWORD_ONLY:
        raise TypeError(
            f"{name}: the context {first.name!r} must be the first parameter, before `*`"
        )
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"{name}: *args and **kwargs have no names to travel by; a decorator below"
                " needs @functools.wraps(function) on its wrapper"
            )
    if is_context(first):
        return
    for parameter in parameters[1:]:
        if is_context(parameter):
            raise TypeError(f"{name}: the context {parameter.name!r} must be the first parameter")


def is_value(hint: Any) -> bool:
    """Returns whether a type is that of a value, so that the parameter cannot be the context."""
    cls = typing.get_origin(hint) or hint
    return cls in _PLAIN or (isinstance(cls, type) and dataclasses.is_dataclass(cls))


def check_method(name: str, parameters: list[inspect.Parameter]) -> None:
    """Raises TypeError for an object's handler that does not take `self` and the context."""
    if len(parameters) < 2 or is_context(parameters[0]):
        raise TypeError(
            f"{name} must take `self` and the context; a function outside of a class is a"
            " @durable.workflow"
        )


def is_context(parameter: inspect.Parameter) -> bool:
    """Returns whether a parameter is declared as the context."""
    annotation: Any = parameter.annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", "")
    return name in _CONTEXT_NAMES
