"""What a workflow sees of the system: the context that is its first argument.

Every operation here is an entry of the journal or a function of it. The context holds no rule of its
own: it turns a call into an operation of the attempt.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .._common.durations import in_seconds
from .._definitions.call_checks import check_step
from .._definitions.callables import described
from .abilities import NO_OPTIONS, Abilities
from .futures import DurableFuture
from .service_calls import DurableChannel, call_by_name

if TYPE_CHECKING:
    import grpc.aio
    from google.protobuf.message import Message

    from .._definitions.objects import ObjectHandler, ObjectRef
    from .._definitions.workflow import Workflow, WorkflowRef
    from .attempt import Attempt

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
M = TypeVar("M", bound="Message")

_current: ContextVar[Context | None] = ContextVar("durable_context", default=None)


def current_context() -> Context:
    """Returns the context of the workflow that runs; raises LookupError outside of one.

    A step is outside: it has the other context variables of its workflow, and not this one.
    """
    context = _current.get()
    if context is None:
        raise LookupError(
            "no workflow runs here; give a step what it needs, such as ctx.invocation_id, as an"
            " argument"
        )
    return context


def leave_workflow() -> None:
    """Makes the code that runs from here on no part of its workflow: a step begins."""
    _current.set(None)


class Context(Abilities):
    """The durable operations of one invocation."""

    __slots__ = ("_logger",)

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._options = NO_OPTIONS
        self._logger: ReplayLogger | None = None

    # Who and when

    @property
    def invocation_id(self) -> str:
        """The invocation's id."""
        return self._attempt.invocation_id

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1: the one thing here that a replay does not repeat."""
        return self._attempt.number

    @property
    def handler(self) -> str:
        """The name under which the workflow was invoked."""
        return self._attempt.start.handler

    @property
    def key(self) -> str:
        """The object key, or an empty string."""
        return self._attempt.start.key

    @property
    def headers(self) -> Mapping[str, str]:
        """The caller's headers; durable calls carry them on."""
        return self._attempt.start.headers

    @property
    def service(self) -> str:
        """The service label that the caller gave, or an empty string."""
        return self._attempt.start.service

    @property
    def partition_key(self) -> str:
        """The partition key that the caller gave, or an empty string."""
        return self._attempt.start.partition_key

    @property
    def is_replaying(self) -> bool:
        """True while the program goes over what is in the journal already."""
        return self._attempt.replaying

    def time(self) -> float:
        """The journal's time: seconds since the Unix epoch, the same in each replay.

        Raises NonDurableAwaitError in a step, as do `now`, `random` and `uuid4`: call it before, and
        hand its value to the step.
        """
        self._attempt.check_own("ctx.time()")
        return self._attempt.time()

    def now(self) -> datetime:
        """The journal's time as a UTC datetime, the same in each replay; not in a step."""
        self._attempt.check_own("ctx.now()")
        return datetime.fromtimestamp(self._attempt.time(), UTC)

    @property
    def random(self) -> random.Random:
        """Random numbers that are the same in each replay; not in a step."""
        self._attempt.check_own("ctx.random", "draw before, and hand the value to the step")
        return self._attempt.random

    def uuid4(self) -> uuid.UUID:
        """A random UUID that is the same in each replay; not in a step."""
        self._attempt.check_own("ctx.uuid4()")
        return uuid.UUID(int=self._attempt.random.getrandbits(128), version=4)

    @property
    def logger(self) -> ReplayLogger:
        """A logger that names the invocation; silent during replay and when the attempt is over.

        What a step logs is always new, and is logged.
        """
        if self._logger is None:
            self._logger = ReplayLogger(self._attempt)
        return self._logger

    # What is journaled

    @overload
    def run(
        self,
        name: str,
        function: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> DurableFuture[T]: ...
    @overload
    def run(
        self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> DurableFuture[T]: ...
    def run(
        self, name: str, function: Callable[..., Any] | None = None, /, *args: Any, **kwargs: Any
    ) -> DurableFuture[Any]:
        """Runs a step: a function with effects outside, once its result is journaled never again.

        An async function runs on the worker's event loop, another one in a thread; in both it has a
        copy of the workflow's context variables. It may run more than once (a crash between its end
        and the commit), its result counts once. A step that raises is tried again by its own retry
        policy (`ctx.options(retry=...)`) or the handler's; when its tries are used up, and at once for
        a TerminalError, the failure is journaled and raised here as StepFailedError. The value is what
        the payload says: a tuple without a type hint comes back as a list, live and in replay alike.
        Raises TypeError at once for what cannot be a step: no function, a generator, a result whose
        hint names what cannot be found.
        """
        check_step(name, function)
        assert function is not None  # which is what has been checked
        hint, blocking = described(function)
        options = self._options
        body = (lambda: function(*args, **kwargs)) if args or kwargs else function
        return self._attempt.run(name, body, hint, blocking, options.retry, options.timeout)

    def sleep(self, delay: float | timedelta) -> DurableFuture[None]:
        """Waits durably, in seconds or as a timedelta: over restarts, and without a worker.

        More than a hundred years, `math.inf` too, is endless, as with asyncio.sleep. Raises
        ValueError for nan, TypeError for what is no span of time.
        """
        return self._attempt.sleep(in_seconds(delay, "a delay"))

    def stub(self, stub_class: Callable[[grpc.aio.Channel], S]) -> S:
        """Returns your generated gRPC stub on a durable channel: its unary calls are journaled.

        The service's address is the worker's to know (`--service NAME=HOST:PORT`).
        """
        channel: Any = DurableChannel(self._attempt)
        return stub_class(channel)

    def durable_call(
        self,
        service: str,
        method: str,
        request: Message,
        response_type: type[M],
        *,
        timeout: float | timedelta | None = None,
    ) -> DurableFuture[M]:
        """Calls a gRPC method by name and journals the response.

        `service` is the full name (`hello.v1.HelloService`) or the short one, which is looked up in
        the file that declares the request. `timeout` is in seconds or a timedelta, 60 s by default.
        Every call
        carries the metadata `durable-idempotency-key: <invocation_id>/<step>`: the call may be made
        more than once, and a service that remembers the key makes its effect exactly-once.
        """
        return call_by_name(self._attempt, service, method, request, response_type, timeout)


if TYPE_CHECKING:

    class KeyedContext(Context):
        """What `ctx.options(key=...)` is to type checkers: it invokes handlers of objects too."""

        @overload
        def invoke(
            self,
            workflow: ObjectHandler[P, T] | ObjectRef[P, T],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> DurableFuture[T]: ...
        @overload
        def invoke(
            self, workflow: Workflow[P, T] | WorkflowRef[P, T], /, *args: P.args, **kwargs: P.kwargs
        ) -> DurableFuture[T]: ...
        @overload
        def invoke(self, workflow: str, arg: Any = ..., /) -> DurableFuture[Any]: ...
        def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        def send(
            self,
            workflow: ObjectHandler[P, T] | ObjectRef[P, T],
            /,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> DurableFuture[str]: ...
        @overload
        def send(
            self, workflow: Workflow[P, T] | WorkflowRef[P, T], /, *args: P.args, **kwargs: P.kwargs
        ) -> DurableFuture[str]: ...
        @overload
        def send(self, workflow: str, arg: Any = ..., /) -> DurableFuture[str]: ...
        def send(self, workflow: Any, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        def send_delayed(
            self,
            handler: ObjectHandler[[S], Any] | ObjectRef[[S], Any] | WorkflowRef[[S], Any],
            args: S,
            delay: float | timedelta,
            partition_key: str = "",
        ) -> DurableFuture[str]: ...
        @overload
        def send_delayed(
            self,
            handler: WorkflowRef[..., Any],
            args: Mapping[str, Any] | None,
            delay: float | timedelta,
            partition_key: str = "",
        ) -> DurableFuture[str]: ...
        @overload
        def send_delayed(
            self, handler: str, args: Any, delay: float | timedelta, partition_key: str = ""
        ) -> DurableFuture[str]: ...
        def send_delayed(self, *args: Any, **kwargs: Any) -> Any: ...

else:
    # At run time a view is a view, whatever its options are.
    KeyedContext = Context


class ReplayLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs with the invocation's id, and not what an earlier attempt has logged."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(logging.getLogger(f"durable.workflow.{attempt.start.handler}"), {})
        self._attempt = attempt

    def isEnabledFor(self, level: int) -> bool:
        """Says whether a record of this level would be logged now."""
        attempt = self._attempt
        if attempt.runs_here and (attempt.replaying or attempt.over):
            return False
        return super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Adds the invocation, the attempt and the handler to the record."""
        attempt = self._attempt
        extra = {
            **(kwargs.get("extra") or {}),
            "invocation_id": attempt.invocation_id,
            "attempt": attempt.number,
            "handler": attempt.start.handler,
        }
        return f"[{attempt.invocation_id[:8]}] {msg}", {**kwargs, "extra": extra}
