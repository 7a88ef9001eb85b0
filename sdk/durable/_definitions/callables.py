"""The functions of steps: finds whether one blocks, and its result's type, without calling it.

Rules.
- Whether a step blocks depends on the callable itself, never on a function that it wraps: a sync
  wrapper around an async function blocks, and an async wrapper around a sync one does not. Only
  what is known to be async runs on the event loop. Everything else runs in a thread, where it
  cannot block the loop. If the call returns an awaitable after all, that is awaited on the loop.
- The type of the result is what the callable's own `__annotations__` say. `functools.wraps` and
  `functools.update_wrapper` copy those from the wrapped function, so a decorator that keeps the
  type of the result needs nothing more; `__wrapped__` itself is not followed. A decorator that
  changes the type must say so: `wrapper.__annotations__["return"] = ...` after `functools.wraps`.
- Only the class of an object and its plain attribute `__annotations__` are looked at, because mocks
  and proxies have every attribute, with meaningless or endless values.
- A generator function is refused, because a step has one value.

A closure is made anew at each call and shares its code object with closures that may differ from
it. So a type is cached by code object only where nothing but the code decides it.
"""

from __future__ import annotations

import asyncio.coroutines
import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import CodeType, FunctionType, MethodType, NoneType
from typing import Any, Final, NamedTuple, cast

from .._common.values.hints import (
    NO_SCOPE,
    Unresolved,
    bound_variables,
    function_scope,
    resolve,
    resolve_hint,
    substitute,
)

_LAYERS_MAX: Final = 100
"""How many partials and methods are looked under; the limit ends the search in endless objects."""

_COROUTINE: Final = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
_MISSING: Final[Any] = object()


class Description(NamedTuple):
    """A step's function, as it is known before it is called."""

    hint: Any
    """The type of its awaited result; Any without an annotation, `Unresolved` for a missing
    name."""
    blocking: bool
    """Whether it must run in a thread."""


class _Result(NamedTuple):
    """The meaning of the annotation of a result."""

    hint: Any
    """The type itself."""
    awaited: Any
    """The type after awaiting it, if it is awaitable; else the same type."""
    promised: bool
    """Whether it is awaitable."""


class _Known(NamedTuple):
    """A cached result, with everything it depends on besides the code."""

    code: CodeType
    """Kept, so that no other code object gets the same id."""
    variables: dict[str, Any]
    """The module's variables, where names in annotations are looked up."""
    annotation: Any
    result: _Result


_UNKNOWN: Final = _Result(Any, Any, False)

_known: Final[dict[int, _Known]] = {}
"""By the id of the code object, because code objects of different modules can be equal."""


def described(function: Callable[..., Any]) -> Description:
    """Returns the description of a step's function.

    The hint is an `Unresolved` where a name in it is not defined. Raises TypeError for generator
    functions.
    """
    # A hot path: most steps are plain functions.
    return _of_function(function) if type(function) is FunctionType else _describe(function)


def _describe(function: Any) -> Description:
    called = function
    owner: Any = _MISSING
    for _ in range(_LAYERS_MAX):
        kind = type(called)
        if kind is MethodType:
            owner = called.__self__
            called = called.__func__
        elif kind is staticmethod:
            called = called.__func__
        elif _is_partial(kind):
            called = called.func
        else:
            break
    else:
        raise TypeError(
            f"a step's function has more than {_LAYERS_MAX} layers of partial around it"
        )
    if kind is FunctionType:
        found = _of_function(called)
        # Other hints may contain `Self` or type variables, which depend on the owner.
        if owner is _MISSING or isinstance(found.hint, type | Unresolved):
            return found
        return Description(_owned(found.hint, called, owner), found.blocking)
    call = next((vars(it)["__call__"] for it in kind.__mro__ if "__call__" in vars(it)), None)
    described_call = _of_function(call) if type(call) is FunctionType else Description(Any, True)
    if issubclass(kind, type):  # calling a class makes an instance, unless its metaclass is async
        made = Any if issubclass(cast("type", called), Awaitable) else called
        return Description(made, True) if described_call.blocking else described_call
    if isinstance(typing.get_origin(called), type):  # calling `list[int]` makes such a list
        return Description(called, True)
    # A decorator that is a class has the annotations that functools.update_wrapper copied, and so
    # have the decorators of functools that are written in C.
    annotation = _annotation_of(called)
    if annotation is _MISSING:
        return described_call
    return Description(_resolved(called, annotation).awaited, described_call.blocking)


def _owned(hint: Any, function: FunctionType, owner: Any) -> Any:
    """Returns the type that a hint means in a method of an object, or in a class method."""
    cls = owner if isinstance(owner, type) else type(owner)
    # `Repository[Order]()` makes an object that has the type arguments in `__orig_class__`.
    generic = (getattr(owner, "__dict__", None) or {}).get("__orig_class__")
    variables: dict[Any, Any] = {typing.Self: cls}
    # The older form of `Self`: `def load(cls: type[T]) -> T`.
    first = resolve_hint(function, next(iter(function.__code__.co_varnames), ""))
    if typing.get_origin(first) is type:
        first = typing.get_args(first)[0]
    if isinstance(first, typing.TypeVar):
        variables[first] = cls
    for base in cls.__mro__:
        defined = vars(base).get(function.__name__)
        if getattr(defined, "__func__", defined) is function:
            variables |= bound_variables(cls, typing.get_args(generic)).get(base, {})
            break
    return substitute(hint, variables, NO_SCOPE)


def _is_partial(kind: Any) -> bool:
    """Returns whether a class is functools.partial, or a subclass that calls in the same way."""
    return issubclass(kind, partial) and kind.__call__ is partial.__call__


def _of_function(function: FunctionType) -> Description:
    flags = function.__code__.co_flags
    if flags & inspect.CO_ASYNC_GENERATOR or (
        flags & inspect.CO_GENERATOR and not flags & inspect.CO_ITERABLE_COROUTINE
    ):
        raise TypeError(
            f"{_named(function)} is a generator function, and a step has one value; return a list,"
            " or make a step of each item"
        )
    annotation = _annotation_of(function)
    result = _UNKNOWN if annotation is _MISSING else _resolved(function, annotation)
    if flags & _COROUTINE:
        return Description(result.hint, False)
    if not function.__dict__:
        return Description(result.awaited, not result.promised)
    # Copied annotations do not tell whether the wrapper itself blocks.
    own = "__wrapped__" not in function.__dict__
    return Description(result.awaited, not (own and (result.promised or _is_marked(function))))


def _is_marked(function: FunctionType) -> bool:
    """Returns whether a sync function is declared to return a coroutine, as libraries may do."""
    # `inspect.markcoroutinefunction`, from Python 3.12 on
    if inspect.iscoroutinefunction(function):
        return True
    mark = getattr(asyncio.coroutines, "_is_coroutine", None)  # asyncio's own, and older
    return mark is not None and function.__dict__.get("_is_coroutine") is mark


# The result's type


def _annotation_of(called: Any) -> Any:
    """Returns the annotation of the result as it is written; _MISSING without one."""
    try:
        annotations = called.__annotations__
    except NameError:  # from Python 3.14 on it is evaluated here; one missing name fails all
        from annotationlib import Format, get_annotations  # type: ignore[import-not-found]

        annotations = get_annotations(called, format=Format.FORWARDREF)
    except Exception:  # noqa: BLE001  # a proxy's __getattr__ may raise anything
        return _MISSING
    # A proxy may return anything.
    return annotations.get("return", _MISSING) if isinstance(annotations, dict) else _MISSING


def _resolved(called: Any, annotation: Any) -> _Result:
    """Returns the meaning of an annotation."""
    writer = _writer_of(called, annotation)
    if type(writer) is not FunctionType:
        return _result_of(writer, annotation)
    code = writer.__code__
    known = _known.get(id(code))
    if (
        known is not None
        and known.annotation is annotation
        and known.variables is writer.__globals__
    ):
        return known.result
    result = _result_of(writer, annotation)
    if not isinstance(result.hint, Unresolved) and _decided_by_code(writer, annotation):
        _known[id(code)] = _Known(code, writer.__globals__, annotation, result)
    return result


def _result_of(writer: Any, annotation: Any) -> _Result:
    if annotation is None:
        return _Result(NoneType, NoneType, False)
    hint = annotation if isinstance(annotation, type) else _hint_of(writer, annotation)
    origin = typing.get_origin(hint) or hint
    if not (isinstance(origin, type) and issubclass(origin, Awaitable)):
        return _Result(hint, hint, False)
    args = typing.get_args(hint)
    # The last type argument of a Coroutine, after those for yield and send, is the result.
    if len(args) == (3 if issubclass(origin, Coroutine) else 1):
        return _Result(hint, args[-1], True)
    return _Result(hint, Any, True)


def _hint_of(writer: Any, annotation: Any) -> Any:
    """Resolves an annotation, and the texts in it, where it was written.

    A name that is missing there may be in the workflow's own scope; so the caller gets an
    `Unresolved`, or the type with its texts, and may try again.
    """
    scope = function_scope(writer)
    try:
        return typing.get_type_hints(
            _Holder(annotation), dict(scope.module), dict(scope.inner), include_extras=True
        )["return"]
    except Exception:  # noqa: BLE001  # evaluating the text may raise anything
        return resolve(annotation, scope)


def _writer_of(called: Any, annotation: Any) -> Any:
    """Returns the function whose annotation it was, before functools.wraps copied it."""
    writer = called
    for _ in range(_LAYERS_MAX):
        if type(writer) is FunctionType and not writer.__dict__:
            break
        attributes = getattr(writer, "__dict__", None)
        wrapped = attributes.get("__wrapped__") if isinstance(attributes, dict) else None
        if wrapped is None or _annotation_of(wrapped) is not annotation:
            break
        writer = wrapped
    return writer


class _Holder:
    """An object with one annotation, for typing.get_type_hints."""

    def __init__(self, annotation: Any) -> None:
        self.__annotations__ = {"return": annotation}


def _decided_by_code(function: FunctionType, annotation: Any) -> bool:
    """Returns whether all functions with this code and annotation have the same result type."""
    if function.__closure__ is None or annotation is None or isinstance(annotation, type):
        return True
    # A text that uses no name of the enclosing function; those may differ between closures.
    return isinstance(annotation, str) and not any(
        name in annotation for name in function.__code__.co_freevars
    )


def _named(function: Any) -> str:
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", function)
    return f"{module}.{name}"
