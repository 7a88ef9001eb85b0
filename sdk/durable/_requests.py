"""What the sync and the async client do, without doing it: operations as generators.

Theory. An operation is a generator. It yields a `Send` (make this unary call) or a `Sleep`, is sent
the response, or is thrown the typed error, and returns its result. The two clients differ only in
how they run it: `Client` with sync stubs and `time.sleep`, `AsyncClient` with `await`. Retries,
chunked waiting, request ids and the reading of answers are therefore written once, here.

Rules.
- A request is built once per operation and sent again as it is: its request id is what makes the
  retry safe, so it must not change between attempts.
- The client's timeout bounds the operation. The server is asked to wait at most WAIT_SECONDS_MAX in
  one call (its own limit is 55 s, and proxies cut long calls), then asked again.
- An RPC gets ANSWER_SECONDS more than the time that is left, so that the server's "not yet", which
  has the invocation's id, arrives before the deadline does. A timeout is exceeded by at most that.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias, TypedDict, TypeVar

import grpc
from durable_proto.v1 import control_pb2, payload_pb2
from durable_proto.v1.invocation_pb2 import INVOCATION_STATE_PAUSED
from google.protobuf.duration_pb2 import Duration

from ._errors import RpcError, UnavailableError, WaitTimeoutError
from ._result import Answer, Decoder, Result, outcome_value
from ._serde import decode, encode
from ._transport import backoff_seconds, is_retryable
from ._views import (
    FINAL_STATES,
    Handler,
    Invocation,
    InvocationPage,
    Stats,
    state_number,
    state_word,
)
from ._workflow import Workflow, WorkflowRef

if TYPE_CHECKING:
    from google.protobuf.message import Message

WAIT_SECONDS_MAX: Final = 50.0
ANSWER_SECONDS: Final = 2.0
DEFAULT_TIMEOUT_SECONDS: Final = 60.0
SILENCE_SECONDS_MAX: Final = 110.0
"""Without a timeout of the caller's, how long one call may stay unanswered before it is repeated."""
ATTEMPTS_SILENT: Final = 5
"""After this many retries, about a second, a warning says what is being waited for."""

_logger = logging.getLogger("durable.client")

T = TypeVar("T")


class Send(NamedTuple):
    """Asks the driver to make a unary call and to send back the response."""

    method: str
    request: Message
    timeout: float | None
    """Seconds; None for no deadline."""


class Sleep(NamedTuple):
    """Asks the driver to wait."""

    seconds: float


Operation: TypeAlias = Generator[Send | Sleep, Any, T]


class Unset:
    """The type of UNSET."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""Marks an argument that was not given, where None means something."""


@dataclass(frozen=True, slots=True)
class InvokeOptions:
    """What an invocation is started with, beside its arguments, and how long calls may take."""

    timeout: float | None
    partition_key: str = ""
    service: str = ""
    key: str = ""
    idempotency_key: str = ""
    headers: Mapping[str, str] | None = None
    delay: timedelta | None = None


class ClientBase:
    """What both clients have and what is no I/O: the options and the views that change them."""

    _options: InvokeOptions
    _owner: bool
    """Whether this one opened the connection, and so closes it."""

    def __init__(self, timeout: float | None) -> None:
        self._options = InvokeOptions(timeout)
        self._owner = True

    def options(
        self,
        *,
        partition_key: str | Unset = UNSET,
        service: str | Unset = UNSET,
        key: str | Unset = UNSET,
        idempotency_key: str | Unset = UNSET,
        headers: Mapping[str, str] | Unset | None = UNSET,
        timeout: float | Unset | None = UNSET,
        delay: timedelta | Unset | None = UNSET,
    ) -> Self:
        """Returns a view of this client with other options; what is not given stays as it is.

        `partition_key` chooses the partition, `service` is a label, `key` the object key,
        `idempotency_key` makes a second start of the same work answer with the first, `headers`
        travel to the handler, `timeout` bounds calls (seconds; None for no bound), `delay` starts
        the work that much later. The view shares the connection and need not be closed.
        """
        changes: dict[str, Any] = {
            "partition_key": partition_key,
            "service": service,
            "key": key,
            "idempotency_key": idempotency_key,
            "headers": headers,
            "timeout": timeout,
            "delay": delay,
        }
        given = {name: value for name, value in changes.items() if value is not UNSET}
        view = copy(self)
        view._options = replace(self._options, **given)
        view._owner = False
        return view


def new_request_id() -> str:
    """Returns a random UUID in its 32 character form (a fifth of what `uuid.uuid4` costs)."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return raw.hex()


def _duration(seconds: float) -> Duration:
    whole = int(seconds)
    return Duration(seconds=whole, nanos=int((seconds - whole) * 1e9))


# The wait of nearly every Invoke; copied into each request, never changed.
_LONGEST_WAIT: Final = _duration(WAIT_SECONDS_MAX)


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _call(method: str, request: Any, deadline: float | None, *, waits: bool) -> Operation[Any]:
    """Makes one call, trying again what may be retried until the deadline.

    `waits` says that the request has a `wait_timeout`, which is set for each attempt.
    """
    attempt = 0
    while True:
        if deadline is None:
            wait, timeout = WAIT_SECONDS_MAX, SILENCE_SECONDS_MAX
        else:
            wait = max(deadline - time.monotonic(), 0.0)
            timeout = wait + ANSWER_SECONDS
        if waits:
            if wait >= WAIT_SECONDS_MAX:
                request.wait_timeout.CopyFrom(_LONGEST_WAIT)
            else:
                request.wait_timeout.CopyFrom(_duration(wait))
        try:
            return (yield Send(method, request, timeout))
        except RpcError as error:
            # Without a deadline of the whole, a lost answer is no reason to give up.
            lost = deadline is None and error.code is grpc.StatusCode.DEADLINE_EXCEEDED
            if not (lost or is_retryable(error)):
                raise
            delay = backoff_seconds(attempt)
            if deadline is not None and time.monotonic() + delay >= deadline:
                raise
            if attempt == ATTEMPTS_SILENT:
                _logger.warning("%s; trying on", error)
        attempt += 1
        yield Sleep(delay)


def _invoke_request(
    handler: str, payload: payload_pb2.Payload | None, options: InvokeOptions
) -> control_pb2.InvokeRequest:
    return control_pb2.InvokeRequest(
        handler=handler,
        input=payload,
        key=options.key,
        idempotency_key=options.idempotency_key,
        request_id=new_request_id(),
        headers=options.headers,
        partition_key=options.partition_key,
        service=options.service,
        delay=options.delay,
    )


def _ended(answer: Answer) -> bool:
    return answer.state in FINAL_STATES or answer.state == INVOCATION_STATE_PAUSED


def _wait(answer: Answer, deadline: float | None, journal: bool) -> Operation[Answer]:
    """Asks on until the invocation has ended or is paused, or the time is up."""
    early = 0
    while not _ended(answer):
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            break
        request = control_pb2.GetResultRequest(
            invocation_id=answer.invocation_id, include_journal=journal
        )
        try:
            answer = yield from _call("GetResult", request, deadline, waits=True)
        except UnavailableError as error:
            # The id is what the caller needs to go on later, so it must be in the error.
            raise WaitTimeoutError(answer.invocation_id, state_word(answer.state)) from error
        if time.monotonic() - now < request.wait_timeout.seconds / 2 and not _ended(answer):
            # A server that does not wait must not be asked in a tight loop.
            pause = backoff_seconds(early)
            if deadline is not None:
                pause = max(0.0, min(pause, deadline - time.monotonic()))
            yield Sleep(pause)
            early += 1
    return answer


def _run_to_end(
    handler: str, payload: payload_pb2.Payload | None, options: InvokeOptions, journal: bool
) -> Operation[Answer]:
    deadline = _deadline(options.timeout)
    request = _invoke_request(handler, payload, options)
    if journal:
        request.include_journal = True
    answer: Answer = yield from _call("Invoke", request, deadline, waits=True)
    if answer.state in FINAL_STATES:
        return answer
    return (yield from _wait(answer, deadline, journal))


def _named(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[str, payload_pb2.Payload | None, Decoder]:
    """Returns a handler's name, the payload of these arguments and what decodes its value."""
    if not isinstance(workflow, str):
        return workflow.name, workflow.encode_input(args, kwargs), workflow.decode_output
    if kwargs:
        unknown = ", ".join(sorted(kwargs))
        raise TypeError(
            f"a handler that is given by its name takes one argument by position, not {unknown};"
            " for several, pass a dict"
        )
    if len(args) > 1:
        raise TypeError(
            f"a handler that is given by its name takes at most one argument, not {len(args)};"
            " for several, pass a dict of them by name"
        )
    return workflow, encode(args[0]) if args else None, decode


def invoke(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: InvokeOptions,
) -> Operation[Any]:
    """Starts an invocation and waits for its value (by name: for its Result)."""
    name, payload, decoder = _named(workflow, args, kwargs)
    by_name = workflow is name
    answer = yield from _run_to_end(name, payload, options, by_name)
    if not by_name:
        return outcome_value(answer, decoder)
    if not _ended(answer):
        raise WaitTimeoutError(answer.invocation_id, state_word(answer.state))
    return Result[Any](answer, decoder)


def start(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: InvokeOptions,
) -> Operation[str]:
    """Starts an invocation and returns its id as soon as it is in the log."""
    name, payload, _ = _named(workflow, args, kwargs)
    request = _invoke_request(name, payload, options)
    deadline = _deadline(options.timeout)
    answer: control_pb2.InvokeResponse = yield from _call("Invoke", request, deadline, waits=False)
    return answer.invocation_id


def get_result(
    invocation_id: str,
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | None,
    timeout: float | None,
) -> Operation[Result[Any]]:
    """Waits until an invocation has ended or is paused, or the time is up."""
    decoder: Decoder = decode if workflow is None else workflow.decode_output
    deadline = _deadline(timeout)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, include_journal=True)
    answer: Answer = yield from _call("GetResult", request, deadline, waits=True)
    answer = yield from _wait(answer, deadline, True)
    return Result[Any](answer, decoder)


def get(invocation_id: str, timeout: float | None) -> Operation[Invocation]:
    """Returns what is known about an invocation."""
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
    answer = yield from _call("GetInvocation", request, _deadline(timeout), waits=False)
    return Invocation(answer.invocation)


_STEERING: Final[dict[str, Callable[..., Any]]] = {
    "Pause": control_pb2.PauseRequest,
    "Resume": control_pb2.ResumeRequest,
    "Cancel": control_pb2.CancelRequest,
}


def steer(
    method: str, timeout: float | None, invocation_id: str, **fields: str | bool
) -> Operation[str]:
    """Pauses, resumes or cancels; returns the status after it."""
    request = _STEERING[method](invocation_id=invocation_id, request_id=new_request_id(), **fields)
    answer = yield from _call(method, request, _deadline(timeout), waits=False)
    return state_word(answer.state)


def resolve(awakeable_id: str, value: Any, timeout: float | None) -> Operation[None]:
    """Resolves an awakeable with a value."""
    yield from _settle(awakeable_id, payload_pb2.Outcome(value=encode(value)), timeout)


def reject(
    awakeable_id: str,
    message: str,
    code: int,
    metadata: Mapping[str, str] | None,
    timeout: float | None,
) -> Operation[None]:
    """Rejects an awakeable with a terminal failure."""
    failure = payload_pb2.Failure(
        type="durable.Rejected", message=message, code=code, metadata=metadata, terminal=True
    )
    yield from _settle(awakeable_id, payload_pb2.Outcome(failure=failure), timeout)


def _settle(
    awakeable_id: str, outcome: payload_pb2.Outcome, timeout: float | None
) -> Operation[None]:
    request = control_pb2.ResolveAwakeableRequest(
        awakeable_id=awakeable_id, outcome=outcome, request_id=new_request_id()
    )
    yield from _call("ResolveAwakeable", request, _deadline(timeout), waits=False)


class Filters(TypedDict, total=False):
    """What `query` filters by; all that are given must hold."""

    status: str | Iterable[str]
    """Any of these statuses."""
    handler: str
    """This handler."""
    key: str
    """This object key."""
    service: str
    """This service label."""
    failure_text: str
    """This text within the failure's message."""
    create_time_min: datetime
    """Created at or after this time; without a time zone it is UTC."""
    create_time_max: datetime
    """Created before this time; without a time zone it is UTC."""
    oldest_first: bool
    """Oldest first instead of newest first."""
    page_size: int
    """How many to return; 0 for 50, at most 500."""
    page_token: str
    """The `next_page_token` of the page before; the other filters must be the same."""


def query(filters: Filters, timeout: float | None) -> Operation[InvocationPage]:
    """Returns a page of the invocations that match all filters."""
    fields: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    status = fields.pop("status", ())
    words = (status,) if isinstance(status, str) else status
    request = control_pb2.QueryRequest(
        states=[state_number(word) for word in words if word], **fields
    )
    answer = yield from _call("Query", request, _deadline(timeout), waits=False)
    return InvocationPage(
        [Invocation(message) for message in answer.invocations], answer.next_page_token
    )


def list_handlers(timeout: float | None) -> Operation[list[Handler]]:
    """Returns all handlers that workers have registered, page by page."""
    deadline = _deadline(timeout)
    handlers: list[Handler] = []
    request = control_pb2.ListHandlersRequest()
    while True:
        answer = yield from _call("ListHandlers", request, deadline, waits=False)
        handlers += [Handler.of(message) for message in answer.handlers]
        if not answer.next_page_token:
            return handlers
        request = control_pb2.ListHandlersRequest(page_token=answer.next_page_token)


def stats(timeout: float | None) -> Operation[Stats]:
    """Counts invocations by status and by handler."""
    answer = yield from _call(
        "GetStats", control_pb2.GetStatsRequest(), _deadline(timeout), waits=False
    )
    return Stats.of(answer)
