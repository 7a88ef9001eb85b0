"""What a workflow can do through the control plane: the second half of the context.

No rule stands here: a call becomes an operation of the attempt (`_primitives`). `options` gives a view
of the context with which an operation is asked for differently, as `options` of a client does.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from durable_proto.v1 import payload_pb2

from .._common.durations import limit, span
from .._common.values.serde import decode, encode
from .._definitions.call_checks import refuse_target
from .._definitions.retry import RetryPolicy
from .._definitions.workflow import Workflow, WorkflowRef, check_key
from .futures import Awakeable, DurableFuture
from .primitives import Target

if TYPE_CHECKING:
    from .._definitions.workflow import TypeExpression
    from .attempt import Attempt
    from .context import KeyedContext

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """How an operation is asked for."""

    key: str = ""
    idempotency_key: str = ""
    partition_key: str = ""
    delay: timedelta | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None


NO_OPTIONS = OperationOptions()


class Abilities:
    """State, promises, signals and other invocations."""

    __slots__ = ("_attempt", "_options")

    _attempt: Attempt
    _options: OperationOptions

    @overload
    def options(
        self,
        *,
        key: str,
        idempotency_key: str = "",
        partition_key: str = "",
        delay: float | timedelta | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
    ) -> KeyedContext: ...
    @overload
    def options(
        self,
        *,
        idempotency_key: str = "",
        partition_key: str = "",
        delay: float | timedelta | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
    ) -> Self: ...
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
        the step's body begins. An async step that takes longer is cancelled; a sync one is given up,
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

        Gives `default` when there is none. `type` says what to make of it: a class, or any other
        type such as `list[str]` or `str | None` (the value of a union is Any to type checkers).
        """
        return self._attempt.get_state(name, type, default)

    def set(self, name: str, value: Any) -> None:
        """Sets a value of the state; raises TerminalError in a shared handler."""
        if not name:
            raise ValueError("the name of a state value must not be empty")
        self._attempt.set_state(name, value)

    def clear(self, name: str) -> None:
        """Removes a value of the state."""
        if not name:
            raise ValueError("the name is empty; to remove everything use ctx.clear_all()")
        self._attempt.clear_state(name)

    def clear_all(self) -> None:
        """Removes the whole state."""
        self._attempt.clear_state("")

    def state_keys(self) -> DurableFuture[list[str]]:
        """Returns the names in the state, sorted."""
        return self._attempt.state_keys()

    # Promises and signals

    @overload
    def awakeable(self, id: str | None = None) -> Awakeable[Any]: ...
    @overload
    def awakeable(self, id: str | None = None, *, type: type[T]) -> Awakeable[T]: ...
    @overload
    def awakeable(self, id: str | None = None, *, type: TypeExpression) -> Awakeable[Any]: ...
    def awakeable(self, id: str | None = None, *, type: Any = Any) -> Awakeable[Any]:
        """Makes a promise that something outside resolves; await it, and hand out its `id`.

        Without an id one is made that nobody else has. An id of your own belongs to the invocation
        that asks for it first. A rejection is raised as StepFailedError.

        A value that is not of the `type` is refused where it is given: the control plane knows the
        type as a JSON Schema. One that came before the program asked, or that only the program can
        tell to be wrong, is raised as CodecError; catch it and ask for the same id again, and the
        next value counts. A type that cannot be read raises TypeError here.
        """
        return self._attempt.awakeable(id, type)

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
        return self._attempt.awakeable(f"{self._attempt.invocation_id}.{name}", type)

    @overload
    def signal(self, name: str) -> DurableFuture[Any]: ...
    @overload
    def signal(self, name: str, *, type: type[T]) -> DurableFuture[T]: ...
    @overload
    def signal(self, name: str, *, type: TypeExpression) -> DurableFuture[Any]: ...
    def signal(self, name: str, *, type: Any = Any) -> DurableFuture[Any]:
        """Waits for the next signal of a name; what came before waits in its order.

        While it waits, a value that is not of the `type` is refused where it is sent. One that was
        sent before is raised as CodecError; the next `signal` of that name takes the next one.
        """
        return self._attempt.signal(name, type)

    def resolve_awakeable(self, awakeable_id: str, value: Any = None) -> DurableFuture[None]:
        """Resolves an awakeable.

        Raises StepFailedError if it has another outcome already, and with the type
        `durable.InvalidValue` if the value is not of the type that is waited for.
        """
        return self._attempt.resolve(awakeable_id, payload_pb2.Outcome(value=encode(value)))

    def reject_awakeable(
        self, awakeable_id: str, message: str, code: int = 0
    ) -> DurableFuture[None]:
        """Rejects an awakeable: whoever awaits it gets a terminal failure."""
        failure = payload_pb2.Failure(
            type="durable.Rejected", message=message, code=code, terminal=True
        )
        return self._attempt.resolve(awakeable_id, payload_pb2.Outcome(failure=failure))

    def send_signal(self, invocation_id: str, name: str, value: Any = None) -> DurableFuture[None]:
        """Sends a signal to another invocation.

        Raises StepFailedError with the type `durable.InvalidValue` if the value is not of the type
        that is waited for there.
        """
        return self._attempt.resolve(name, payload_pb2.Outcome(value=encode(value)), invocation_id)

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
        found one that somebody else has started. A child that nobody awaits when
        the handler ends goes on by itself.
        """
        return self._attempt.invoke(self._target(workflow, args, kwargs))

    @overload
    def send(
        self, workflow: Workflow[P, R] | WorkflowRef[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> DurableFuture[str]: ...
    @overload
    def send(self, workflow: str, arg: Any = ..., /) -> DurableFuture[str]: ...
    def send(self, workflow: Any, /, *args: Any, **kwargs: Any) -> DurableFuture[str]:
        """Starts an invocation that nobody waits for; await it only to learn its id."""
        return self._attempt.send(self._target(workflow, args, kwargs))

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
        `ctx.options(delay=...).send(handler, ...)` is the same with arguments as in a call. Raises
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
        return self._attempt.send(target)

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
        return self._attempt.attach(invocation_id, read)

    def cancel(self, invocation_id: str) -> DurableFuture[None]:
        """Asks another invocation to end; does not wait until it has."""
        return self._attempt.cancel(invocation_id)

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
