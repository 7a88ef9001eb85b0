"""What annotations name: each is resolved by itself, where it was written.

An annotation may be a text, or hold one (`from __future__ import annotations`, `list["Order"]`), and
the names in it may be defined later, in a function, or for type checkers only. So each annotation is
resolved alone: one that cannot be resolved is no reason to forget the others, and whoever needs it can
say which name is missing. `typing.get_type_hints` resolves all of a function's or none.

A name is looked for in the module, in the closure, and in the functions and classes around the
definition, as far as they run while it is made.
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
"""How many wrappers are looked under; an object that answers to every name seems to have no end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the names of annotations are looked for: the inner names first, then the module's."""

    module: Mapping[str, Any] = field(default_factory=dict)
    inner: Mapping[str, Any] = field(default_factory=dict)

    def within(self, inner: Mapping[str, Any]) -> Scope:
        """Returns this scope with further names in front."""
        return Scope(self.module, {**self.inner, **inner}) if inner else self


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that cannot be resolved."""

    annotation: str
    """As it is written."""
    problem: str
    """Why, for a sentence: `the name 'Order' is not defined`."""
    scope: Scope = field(repr=False, compare=False)
    """Where its names were looked for."""

    def __str__(self) -> str:
        return f"{self.annotation!r} cannot be resolved: {self.problem}"


NO_SCOPE = Scope()


class HintError(TypeError):
    """A type whose values would not come back as they were; the message has the way out."""


class UnresolvedError(HintError):
    """A type that names what is not defined, or not yet."""


def resolve_hint(function: Callable[..., Any], name: str, scope: Scope = NO_SCOPE) -> Any:
    """Returns the type that a function's annotation says, for a parameter or for "return".

    Any where there is no annotation; an `Unresolved` where a name in it is not defined. What texts
    within the type name is not looked at. `scope` adds names, such as those of `defining_scope`.
    """
    plain = unwrapped(function)
    annotation = annotations_of(plain).get(name, Any)
    return resolve(annotation, function_scope(plain, scope))


def resolve(annotation: Any, scope: Scope) -> Any:
    """Returns the type that an annotation says; an `Unresolved` if a name in it is not defined."""
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
    except Exception as error:  # noqa: BLE001  # whatever the text does
        return Unresolved(annotation, f"{type(error).__name__}: {error}", scope)
    return resolve(found, scope)


def annotations_of(holder: Any) -> Mapping[str, Any]:
    """Returns the annotations of a function or of a class itself, without those of its bases."""
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return annotationlib.get_annotations(holder, format=annotationlib.Format.FORWARDREF)
        except TypeError:  # no function and no class
            return {}
    found = holder.__dict__ if isinstance(holder, type) else holder
    found = (
        found.get("__annotations__")
        if isinstance(found, Mapping)
        else getattr(found, "__annotations__", None)
    )
    return found if isinstance(found, Mapping) else {}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Returns a function's signature; its annotations are as they are written."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def unwrapped(function: Any) -> Any:
    """Returns the function under decorators that used functools.wraps."""
    for _ in range(_WRAPPERS_MAX):
        inner = getattr(function, "__dict__", {}).get("__wrapped__")
        if inner is None:
            return getattr(function, "__func__", function)
        function = inner
    return function


def function_scope(function: Any, scope: Scope = NO_SCOPE) -> Scope:
    """Returns where the names in a function's annotations are looked for."""
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
    """The functions and classes around a definition, as far as they run while it is made.

    Their frames are kept, for names that are assigned later, until `settle` is called; then only the
    types among their names are.
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

    def settle(self) -> None:
        """Lets go of what runs around the definition; keeps its types."""
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
    """Returns the annotations of a class and its bases, each with where its names are looked for.

    `args` are the arguments of a generic class: what an annotation says with the class's type
    variables is resolved with them, through all bases.
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
    """Returns what each base of a class takes for its type variables."""
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
    """Returns a type with its type variables (or Self) replaced; then texts in it are resolved too."""
    if not variables or isinstance(hint, Unresolved):
        return hint
    if isinstance(hint, TypeVar) or hint is typing.Self:
        return variables.get(hint, hint)
    args = typing.get_args(hint)
    if not args or typing.get_origin(hint) is typing.Literal:
        return hint
    if typing.get_origin(hint) is typing.Annotated:
        args = args[:1]  # the rest is no types, also where it is texts
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
