"""Workflows: the declared async function, and references to workflows without their code.

A workflow's type carries its arguments and its result: `Workflow[P, R]`, where P leaves out the
context. So `client.invoke(hello, "x")` is checked like a call of `hello` itself, and gives an R.

The arguments are one payload, in the form that other languages expect: without arguments no
payload, one argument as the value itself, several as a JSON object by parameter name.
"""

from __future__ import annotations

import hashlib
import inspect
from asyncio.events import _get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from durable_proto.v1 import invocation_pb2, payload_pb2

from .._common.durations import limit, span
from .._common.errors import CodecError
from .._common.values.hints import (
    HintError,
    Scope,
    Surroundings,
    Unresolved,
    UnresolvedError,
    function_scope,
    resolve_hint,
    signature_of,
    unwrapped,
)
from .._common.values.roundtrip import roundtrip_problem
from .._common.values.schemas import described_schema
from .._common.values.serde import decode_as, encode, encode_as, load_object, read_as
from .._common.values.shape_factory import shape_of
from .._common.values.shapes import ANYTHING, Field, Record, Shape
from .declaration_checks import (
    check_async,
    check_name,
    check_options,
    check_parameters,
    is_value,
)
from .retry import RetryPolicy
from .versioning import NUMBERS, Versioning, check_versioning

if TYPE_CHECKING:
    from types import UnionType
    from typing import TypeAlias, _SpecialForm

    from .._engine.context import Context

    TypeExpression: TypeAlias = UnionType | _SpecialForm
    """A type that is not a class, as in `type=str | None`. Type checkers cannot infer the value's
    type from it before they support TypeForm (PEP 747), so the value is Any."""

P = ParamSpec("P")
R = TypeVar("R")

_EMPTY = inspect.Parameter.empty


class WorkflowRef(Generic[P, R]):
    """The name and the types of a workflow, without its code: enough to invoke it."""

    needs_key = False
    """Whether it is an object's handler, which needs a key; False where that is not known."""

    def __init__(self, name: str, result: Any = Any) -> None:
        check_name(name, "a handler")
        self.name = name
        self._result = shape_of(result)

    def encode_input(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> payload_pb2.Payload | None:
        """Returns the payload of arguments; raises TypeError for arguments that do not fit."""
        if kwargs:
            if args:
                raise TypeError(f"{self.name}: give several arguments by name")
            return encode(kwargs)
        if len(args) > 1:
            raise TypeError(f"{self.name}: give several arguments by name")
        return encode(args[0]) if args else None

    def encode_value(self, value: Any) -> payload_pb2.Payload | None:
        """Returns the payload of an input given as one value; see `Context.send_delayed`."""
        return None if value is None else encode(value)

    def decode_output(self, payload: payload_pb2.Payload) -> Any:
        """Returns the result that a payload holds."""
        return decode_as(payload, self._result)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Workflow(WorkflowRef[P, R]):
    """A durable async function. Calling it runs the plain function, for unit tests."""

    kind: invocation_pb2.HandlerKind = invocation_pb2.HANDLER_KIND_WORKFLOW

    def __init__(
        self,
        function: Callable[Concatenate[Context, P], Awaitable[R]],
        *,
        name: str | None = None,
        retry: RetryPolicy | None = None,
        retention: float | timedelta | None = None,
        version: str | None = None,
        timeout: float | timedelta | None = None,
        max_concurrent: int = 0,
        versioning: Versioning | None = None,
    ) -> None:
        if isinstance(function, Workflow):
            raise TypeError(f"{function.name} is a workflow already; decorate it once")
        check_async(function, "workflow")
        super().__init__(function.__name__ if name is None else name)
        check_options(self.name, version, max_concurrent)
        self.function = function
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry is a durable.RetryPolicy, not {retry!r}")
        self.retry = retry
        self.retention = None if retention is None else span(retention, "retention")
        self.timeout = None if timeout is None else limit(timeout, "timeout")
        self.max_concurrent = max_concurrent
        if versioning is not None:
            check_versioning(versioning, self.name)
        self.versioning: Versioning | None = versioning
        self._version = version
        parameters = list(signature_of(function).parameters.values())
        check_parameters(self.name, parameters)
        first = parameters[0]
        # Under a decorator, the first parameter may be a value that the decorator derives from the
        # context.
        if unwrapped(function) is function and is_value(resolve_hint(function, first.name)):
            raise TypeError(f"{self.name}: the first parameter must be the context, not {first}")
        self._parameters = parameters[1:]
        self._signature = inspect.Signature(self._parameters)
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._shapes: dict[str, Shape] = {}
        self._surroundings = Surroundings(function)
        self._complete = False
        self._find_shapes(final=False)

    def __call__(self, ctx: Context, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Runs the function itself."""
        # A call without a context, from within a workflow, was probably meant as an invocation.
        inside = getattr(_get_running_loop(), "runs_workflow", False)
        if inside and not hasattr(ctx, "invocation_id"):
            raise TypeError(
                f"{self.name} was called as a function, whose first argument is the context; write"
                f" ctx.invoke({self.name}, ...) to invoke it"
            )
        return self.function(ctx, *args, **kwargs)

    def ref(self) -> WorkflowRef[P, R]:
        """Returns a reference with the name and the types, without the code."""
        return _TypedRef(self)

    @cached_property
    def version(self) -> str:
        """The version of the code: the one given, or a hash of the function's source."""
        if self._version is not None:
            return self._version
        try:
            source = inspect.getsource(self.function).encode()
        except (OSError, TypeError):
            source = self.function.__code__.co_code
        return hashlib.blake2b(source, digest_size=6).hexdigest()

    def check(self) -> None:
        """Raises TypeError for a parameter or a result whose type cannot be resolved or read.

        The decorator raises it too for a type that cannot be read. But a name that is not defined
        yet at the decorator may be defined when the workflow is served, so it is looked up again
        here.
        """
        if not self._complete:
            self._find_shapes(final=True)

    @property
    def scope(self) -> Scope:
        """The names that type hints may use: the function's, and those around its definition."""
        return function_scope(unwrapped(self.function), self._surroundings.scope())

    def defined_as(self, other: Workflow[..., Any]) -> None:
        """Takes over the types and the scope of another workflow of the same function."""
        self._shapes = dict(other._shapes)
        self._surroundings = other._surroundings
        self._complete = other._complete

    def _find_shapes(self, *, final: bool) -> None:
        """Finds the shapes of parameters and result; with `final`, no name may be undefined."""
        scope = self.scope
        complete = True
        for name in (*(it.name for it in self._parameters), "return"):
            if name in self._shapes:
                continue
            what = "the result" if name == "return" else f"the parameter {name!r}"
            hint = resolve_hint(self.function, name, scope)
            try:
                if isinstance(hint, Unresolved):
                    raise UnresolvedError(f"the type {hint}")
                self._shapes[name] = shape_of(hint, scope)
            except UnresolvedError as error:
                complete = False
                if final:
                    raise UnresolvedError(
                        f"{self.name}: {what}: {error}; it must be there at run time: import it"
                        " outside of `if TYPE_CHECKING`, and define it where the function is"
                    ) from None
            except HintError as error:
                raise HintError(f"{self.name}: {what}: {error}") from None
        if complete or final:
            self._surroundings.release()
            self._complete = True

    def _shape(self, name: str) -> Shape:
        if not self._complete:
            self._find_shapes(final=True)
        return self._shapes.get(name, ANYTHING)

    def encode_input(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> payload_pb2.Payload | None:
        """Returns the payload of arguments; raises TypeError for arguments that do not fit."""
        if len(args) == 1 and not kwargs and len(self._parameters) == 1:
            return encode_as(args[0], self._shape(self._parameters[0].name))
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        if not given:
            return None
        if len(self._parameters) == 1:
            return encode_as(next(iter(given.values())), self._shape(self._parameters[0].name))
        for name, value in given.items():
            if problem := roundtrip_problem(value, self._shape(name)):
                raise CodecError(f"{name}: {problem}")
        return encode(given)

    def encode_value(self, value: Any) -> payload_pb2.Payload | None:
        """Returns the payload of an input given as one value; see `Context.send_delayed`.

        Raises TypeError for a value that does not fit the parameters.
        """
        parameters = self._parameters
        if value is None and (len(parameters) != 1 or parameters[0].default is not _EMPTY):
            return self.encode_input((), {})
        if len(parameters) > 1 and isinstance(value, Mapping):
            return self.encode_input((), dict(value))
        return self.encode_input((value,), {})

    def decode_input(self, payload: payload_pb2.Payload | None) -> tuple[tuple[Any, ...], Any]:
        """Returns the arguments; raises CodecError for a payload that does not fit."""
        parameters = self._parameters
        if not parameters:
            return (), {}
        if len(parameters) == 1:
            only = parameters[0]
            if payload is None:
                if only.default is _EMPTY:
                    raise CodecError(f"{self.name} needs an input: {only.name}")
                return (), {}
            value = decode_as(payload, self._shape(only.name))
            return ((), {only.name: value}) if only.kind is only.KEYWORD_ONLY else ((value,), {})
        data = {} if payload is None else load_object(payload, f"the arguments of {self.name}")
        unknown = sorted(data.keys() - {it.name for it in parameters})
        if unknown:
            raise CodecError(f"{self.name} has no parameter {', '.join(unknown)}")
        missing = [it.name for it in parameters if it.default is _EMPTY and it.name not in data]
        if missing:
            raise CodecError(f"{self.name} needs {', '.join(missing)}")
        given = {
            it.name: read_as(data[it.name], self._shape(it.name), it.name)
            for it in parameters
            if it.name in data
        }
        # Parameters before a `/` cannot be given by name, and none of them may be left out.
        first = [it for it in parameters if it.kind is it.POSITIONAL_ONLY]
        return tuple(given.pop(it.name, it.default) for it in first), given

    def encode_output(self, value: Any) -> payload_pb2.Payload:
        """Returns the payload of a result; raises CodecError for one that has none."""
        return encode_as(value, self._shape("return"))

    def decode_output(self, payload: payload_pb2.Payload) -> Any:
        """Returns the result that a payload holds."""
        return decode_as(payload, self._shape("return"))

    def spec(self, versioning: Versioning = "auto") -> invocation_pb2.HandlerSpec:
        """Returns the HandlerSpec that a worker registers for the workflow.

        `versioning` is the policy of a workflow that does not say one.
        """
        spec = invocation_pb2.HandlerSpec(
            name=self.name,
            kind=self.kind,
            max_concurrent=self.max_concurrent,
            version=self.version,
            description=inspect.cleandoc(self.__doc__ or "")[:4000],
            input_schema=self._input_schema(),
            output_schema=described_schema(self._shape("return")),
            versioning=NUMBERS[self.versioning or versioning],
        )
        if self.retry is not None:
            spec.retry_policy.CopyFrom(self.retry.message())
        if self.retention is not None:
            spec.retention.FromTimedelta(self.retention)
        if self.timeout is not None:
            spec.timeout.FromTimedelta(self.timeout)
        return spec

    def _input_schema(self) -> str:
        parameters = self._parameters
        if len(parameters) == 1:
            return described_schema(self._shape(parameters[0].name))
        if not parameters:
            return ""
        arguments = Record(dict, f"arguments of {self.name}")
        arguments.fill(
            Field(it.name, self._shape(it.name), required=it.default is _EMPTY) for it in parameters
        )
        return described_schema(arguments)


class _TypedRef(WorkflowRef[P, R]):
    """A reference made from a workflow; it encodes and decodes as the workflow does."""

    def __init__(self, workflow: Workflow[P, R]) -> None:
        super().__init__(workflow.name)
        self.needs_key = workflow.needs_key
        self.encode_value = workflow.encode_value  # type: ignore[method-assign]  # same signature
        self.encode_input = workflow.encode_input  # type: ignore[method-assign]  # same signature
        self.decode_output = workflow.decode_output  # type: ignore[method-assign]  # same signature


@overload
def workflow(function: Callable[Concatenate[Context, P], Awaitable[R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: float | timedelta | None = None,
    version: str | None = None,
    timeout: float | timedelta | None = None,
    max_concurrent: int = 0,
    versioning: Versioning | None = None,
) -> Callable[[Callable[Concatenate[Context, P], Awaitable[R]]], Workflow[P, R]]: ...
def workflow(
    function: Callable[Concatenate[Context, P], Awaitable[R]] | None = None,
    /,
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: float | timedelta | None = None,
    version: str | None = None,
    timeout: float | timedelta | None = None,
    max_concurrent: int = 0,
    versioning: Versioning | None = None,
) -> Any:
    """Makes an async function durable.

    `name` is the registered name (default: the function's), `retry` the policy for failures of its
    steps and of the program, `retention` how long a finished invocation is kept (default 24 h),
    `version` the version of the code (default: a hash of the source). An invocation that takes
    longer than `timeout` is cancelled and fails. Both are in seconds or timedeltas; a retention of
    0 keeps nothing, a timeout is more than 0, None is no limit. At most `max_concurrent` of its
    invocations run at a time, over all workers; 0 for no limit. `versioning` says which workers go
    on with an invocation that has a journal: "auto" for any, "pinned" for those of the build that
    began it, None for what the worker says. Raises TypeError for a function that is not async or
    has no context and for an option of a wrong type, ValueError for a name that is not allowed, for
    a span of time out of range and for another versioning.
    """

    def make(it: Callable[Concatenate[Context, P], Awaitable[R]]) -> Workflow[P, R]:
        return Workflow(
            it,
            name=name,
            retry=retry,
            retention=retention,
            version=version,
            timeout=timeout,
            max_concurrent=max_concurrent,
            versioning=versioning,
        )

    return make if function is None else make(function)


def check_key(workflow: WorkflowRef[..., Any], key: str) -> None:
    """Raises TypeError for an object's handler without a key."""
    if workflow.needs_key and not key:
        raise TypeError(
            f"{workflow.name} is a keyed handler; say which key it is for: write"
            " .options(key=...) before the call"
        )


@overload
def ref(name: str) -> WorkflowRef[..., Any]: ...
@overload
def ref(name: str, result: type[R]) -> WorkflowRef[..., R]: ...
@overload
def ref(name: str, result: TypeExpression) -> WorkflowRef[..., Any]: ...
def ref(name: str, result: Any = Any) -> WorkflowRef[..., Any]:
    """Names a workflow whose code is elsewhere; `result` is the type of its value.

    Raises ValueError for a name that is not allowed, TypeError for a type that cannot be read.
    """
    return WorkflowRef(name, result)
