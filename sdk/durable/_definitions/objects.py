"""Virtual objects: handlers that share the state of a key.

    @durable.object("cart")
    class Cart:
        @durable.handler
        async def add(self, ctx: durable.Context, ticket: str) -> list[str]: ...

        @durable.shared
        async def items(self, ctx: durable.Context) -> list[str]: ...

`Cart.add` is a workflow named `cart.add`, invoked with a key. A `handler` has its key
exclusively while it runs; `shared` ones run concurrently and only read. State is what `ctx.get` and
`ctx.set` keep; `self` is a new instance for each call, so its attributes are not kept. Handlers are
inherited: a decorated class has those of its bases too, under its own name.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from durable_proto.v1 import invocation_pb2

from .declaration_checks import check_async, check_method, check_name
from .retry import RetryPolicy
from .versioning import Versioning
from .workflow import Workflow, WorkflowRef

if TYPE_CHECKING:
    from .._engine.context import Context

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
"""The names that an object may have; without a dot, which separates the handler's name from it."""


class ObjectKey:
    """A parameter, for type checkers only, that stands for the key in the type of an object's
    handler.

    A call without `options(key=...)` lacks it, so type checkers refuse the call. The methods of a
    view with a key take the handler without it.
    """


class ObjectRef(WorkflowRef[Concatenate[ObjectKey, P], R]):
    """The name and the types of an object's handler, without its code."""


class ObjectHandler(Workflow[Concatenate[ObjectKey, P], R]):
    """A handler of a virtual object; see the module's head."""

    needs_key = True

    def __init__(
        self,
        method: Callable[Concatenate[Any, Context, P], Awaitable[R]],
        kind: invocation_pb2.HandlerKind,
        **options: Any,
    ) -> None:
        if isinstance(method, Workflow):
            raise TypeError(f"{method.name} is a workflow already; decorate it once")
        check_async(method, "handler")
        parameters = list(inspect.signature(method).parameters.values())
        check_method(method.__qualname__, parameters)
        self.kind = kind
        self._method = method
        self._given = options
        self._owner: type | None = None

        @functools.wraps(method)
        async def function(ctx: Context, *args: P.args, **kwargs: P.kwargs) -> R:
            if self._owner is None:
                raise TypeError(f"the class of {self.name} is not decorated with @durable.object")
            return await method(self._owner(), ctx, *args, **kwargs)

        function.__signature__ = inspect.Signature(parameters[1:])  # type: ignore[attr-defined]  # inspect reads it
        plain: Any = function
        super().__init__(plain, **options)

    # The parameters of the method, so without the ObjectKey.
    def __call__(  # type: ignore[override]
        self, ctx: Context, *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[R]:
        """Runs the method itself, on a new instance."""
        function: Any = self.function
        ran: Awaitable[R] = function(ctx, *args, **kwargs)
        return ran

    def ref(self) -> ObjectRef[P, R]:
        """Returns a reference with the name and the types, without the code."""
        made: Any = super().ref()
        reference: ObjectRef[P, R] = made
        return reference

    def bind(self, name: str, owner: type) -> ObjectHandler[P, R]:
        """Returns a copy of this handler for one object; other classes may inherit the original."""
        bound: ObjectHandler[P, R] = ObjectHandler(self._method, self.kind, **self._given)
        bound.name = f"{name}.{bound.name}"
        bound._owner = owner
        bound.defined_as(self)
        return bound


def handlers_of(it: object) -> list[Workflow[..., Any]]:
    """Returns the handlers of a virtual object's class; an empty list for anything else."""
    if not isinstance(it, type) or "_durable_object" not in vars(it):
        return []
    return [value for value in vars(it).values() if isinstance(value, ObjectHandler)]


def object_(name: str) -> Callable[[C], C]:
    """Makes a class a virtual object under a name.

    Raises ValueError for a name that is not allowed, TypeError for a class without handlers or one
    whose constructor needs arguments.
    """
    if isinstance(name, type):
        raise TypeError(
            "an object has a name, under which its state is kept: write"
            f" @durable.object({name.__name__!r}) above the class"
        )
    check_name(name, "an object", _NAME)

    def decorate(owner: C) -> C:
        if not isinstance(owner, type):
            raise TypeError(f'@durable.object("{name}") stands above a class, not above {owner!r}')
        owner._durable_object = name  # type: ignore[attr-defined]  # the mark of handlers_of
        found = {it: value for base in reversed(owner.__mro__) for it, value in vars(base).items()}
        handlers = {it: value for it, value in found.items() if isinstance(value, ObjectHandler)}
        if not handlers:
            raise TypeError(f"{owner.__name__} has no method with @durable.handler")
        for attribute, it in handlers.items():
            setattr(owner, attribute, it.bind(name, owner))
        owner()  # a constructor that fails must fail here, not in an invocation
        return owner

    return decorate


@overload
def handler(
    method: Callable[Concatenate[Any, Context, P], Awaitable[R]], /
) -> ObjectHandler[P, R]: ...
@overload
def handler(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: float | timedelta | None = None,
    version: str | None = None,
    timeout: float | timedelta | None = None,
    max_concurrent: int = 0,
    versioning: Versioning | None = None,
) -> Callable[[Callable[Concatenate[Any, Context, P], Awaitable[R]]], ObjectHandler[P, R]]: ...
def handler(method: Any = None, /, **options: Any) -> Any:
    """Makes a method an exclusive handler; the options are those of `workflow`."""
    return _decorator(method, invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE, options)


@overload
def shared(
    method: Callable[Concatenate[Any, Context, P], Awaitable[R]], /
) -> ObjectHandler[P, R]: ...
@overload
def shared(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: float | timedelta | None = None,
    version: str | None = None,
    timeout: float | timedelta | None = None,
    max_concurrent: int = 0,
    versioning: Versioning | None = None,
) -> Callable[[Callable[Concatenate[Any, Context, P], Awaitable[R]]], ObjectHandler[P, R]]: ...
def shared(method: Any = None, /, **options: Any) -> Any:
    """Makes a method a shared handler: it only reads state, also while an exclusive one runs."""
    return _decorator(method, invocation_pb2.HANDLER_KIND_OBJECT_SHARED, options)


def _decorator(method: Any, kind: invocation_pb2.HandlerKind, options: dict[str, Any]) -> Any:
    def make(it: Callable[..., Awaitable[Any]]) -> ObjectHandler[..., Any]:
        return ObjectHandler(it, kind, **options)

    return make if method is None else make(method)
