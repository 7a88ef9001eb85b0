"""The context: the first argument of a workflow, through which it does everything durable.

Each method starts an operation of the journal or returns a function of it. The context has no rules
of its own: it turns a call into one of the parts of the attempt (`program`). `options` returns a
view of the context whose operations are started with options, as `options` of a client does.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    NoReturn,
    ParamSpec,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from durable_proto.v1 import payload_pb2

from .._common.durations import in_seconds, limit, span
from .._common.values.serde import decode, encode
from .._definitions.call_checks import check_step, refuse_target
from .._definitions.callables import described
from .._definitions.retry import RetryPolicy
from .._definitions.workflow import Workflow, WorkflowRef, check_key
from .futures import Awakeable, DurableFuture
from .program import Program
from .replay_logger import ReplayLogger
from .server_operations import Target
from .service_calls import DurableChannel, call_by_name

if TYPE_CHECKING:
    import grpc.aio
    from google.protobuf.message import Message

    from .._definitions.objects import ObjectHandler, ObjectRef
    from .._definitions.workflow import TypeExpression

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
S = TypeVar("S")
M = TypeVar("M", bound="Message")

CALLS_STEP_BODIES: Final = True
"""Read by `retry.is_wrong_call`: an error raised here, in the body that `run` makes, is the user's."""

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


def enter_workflow(context: Context) -> None:
    """Makes a context the current one for the code that runs from here on."""
    _current.set(context)


def leave_workflow() -> None:
    """Leaves the code that runs from here on without a current context, because a step begins."""
    _current.set(None)


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """With which options an operation is started."""

    key: str = ""
    idempotency_key: str = ""
    partition_key: str = ""
    delay: timedelta | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None


NO_OPTIONS = OperationOptions()


class _GivenOptions(TypedDict, total=False):
    """The options of `Context.options` besides `key`, as type checkers see them."""

    idempotency_key: str
    partition_key: str
    delay: float | timedelta | None
    retry: RetryPolicy | None
    timeout: float | timedelta | None


class Context:
    """The durable operations of one invocation."""

    __slots__ = ("_logger", "_options", "_program")

    def __init__(self, program: Program) -> None:
        self._program = program
        self._options = NO_OPTIONS
        self._logger: ReplayLogger | None = None

    @overload
    def options(self, *, key: str, **options: Unpack[_GivenOptions]) -> KeyedContext: ...
    @overload
    def options(self, **options: Unpack[_GivenOptions]) -> Self: ...
    def options(
        self,
        *,
        key: str = "",
        idempotency_key: str = "",
        partition_key: str = "",
        delay: float | timedelta | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | timedelta | None = None,
    ) -> Any:
        """Returns a view of this context whose operations have these options.

        For `invoke` and `send`: `key` is the object key, `idempotency_key` names the work so that a
        second start finds the first, `partition_key` chooses the partition, `delay` (seconds or a
        timedelta) starts it later. For `run`: `retry` is the step's own policy instead of the
        handler's, `timeout` (seconds or a timedelta, more than 0) bounds each of its tries, from when
        the step's body begins. An async step that takes longer is cancelled; a sync one is abandoned,
        and its thread goes on, because nothing can stop it. Raises TypeError for an option of a
        wrong type, ValueError for a span of time out of range.
        """
        if retry is not None and not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry is a durable.RetryPolicy, not {retry!r}")
        given = {
            "key": key,
            "idempotency_key": idempotency_key,
            "partition_key": partition_key,
            "delay": None if delay is None else span(delay, "delay"),
            "retry": retry,
            "timeout": None if timeout is None else limit(timeout, "timeout").total_seconds(),
        }
        view = copy(self)
        view._options = replace(self._options, **{k: v for k, v in given.items() if v})  # type: ignore[arg-type]  # each is its field's type
        return view

    # The invocation, its clock and its random numbers

    @property
    def invocation_id(self) -> str:
        """The invocation's id."""
        return self._program.invocation_id

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1; nothing else here differs from replay to replay."""
        return self._program.attempt

    @property
    def handler(self) -> str:
        """The name under which the workflow was invoked."""
        return self._program.start.handler

    @property
    def key(self) -> str:
        """The object key, or an empty string."""
        return self._program.start.key

    @property
    def headers(self) -> Mapping[str, str]:
        """The caller's headers; durable calls carry them on."""
        return self._program.start.headers

    @property
    def service(self) -> str:
        """The service label that the caller gave, or an empty string."""
        return self._program.start.service

    @property
    def partition_key(self) -> str:
        """The partition key that the caller gave, or an empty string."""
        return self._program.start.partition_key

    @property
    def is_replaying(self) -> bool:
        """True while the program repeats what is in the journal already."""
        return self._program.operations.replaying

    def time(self) -> float:
        """The journal's time: seconds since the Unix epoch, the same in each replay.

        Raises NonDurableAwaitError in a step, as do `now`, `random` and `uuid4`: call it before, and
        hand its value to the step.
        """
        self._program.code.check("ctx.time()")
        return self._program.journal.seconds

    def now(self) -> datetime:
        """The journal's time as a UTC datetime, the same in each replay; not in a step."""
        self._program.code.check("ctx.now()")
        return datetime.fromtimestamp(self._program.journal.seconds, UTC)

    @property
    def random(self) -> random.Random:
        """Random numbers that are the same in each replay; not in a step."""
        self._program.check_random()
        return self._program.random

    def uuid4(self) -> uuid.UUID:
        """A random UUID that is the same in each replay; not in a step."""
        self._program.code.check("ctx.uuid4()")
        return uuid.UUID(int=self._program.random.getrandbits(128), version=4)

    @property
    def logger(self) -> ReplayLogger:
        """A logger that names the invocation; silent during replay and when the attempt has ended.

        Within a step it always logs, because a replay does not run the step again.
        """
        if self._logger is None:
            self._logger = ReplayLogger(self._program)
        return self._logger

    # The run and its journal

    @property
    def journal_length(self) -> int:
        """How many operations the run has started up to here, without patches; the same in each replay.

        The control plane holds an invocation whose run has more than `journal_entries`. A program that
        goes on without an end continues as new before: `if ctx.journal_length > 5_000: ...`.
        """
        operations = self._program.operations
        # Code without the call of a deprecated patch cannot tell on which side of it it is.
        return operations.next_index - operations.first_index - operations.patch_count

    def continue_as(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Ends this run and begins the next one, with an empty journal and these arguments.

        The invocation stays the same for everybody else: its id, its state, the object key that it has
        locked, whoever waits for its result, and the signals that it has not taken yet are kept; one
        whose future is done is taken, so read it first. An awakeable that the program has read starts
        anew. The next run has a timeout of its own, other random numbers, and goes to the worker that
        a new invocation would go to: so it gets new code.

        It never returns: AttemptEnded is raised here, and the handler ends at once, also from within a
        task. `finally` blocks run, but cannot start durable operations. A saga's block counts as left
        without an error. Steps that nothing awaits are awaited first, as at the end of a handler;
        children that are still running go on by themselves.

        Raises TypeError for arguments that the handler does not take, CodecError for values that it
        could not decode, TerminalError for an input that is too large, and NonDurableAwaitError in a
        step.
        """
        self._program.continue_as(args, kwargs)

    # Changes of the code

    def patched(self, name: str) -> bool:
        """Returns whether this invocation runs with a change of its code, and journals that it does.

        Write it around a change of a workflow's operations, with a name of your choice:

            if ctx.patched("add-tax"):
                tax = await ctx.run("tax", compute_tax, order)
            else:
                tax = 0  # what the code did before

        True for every invocation that comes here for the first time; False while a journal is
        repeated that went past this place before the change. The first answer for a name counts for
        the whole invocation, so you may ask in a loop and in several places. After
        `ctx.continue_as` the next run asks anew.

        The two branches are for two kinds of journals. `durable patches` tells when no journal needs
        the old branch any more: then remove it and write `ctx.deprecate_patch(name)` in place of the
        question. Not in a step: ask before, and hand the answer to the step. Raises ValueError for an
        empty name and one of more than 256 bytes.
        """
        return self._program.patches.ask(name)

    def deprecate_patch(self, name: str) -> None:
        """Takes the place of a question `ctx.patched(name)` whose answer is always True by now.

        Write it where `patched` stood, when `durable patches` says that no journal needs the code
        without the change; the code with the change stays, without an `if`. It is journaled, so that
        workers which still ask go on with what it has begun. Remove the call when `durable patches`
        says that no journal needs it. An invocation that went past this place before the change is
        held, as by any other change of its operations.
        """
        self._program.patches.deprecate(name)

    # Steps, timers and service calls

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
        """Runs a step: a function with outside effects, which never runs again once it is journaled.

        An async function runs on the worker's event loop, a sync one in a thread; both have a copy of
        the workflow's context variables. The function may run more than once, because a crash may
        come between its end and the commit; its result counts once. A step that raises is retried by
        its own retry policy (`ctx.options(retry=...)`) or the handler's. When its tries are used up,
        and at once for a TerminalError, the failure is journaled and raised here as StepFailedError.
        The value is the decoded payload: a tuple without a type hint comes back as a list, live and
        in replay alike. Raises TypeError at once for what cannot be a step: no function, a generator,
        a result whose type hint cannot be resolved.
        """
        check_step(name, function)
        assert function is not None  # check_step has raised otherwise
        hint, blocking = described(function)
        options = self._options
        body = (lambda: function(*args, **kwargs)) if args or kwargs else function
        return self._program.steps.run(name, body, hint, blocking, options.retry, options.timeout)

    def sleep(self, delay: float | timedelta) -> DurableFuture[None]:
        """Waits durably, for seconds or a timedelta: the wait survives restarts and needs no worker.

        A delay of more than a hundred years, such as `math.inf`, is endless, as with asyncio.sleep.
        Raises ValueError for nan, TypeError for what is no span of time.
        """
        return self._program.server.sleep(in_seconds(delay, "a delay"))

    def stub(self, stub_class: Callable[[grpc.aio.Channel], S]) -> S:
        """Returns your generated gRPC stub on a durable channel: its unary calls are journaled.

        The worker knows the service's address (`--service NAME=HOST:PORT`).
        """
        channel: Any = DurableChannel(self._program.steps)
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
        Every call carries the metadata `durable-idempotency-key: <invocation_id>/<step>`: the call
        may be made more than once, and a service that remembers the key makes its effect
        exactly-once.
        """
        return call_by_name(self._program.steps, service, method, request, response_type, timeout)

    # State

    @overload
    def get(self, name: str) -> DurableFuture[Any]: ...
    @overload
    def get(self, name: str, type: type[T]) -> DurableFuture[T | None]: ...
    @overload
    def get(self, name: str, type: type[T], default: T) -> DurableFuture[T]: ...
    @overload
    def get(self, name: str, type: TypeExpression, default: Any = None) -> DurableFuture[Any]: ...
    def get(self, name: str, type: Any = Any, default: Any = None) -> DurableFuture[Any]:
        """Reads a value of the state: the object key's, or this workflow's own.

        The future has `default` if there is no value. `type` is the type as which the value is
        decoded: a class, or any other type such as `list[str]` or `str | None` (for type checkers
        the value of a union is Any).
        """
        return self._program.state.get(name, type, default)

    def set(self, name: str, value: Any) -> None:
        """Sets a value of the state; raises TerminalError in a shared handler."""
        if not name:
            raise ValueError("the name of a state value must not be empty")
        self._program.state.set(name, value)

    def clear(self, name: str) -> None:
        """Removes a value of the state."""
        if not name:
            raise ValueError("the name is empty; to remove everything use ctx.clear_all()")
        self._program.state.clear(name)

    def clear_all(self) -> None:
        """Removes the whole state."""
        self._program.state.clear("")

    def state_keys(self) -> DurableFuture[list[str]]:
        """Returns the names in the state, sorted."""
        return self._program.state.keys()

    # Awakeables and signals

    @overload
    def awakeable(self, id: str | None = None) -> Awakeable[Any]: ...
    @overload
    def awakeable(self, id: str | None = None, *, type: type[T]) -> Awakeable[T]: ...
    @overload
    def awakeable(self, id: str | None = None, *, type: TypeExpression) -> Awakeable[Any]: ...
    def awakeable(self, id: str | None = None, *, type: Any = Any) -> Awakeable[Any]:
        """Makes a promise that something outside resolves; await it, and hand out its `id`.

        Without an `id` it gets a unique one. An id of your own belongs to the invocation that uses it
        first. A rejection is raised as StepFailedError.

        The control plane knows the `type` as a JSON Schema, and refuses a value of another type when
        it is sent. A value that was sent before the awakeable was made, or that only the program can
        find to be wrong, is raised as CodecError; catch it and make an awakeable with the same id
        again to take the next value. A type that cannot be decoded raises TypeError here.
        """
        return self._program.server.awakeable(id, type)

    @overload
    def promise(self, name: str) -> Awakeable[Any]: ...
    @overload
    def promise(self, name: str, *, type: type[T]) -> Awakeable[T]: ...
    @overload
    def promise(self, name: str, *, type: TypeExpression) -> Awakeable[Any]: ...
    def promise(self, name: str, *, type: Any = Any) -> Awakeable[Any]:
        """Makes an awakeable of this invocation by name: its id is `<invocation id>.<name>`.

        For `type`, and for values that are not of it, see `awakeable`.
        """
        return self._program.server.awakeable(f"{self._program.invocation_id}.{name}", type)

    @overload
    def signal(self, name: str) -> DurableFuture[Any]: ...
    @overload
    def signal(self, name: str, *, type: type[T]) -> DurableFuture[T]: ...
    @overload
    def signal(self, name: str, *, type: TypeExpression) -> DurableFuture[Any]: ...
    def signal(self, name: str, *, type: Any = Any) -> DurableFuture[Any]:
        """Waits for the next signal with a name; signals are taken in the order of their sending.

        While it waits, the control plane refuses a value that is not of the `type` when it is sent. A
        value that was sent earlier is raised as CodecError; the next `signal` with that name takes the
        next one.
        """
        return self._program.server.signal(name, type)

    def resolve_awakeable(self, awakeable_id: str, value: Any = None) -> DurableFuture[None]:
        """Resolves an awakeable.

        Raises StepFailedError if it has another outcome already, and with the type
        `durable.InvalidValue` if the value is not of the type that is waited for.
        """
        return self._program.server.resolve(awakeable_id, payload_pb2.Outcome(value=encode(value)))

    def reject_awakeable(
        self, awakeable_id: str, message: str, code: int = 0
    ) -> DurableFuture[None]:
        """Rejects an awakeable: the workflow that awaits it gets a terminal failure."""
        failure = payload_pb2.Failure(
            type="durable.Rejected", message=message, code=code, terminal=True
        )
        return self._program.server.resolve(awakeable_id, payload_pb2.Outcome(failure=failure))

    def send_signal(self, invocation_id: str, name: str, value: Any = None) -> DurableFuture[None]:
        """Sends a signal to another invocation.

        Raises StepFailedError with the type `durable.InvalidValue` if the value is not of the type
        that is waited for there.
        """
        return self._program.server.resolve(
            name, payload_pb2.Outcome(value=encode(value)), invocation_id
        )

    # Other invocations

    @overload
    def invoke(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> DurableFuture[R]: ...
    @overload
    def invoke(self, workflow: str, arg: Any = ..., /) -> DurableFuture[Any]: ...
    def invoke(self, workflow: Any, /, *args: Any, **kwargs: Any) -> DurableFuture[Any]:
        """Starts a child invocation; await it for its result.

        Raises ChildFailedError when it has failed, ChildCancelledError when it was cancelled; both
        are TerminalErrors. Cancelling the future cancels the child, unless an idempotency key has
        found one that was started elsewhere. A child that is not awaited when the handler ends goes
        on by itself.
        """
        return self._program.server.invoke(self._target(workflow, args, kwargs))

    @overload
    def send(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> DurableFuture[str]: ...
    @overload
    def send(self, workflow: str, arg: Any = ..., /) -> DurableFuture[str]: ...
    def send(self, workflow: Any, /, *args: Any, **kwargs: Any) -> DurableFuture[str]:
        """Starts an invocation that goes on by itself; await the future only to learn its id."""
        return self._program.server.send(self._target(workflow, args, kwargs))

    @overload
    def send_delayed(
        self,
        handler: WorkflowRef[[A], Any],
        args: A,
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
    def send_delayed(
        self,
        handler: WorkflowRef[..., Any] | str,
        args: Any,
        delay: float | timedelta,
        partition_key: str = "",
    ) -> DurableFuture[str]:
        """Starts an invocation later, after `delay` seconds or a timedelta.

        `args` is its input: the one argument, for several a dict by name, None for no argument.
        `ctx.options(delay=...).send(handler, ...)` does the same with arguments as in a call. Raises
        TypeError for arguments that the handler does not take.
        """
        if not isinstance(handler, str | WorkflowRef):
            refuse_target(handler)
        options = self._options
        if isinstance(handler, str):
            handler = WorkflowRef[Any, Any](handler)
        check_key(handler, options.key)
        target = Target(
            handler.name,
            handler.encode_value(args),
            decode,
            options.key,
            options.idempotency_key,
            partition_key or options.partition_key,
            span(delay, "delay"),
        )
        return self._program.server.send(target)

    @overload
    def attach(self, invocation_id: str) -> DurableFuture[Any]: ...
    @overload
    def attach(
        self, invocation_id: str, workflow: Workflow[P, R] | WorkflowRef[P, R]
    ) -> DurableFuture[R]: ...
    def attach(self, invocation_id: str, workflow: Any = None) -> DurableFuture[Any]:
        """Waits for the result of an invocation that something else has started."""
        if not (workflow is None or isinstance(workflow, WorkflowRef)):
            refuse_target(workflow)
        read = decode if workflow is None else workflow.decode_output
        return self._program.server.attach(invocation_id, read)

    def cancel(self, invocation_id: str) -> DurableFuture[None]:
        """Requests the cancellation of another invocation; does not wait until it has ended."""
        return self._program.server.cancel(invocation_id)

    def _target(self, workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Target:
        options = self._options
        if isinstance(workflow, str):
            workflow = WorkflowRef[Any, Any](workflow)
        elif not isinstance(workflow, WorkflowRef):
            refuse_target(workflow)
        check_key(workflow, options.key)
        return Target(
            workflow.name,
            workflow.encode_input(args, kwargs),
            workflow.decode_output,
            options.key,
            options.idempotency_key,
            options.partition_key,
            options.delay,
        )


if TYPE_CHECKING:

    class KeyedContext(Context):
        """The type of `ctx.options(key=...)`, which can invoke handlers of objects too."""

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
    # At run time there is one class, whatever the options are.
    KeyedContext = Context
