"""Workflows: what the decorator makes of an async function, and references without the code.

A workflow's type carries its arguments and its result: `Workflow[P, R]`, where P leaves out the
context. So `client.invoke(hello, "x")` is checked like a call of `hello` itself, and gives an R.

Arguments are one payload, in the form that other languages expect: no argument is no payload, one is
the value itself, several are a JSON object by parameter name.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from durable_proto.v1 import invocation_pb2, payload_pb2

from ._errors import CodecError
from ._serde import decode, encode

if TYPE_CHECKING:
    from types import UnionType
    from typing import TypeAlias, _SpecialForm

    from ._context import Context

    TypeExpression: TypeAlias = UnionType | _SpecialForm
    """What is no class, as in `type=str | None`: type checkers cannot tell the value's type from it,
    so that it is Any, until they know TypeForm (PEP 747)."""

P = ParamSpec("P")
R = TypeVar("R")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
"""What a handler may be called."""

_EMPTY = inspect.Parameter.empty
_SCHEMA_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_NO_CONTEXT = ("str", "int", "float", "bool", str, int, float, bool)
"""Annotations of a first parameter that show that the context was forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How failed attempts of a handler are repeated, with exponential backoff and jitter.

    - `initial_interval`: the delay before the second attempt.
    - `multiplier`: by what the delay grows, 1 or more.
    - `max_interval`: the longest delay.
    - `max_attempts`: how many attempts in a row may fail without progress in the journal; None for no
      limit.
    - `jitter`: the share of the delay that chance decides, 0 to 1.
    - `pause`: when they are used up, pause the invocation for a person instead of failing it.
    - `max_duration`: how long after the first failure in a row the attempts are used up too; None for
      no limit. What counts is when the failing attempt ends, for a step when it begins.
    - `retry_on`: if given, only these errors are retried; any other one is final.
    - `give_up_on`: these errors are final, as if they were TerminalErrors.
    """

    initial_interval: timedelta = timedelta(milliseconds=200)
    multiplier: float = 2.0
    max_interval: timedelta = timedelta(seconds=60)
    max_attempts: int | None = 50
    jitter: float = 0.2
    pause: bool = False
    max_duration: timedelta | None = None
    retry_on: tuple[type[BaseException], ...] = ()
    give_up_on: tuple[type[BaseException], ...] = ()

    def gives_up(self, error: BaseException) -> bool:
        """Says whether an error is final at once, whatever is left of the attempts."""
        if isinstance(error, self.give_up_on):
            return True
        return bool(self.retry_on) and not isinstance(error, self.retry_on)

    def message(self) -> invocation_pb2.RetryPolicy:
        """Returns the policy as the protocol has it."""
        kinds = invocation_pb2.RetryPolicy
        policy = invocation_pb2.RetryPolicy(
            multiplier=self.multiplier,
            max_attempts=-1 if self.max_attempts is None else self.max_attempts,
            jitter=self.jitter or -1,
            on_exhausted=kinds.EXHAUSTION_PAUSE if self.pause else kinds.EXHAUSTION_FAIL,
        )
        policy.initial_interval.FromTimedelta(self.initial_interval)
        policy.max_interval.FromTimedelta(self.max_interval)
        if self.max_duration is not None:
            policy.max_duration.FromTimedelta(self.max_duration)
        return policy


class WorkflowRef(Generic[P, R]):
    """The name and the types of a workflow, without its code: enough to invoke it."""

    needs_key = False
    """Whether it is known to be an object's handler, which is invoked with a key."""

    def __init__(self, name: str, result: Any = Any) -> None:
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a handler name: it must match {NAME.pattern}")
        self.name = name
        self._result = result

    def encode_input(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> payload_pb2.Payload | None:
        """Returns the payload of these arguments; raises TypeError for ones that do not fit."""
        if kwargs:
            if args:
                raise TypeError(f"{self.name}: give several arguments by name")
            return encode(kwargs)
        if len(args) > 1:
            raise TypeError(f"{self.name}: give several arguments by name")
        return encode(args[0]) if args else None

    def encode_value(self, value: Any) -> payload_pb2.Payload | None:
        """Returns the payload of an input that is given as one value; see `Context.send_delayed`."""
        return None if value is None else encode(value)

    def decode_output(self, payload: payload_pb2.Payload) -> Any:
        """Returns the result that a payload holds."""
        return decode(payload, self._result)

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
        retention: timedelta | None = None,
        version: str | None = None,
        timeout: timedelta | None = None,
        max_concurrent: int = 0,
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(f"{name} must be an `async def` function")
        super().__init__(name or function.__name__)
        self.function = function
        self.retry = retry
        self.retention = retention
        self.timeout = timeout
        self.max_concurrent = max_concurrent
        self._version = version
        parameters = list(inspect.signature(function).parameters.values())
        if not parameters:
            raise TypeError(f"{self.name}: the first parameter must be the context")
        first = parameters[0]
        if first.annotation in _NO_CONTEXT:
            raise TypeError(f"{self.name}: the first parameter must be the context, not {first}")
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"{self.name}: *args and **kwargs have no names to travel by")
        self._parameters = parameters[1:]
        self._signature = inspect.Signature(self._parameters)
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function

    def __call__(self, ctx: Context, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Runs the function itself."""
        return self.function(ctx, *args, **kwargs)

    def ref(self) -> WorkflowRef[P, R]:
        """Returns a reference that knows the name and the types and not the code."""
        return _TypedRef(self)

    @cached_property
    def version(self) -> str:
        """A word for the code's version: the one given, or a hash of the function's source."""
        if self._version is not None:
            return self._version
        try:
            source = inspect.getsource(self.function).encode()
        except (OSError, TypeError):
            source = self.function.__code__.co_code
        return hashlib.blake2b(source, digest_size=6).hexdigest()

    @cached_property
    def _hints(self) -> dict[str, Any]:
        # Looked at when first needed: by then all that annotations name is defined.
        try:
            return typing.get_type_hints(self.function, include_extras=True)
        except (NameError, TypeError):
            return {}

    def encode_input(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> payload_pb2.Payload | None:
        """Returns the payload of these arguments; raises TypeError for ones that do not fit."""
        if len(args) == 1 and not kwargs and len(self._parameters) == 1:
            return encode(args[0])
        given = self._signature.bind(*args, **kwargs).arguments
        if not given:
            return None
        if len(self._parameters) == 1:
            return encode(next(iter(given.values())))
        return encode(given)

    def encode_value(self, value: Any) -> payload_pb2.Payload | None:
        """Returns the payload of an input that is given as one value; see `Context.send_delayed`.

        Raises TypeError for one that does not fit the parameters.
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
            value = decode(payload, self._hints.get(only.name, Any))
            return ((), {only.name: value}) if only.kind is only.KEYWORD_ONLY else ((value,), {})
        data = {} if payload is None else decode(payload, dict)
        unknown = sorted(data.keys() - {it.name for it in parameters})
        if unknown:
            raise CodecError(f"{self.name} has no parameter {', '.join(unknown)}")
        missing = [it.name for it in parameters if it.default is _EMPTY and it.name not in data]
        if missing:
            raise CodecError(f"{self.name} needs {', '.join(missing)}")
        return (), {
            it.name: self._read(it.name, data[it.name]) for it in parameters if it.name in data
        }

    def _read(self, name: str, data: Any) -> Any:
        from ._serde import reader

        read = reader(self._hints.get(name, Any))
        return data if read is None else read(data, name)

    def decode_output(self, payload: payload_pb2.Payload) -> Any:
        """Returns the result that a payload holds."""
        return decode(payload, self._hints.get("return", Any))

    def spec(self) -> invocation_pb2.HandlerSpec:
        """Returns what a worker declares about the workflow."""
        spec = invocation_pb2.HandlerSpec(
            name=self.name,
            kind=self.kind,
            max_concurrent=self.max_concurrent,
            version=self.version,
            description=inspect.cleandoc(self.__doc__ or "")[:4000],
            input_schema=self._input_schema(),
            output_schema=_schema(self._hints.get("return", Any)),
        )
        if self.retry is not None:
            spec.retry_policy.CopyFrom(self.retry.message())
        if self.retention is not None:
            spec.retention.FromTimedelta(self.retention)
        if self.timeout is not None:
            spec.timeout.FromTimedelta(self.timeout)
        return spec

    def _input_schema(self) -> str:
        if len(self._parameters) != 1:
            return ""
        return _schema(self._hints.get(self._parameters[0].name, Any))


class _TypedRef(WorkflowRef[P, R]):
    """A reference made from a workflow: it binds arguments as the workflow does."""

    def __init__(self, workflow: Workflow[P, R]) -> None:
        super().__init__(workflow.name)
        self.needs_key = workflow.needs_key
        self.encode_value = workflow.encode_value  # type: ignore[method-assign]  # same signature
        self.encode_input = workflow.encode_input  # type: ignore[method-assign]  # same signature
        self.decode_output = workflow.decode_output  # type: ignore[method-assign]  # same signature


def _schema(hint: Any) -> str:
    """Returns the JSON Schema of a type where it is simple or the type knows it; else nothing."""
    import json

    if isinstance(hint, type):
        if hint in _SCHEMA_TYPES:
            return json.dumps({"type": _SCHEMA_TYPES[hint]})
        make = getattr(hint, "model_json_schema", None)
        if make is not None:
            return json.dumps(make())
    return ""


@overload
def workflow(function: Callable[Concatenate[Context, P], Awaitable[R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: timedelta | None = None,
    version: str | None = None,
    timeout: timedelta | None = None,
    max_concurrent: int = 0,
) -> Callable[[Callable[Concatenate[Context, P], Awaitable[R]]], Workflow[P, R]]: ...
def workflow(
    function: Callable[Concatenate[Context, P], Awaitable[R]] | None = None,
    /,
    *,
    name: str | None = None,
    retry: RetryPolicy | None = None,
    retention: timedelta | None = None,
    version: str | None = None,
    timeout: timedelta | None = None,
    max_concurrent: int = 0,
) -> Any:
    """Makes an async function durable.

    `name` is what it is registered as (default: the function's name), `retry` its policy for failed
    attempts, `retention` how long a finished invocation is kept (default 24 h), `version` a word for
    the code's version (default: a hash of the source). After `timeout` from its start an invocation
    is asked to end, as by a cancellation, and has failed. At most `max_concurrent` of its
    invocations run at a time, over all workers; 0 for no limit. Raises TypeError for a function that
    is not async or has no context, ValueError for a name that is not allowed.
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
        )

    return make if function is None else make(function)


def check_key(workflow: WorkflowRef[..., Any], key: str) -> None:
    """Raises TypeError for an object's handler that would be invoked without a key."""
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
    """Names a workflow whose code is elsewhere; `result` is the type of its value."""
    return WorkflowRef(name, result)
