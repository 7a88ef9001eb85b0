"""Type hints: resolves the annotations of functions and classes to types.

An annotation may be a text, or hold one (`from __future__ import annotations`, `list["Order"]`),
and the names in it may be defined later, in a function, or for type checkers only. So each
annotation is resolved alone, where it is written. One that cannot be resolved becomes an
`Unresolved`, which names what is missing, and does not affect the others; `typing.get_type_hints`
resolves all annotations of a function or none.

A name is looked for in the module, in the closure, and in the functions and classes around the
definition, as long as these still run (`Surroundings`).
"""

from __future__ import annotations

import builtins
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

_WRAPPERS_MAX = 100
"""How many `__wrapped__` are followed. A mock has every attribute, so following it would never
end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that an annotation may use: the inner ones come before the module's."""

    module: Mapping[str, Any] = field(default_factory=dict)
    inner: Mapping[str, Any] = field(default_factory=dict)

    def within(self, inner: Mapping[str, Any]) -> Scope:
        """Returns this scope with further inner names, which come first."""
        return Scope(self.module, {**self.inner, **inner}) if inner else self


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that cannot be resolved."""

    annotation: str
    """The annotation as it is written."""
    problem: str
    """The reason, as part of a sentence: `the name 'Order' is not defined`."""
    scope: Scope = field(repr=False, compare=False)
    """The names that were available."""

    def __str__(self) -> str:
        return f"{self.annotation!r} cannot be resolved: {self.problem}"


NO_SCOPE = Scope()


class HintError(TypeError):
    """A type whose values could not be read back; the message says what to use instead."""


class UnresolvedError(HintError):
    """A type with a name in it that is not defined, or not yet."""


def resolve_hint(function: Callable[..., Any], name: str, scope: Scope = NO_SCOPE) -> Any:
    """Returns the type that a function's annotation says, for a parameter or for "return".

    Returns Any without an annotation, an `Unresolved` where a name in it is not defined. Texts
    within the type (`list["Order"]`) stay texts. `scope` adds names, such as those of
    `Surroundings`.
    """
    plain = unwrapped(function)
    annotation = annotations_of(plain).get(name, Any)
    return resolve(annotation, function_scope(plain, scope))


def resolve(annotation: Any, scope: Scope) -> Any:
    """Returns the type of an annotation; an `Unresolved` where a name in it is not defined."""
    if annotation is None:
        return types.NoneType
    if isinstance(annotation, typing.ForwardRef):
        module = getattr(annotation, "__forward_module__", None)
        if isinstance(module, str):
            module = sys.modules.get(module)
        if module is not None:
            scope = Scope(vars(module), scope.inner)
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    names = {**vars(builtins), **scope.module}
    try:
        found = eval(annotation, names, dict(scope.inner))
    except NameError as error:
        return Unresolved(annotation, f"the name {error.name!r} is not defined", scope)
    except Exception as error:  # noqa: BLE001  # evaluating the text may raise anything
        return Unresolved(annotation, f"{type(error).__name__}: {error}", scope)
    return resolve(found, scope)


def annotations_of(holder: Any) -> Mapping[str, Any]:
    """Returns the annotations of a function or of a class itself, without those of its bases."""
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return annotationlib.get_annotations(holder, format=annotationlib.Format.FORWARDREF)
        except TypeError:  # neither a function nor a class
            return {}
    found = holder.__dict__ if isinstance(holder, type) else holder
    found = (
        found.get("__annotations__")
        if isinstance(found, Mapping)
        else getattr(found, "__annotations__", None)
    )
    return found if isinstance(found, Mapping) else {}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Returns a function's signature, with the annotations as they are written."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def unwrapped(function: Any) -> Any:
    """Returns the function under the decorators that used functools.wraps."""
    for _ in range(_WRAPPERS_MAX):
        inner = getattr(function, "__dict__", {}).get("__wrapped__")
        if inner is None:
            return getattr(function, "__func__", function)
        function = inner
    return function


def function_scope(function: Any, scope: Scope = NO_SCOPE) -> Scope:
    """Returns the names that a function's annotations may use: its closure's and its module's."""
    inner: dict[str, Any] = dict(scope.inner)
    code = getattr(function, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False
    ):
        try:
            inner[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    inner |= {it.__name__: it for it in getattr(function, "__type_params__", ())}
    return Scope(getattr(function, "__globals__", scope.module), inner)


class Surroundings:
    """The functions and classes around a definition that are running while it is made.

    Annotations may use their local names, also names that are assigned after the definition. So
    their frames are kept until `release` is called; from then on only the types among the names
    are.
    """

    def __init__(self, function: Any) -> None:
        function = unwrapped(function)
        self._frames: list[types.FrameType] = []
        self._types: dict[str, Any] = {}
        code = getattr(function, "__code__", None)
        name = getattr(function, "__qualname__", "")
        if code is None or "." not in name:
            return
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None:
            around = frame.f_code
            if around.co_filename == code.co_filename and _encloses(around.co_qualname, name):
                self._frames.insert(0, frame)
            frame = frame.f_back

    def scope(self) -> Scope:
        """Returns the names around the definition as they are now."""
        inner = dict(self._types)
        for frame in self._frames:
            inner |= frame.f_locals
        return Scope(inner=inner)

    def release(self) -> None:
        """Drops the frames, and keeps the types among their names."""
        for frame in self._frames:
            self._types |= {name: it for name, it in frame.f_locals.items() if _is_type(it)}
        self._frames.clear()


def _encloses(outer: str, inner: str) -> bool:
    return inner.startswith((outer + ".<locals>.", outer + "."))


def _is_type(value: Any) -> bool:
    return (
        isinstance(value, type | typing.NewType | TypeVar | types.UnionType)
        or typing.get_origin(value) is not None
        or type(value).__name__ == "TypeAliasType"
    )


def class_hints(cls: type, args: tuple[Any, ...], scope: Scope) -> dict[str, tuple[Any, Scope]]:
    """Returns the annotations of a class and its bases by name, each with the scope of its names.

    `args` are the arguments of a generic class. They replace the class's type variables in the
    annotations, also in those of its bases.
    """
    bound = bound_variables(cls, args)
    hints: dict[str, tuple[Any, Scope]] = {}
    for base in reversed(cls.__mro__):
        annotations = annotations_of(base)
        if not annotations:
            continue
        module = sys.modules.get(base.__module__)
        inner = {**scope.inner, base.__name__: base, **vars(base)}
        inner |= {it.__name__: it for it in getattr(base, "__type_params__", ())}
        around = Scope(
            vars(module) if module is not None else scope.module,
            {name: it for name, it in inner.items() if name not in annotations or _is_type(it)},
        )
        variables = bound.get(base, {})
        for name, annotation in annotations.items():
            hint = resolve(annotation, around)
            hints[name] = (substitute(hint, variables, around), around)
    return hints


def bound_variables(cls: type, args: tuple[Any, ...]) -> dict[type, dict[Any, Any]]:
    """Returns, for a class and each of its bases, the types that its type variables stand for."""
    found: dict[type, dict[Any, Any]] = {}
    pending: list[tuple[type, tuple[Any, ...]]] = [(cls, args)]
    while pending:
        base, given = pending.pop()
        if base in found:
            continue
        parameters = getattr(base, "__parameters__", ())
        variables = dict(zip(parameters, given, strict=False))
        found[base] = variables
        for generic in getattr(base, "__orig_bases__", base.__bases__):
            origin = typing.get_origin(generic)
            if origin is typing.Generic or origin is typing.Protocol:
                continue
            inner = tuple(substitute(it, variables, NO_SCOPE) for it in typing.get_args(generic))
            origin = origin or generic
            if isinstance(origin, type):
                pending.append((origin, inner))
    return found


def substitute(hint: Any, variables: Mapping[Any, Any], scope: Scope) -> Any:
    """Returns a type with its type variables and Self replaced; resolves texts in it on the way."""
    if not variables or isinstance(hint, Unresolved):
        return hint
    if isinstance(hint, TypeVar) or hint is typing.Self:
        return variables.get(hint, hint)
    args = typing.get_args(hint)
    if not args or typing.get_origin(hint) is typing.Literal:
        return hint
    if typing.get_origin(hint) is typing.Annotated:
        args = args[:1]  # the rest is metadata; a text there is not a type
    replaced = tuple(
        it
        if it is Ellipsis
        else substitute(resolve(it, scope), variables, scope)
        if isinstance(it, str | typing.ForwardRef)
        else substitute(it, variables, scope)
        for it in args
    )
    if all(new is old for new, old in zip(replaced, args, strict=True)):
        return hint
    for it in replaced:
        if isinstance(it, Unresolved):
            return it
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return typing.Annotated[(replaced[0], *hint.__metadata__)]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[replaced]  # noqa: UP007  # of as many as there are
    if hasattr(hint, "copy_with"):
        return hint.copy_with(replaced)
    return origin[replaced]
