"""What both clients can start, wait for and look at: operations over the control plane's calls.

Everything that the sync and the async client share and that is no I/O stands here and in `_steering`:
building requests, waiting for an end in chunks, making values, views and errors of answers. How an
operation is run is told in `_operations`; how one call is retried too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, cast

from durable_proto.v1 import control_pb2, payload_pb2
from durable_proto.v1.invocation_pb2 import INVOCATION_STATE_PAUSED

from .._common.errors import UnavailableError, WaitTimeoutError
from .._common.transport import backoff_seconds
from .._common.values.serde import decode, encode
from .._definitions.mistakes import refuse_target
from .._definitions.workflow import Workflow, WorkflowRef, check_key
from .._tracing.interface import Tracing
from .calls import Operation, Sleep, call, deadline_after, new_request_id
from .options import InvokeOptions
from .overviews import Handler, InvocationPage, ServerInfo, Stats, WorkerInfo
from .result import Answer, Decoder, Result, outcome_value
from .views import FINAL_STATES, Invocation, state_number, state_word


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
        start_time=options.start_time,
        priority=options.priority,
    )


def _invoke(
    request: control_pb2.InvokeRequest,
    deadline: float | None,
    tracing: Tracing | None,
    *,
    waits: bool,
) -> Operation[control_pb2.InvokeResponse]:
    """Makes the call that starts an invocation; its trace begins here, if there is one."""
    answer: control_pb2.InvokeResponse
    if tracing is None:
        answer = yield from call("Invoke", request, deadline, waits=waits)
        return answer
    trace = tracing.start_call(request)
    try:
        answer = yield from call("Invoke", request, deadline, waits=waits)
    except BaseException as error:
        trace.end("", error)
        raise
    trace.end(answer.invocation_id)
    return answer


def _ended(answer: Answer) -> bool:
    return answer.state in FINAL_STATES or answer.state == INVOCATION_STATE_PAUSED


def _complete(answer: Answer) -> bool:
    """Says whether nothing is to be waited for; of one that is held, Invoke does not say why."""
    return answer.state in FINAL_STATES or (
        answer.state == INVOCATION_STATE_PAUSED
        and isinstance(answer, control_pb2.GetResultResponse)
    )


def _wait(answer: Answer, deadline: float | None, journal: bool) -> Operation[Answer]:
    """Asks on until the invocation has ended or is paused, or the time is up."""
    early = 0
    while not _complete(answer):
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            break
        request = control_pb2.GetResultRequest(
            invocation_id=answer.invocation_id, include_journal=journal
        )
        try:
            answer = yield from call("GetResult", request, deadline, waits=True)
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


def _named(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: str,
) -> tuple[str, payload_pb2.Payload | None, Decoder]:
    """Returns a handler's name, the payload of these arguments and what decodes its value."""
    if not isinstance(workflow, str):
        if not isinstance(workflow, WorkflowRef):
            refuse_target(workflow)
        check_key(workflow, key)
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
    name, payload, decoder = _named(workflow, args, kwargs, options.key)
    by_name = isinstance(workflow, str)
    deadline = deadline_after(options.timeout)
    request = _invoke_request(name, payload, options)
    if by_name:
        request.include_journal = True
    answer: Answer = yield from _invoke(request, deadline, options.tracing, waits=True)
    if answer.state not in FINAL_STATES:
        answer = yield from _wait(answer, deadline, by_name)
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
    name, payload, _ = _named(workflow, args, kwargs, options.key)
    request = _invoke_request(name, payload, options)
    deadline = deadline_after(options.timeout)
    answer = yield from _invoke(request, deadline, options.tracing, waits=False)
    return answer.invocation_id


def get_result(
    invocation_id: str,
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | None,
    timeout: float | None,
) -> Operation[Result[Any]]:
    """Waits until an invocation has ended or is paused, or the time is up."""
    decoder: Decoder = decode if workflow is None else workflow.decode_output
    deadline = deadline_after(timeout)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, include_journal=True)
    answer: Answer = yield from call("GetResult", request, deadline, waits=True)
    answer = yield from _wait(answer, deadline, True)
    return Result[Any](answer, decoder)


def get(invocation_id: str, timeout: float | None) -> Operation[Invocation]:
    """Returns what is known about an invocation."""
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
    answer = yield from call("GetInvocation", request, deadline_after(timeout), waits=False)
    return Invocation(answer.invocation)


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
    """This text within the failure's type and message (`ValueError: no stock`), of 3 characters or
    more."""
    create_time_min: datetime
    """Created at or after this time; without a time zone it is UTC."""
    create_time_max: datetime
    """Created before this time; without a time zone it is UTC."""
    parent_invocation_id: str
    """Children and sends of this invocation."""
    oldest_first: bool
    """Oldest first instead of newest first; not together with `order_by`."""
    order_by: str
    """`create_time`, `complete_time` (only what has ended) or `update_time`, the oldest first; with
    ` desc` after it the newest first. Empty for `create_time desc`."""
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
    answer = yield from call("Query", request, deadline_after(timeout), waits=False)
    return InvocationPage(
        [Invocation(message) for message in answer.invocations], answer.next_page_token
    )


def next_page(filters: Filters, page: InvocationPage) -> Filters | None:
    """Returns what to query for the page after this one; None at the end."""
    if not page.next_page_token:
        return None
    return cast("Filters", {**filters, "page_token": page.next_page_token})


def list_handlers(timeout: float | None) -> Operation[list[Handler]]:
    """Returns all handlers that workers have registered, page by page."""
    deadline = deadline_after(timeout)
    handlers: list[Handler] = []
    request = control_pb2.ListHandlersRequest()
    while True:
        answer = yield from call("ListHandlers", request, deadline, waits=False)
        handlers += [Handler.of(message) for message in answer.handlers]
        if not answer.next_page_token:
            return handlers
        request = control_pb2.ListHandlersRequest(page_token=answer.next_page_token)


def stats(timeout: float | None) -> Operation[Stats]:
    """Counts invocations by status and by handler."""
    answer = yield from call(
        "GetStats", control_pb2.GetStatsRequest(), deadline_after(timeout), waits=False
    )
    return Stats.of(answer)


def list_workers(timeout: float | None) -> Operation[list[WorkerInfo]]:
    """Returns the workers that are connected now, by connect time."""
    answer = yield from call(
        "ListWorkers", control_pb2.ListWorkersRequest(), deadline_after(timeout), waits=False
    )
    return [WorkerInfo.of(message) for message in answer.workers]


def server_info(timeout: float | None) -> Operation[ServerInfo]:
    """Returns the version, the limits and the start of the control plane."""
    answer = yield from call(
        "GetServerInfo", control_pb2.GetServerInfoRequest(), deadline_after(timeout), waits=False
    )
    return ServerInfo.of(answer)
