"""The RPC flows that start an invocation and wait for its outcome, for both clients.

Rules.
- A wait of any length is made of RPCs that wait at most WAIT_SECONDS_MAX each: the Invoke itself,
  and then GetResult as often as needed.
- The wait ends when the invocation has ended, when it is paused (only a resume continues it, which
  may never come), or when the caller's timeout is over.
- A target is a workflow, whose types check and decode the values, or a handler's name, which takes
  one plain value and gives a Result.
"""

from __future__ import annotations

import time
from typing import Any

from durable_proto.v1 import control_pb2, payload_pb2
from durable_proto.v1.invocation_pb2 import INVOCATION_STATE_PAUSED

from .._common.errors import UnavailableError, WaitTimeoutError
from .._common.transport import backoff_seconds
from .._common.values.serde import decode, encode
from .._definitions.call_checks import refuse_target
from .._definitions.workflow import Workflow, WorkflowRef, check_key
from .._tracing.interface import Tracing
from .options import InvokeOptions
from .result import Decoder, OutcomeResponse, Result, outcome_value
from .rpc_flow import RpcFlow, Sleep, deadline_after, new_request_id, send_rpc
from .status import FINAL_STATES, status_word


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
) -> RpcFlow[control_pb2.InvokeResponse]:
    """Sends the Invoke. With tracing on, its span is the parent of the invocation's."""
    response: control_pb2.InvokeResponse
    if tracing is None:
        response = yield from send_rpc("Invoke", request, deadline, waits=waits)
        return response
    trace = tracing.start_call(request)
    try:
        response = yield from send_rpc("Invoke", request, deadline, waits=waits)
    except BaseException as error:
        trace.end("", error)
        raise
    trace.end(response.invocation_id)
    return response


def _settled(response: OutcomeResponse) -> bool:
    """Returns whether the invocation has ended or is paused."""
    return response.state in FINAL_STATES or response.state == INVOCATION_STATE_PAUSED


def _complete(response: OutcomeResponse) -> bool:
    """Returns whether a response needs no GetResult after it.

    For a paused invocation only GetResult tells why, so the response of an Invoke is not enough.
    """
    return response.state in FINAL_STATES or (
        response.state == INVOCATION_STATE_PAUSED
        and isinstance(response, control_pb2.GetResultResponse)
    )


def _wait(
    response: OutcomeResponse, deadline: float | None, journal: bool
) -> RpcFlow[OutcomeResponse]:
    """Sends GetResult until the invocation has ended or is paused, or the deadline has passed."""
    early_responses = 0
    while not _complete(response):
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            break
        request = control_pb2.GetResultRequest(
            invocation_id=response.invocation_id, include_journal=journal
        )
        try:
            response = yield from send_rpc("GetResult", request, deadline, waits=True)
        except UnavailableError as error:
            # The caller needs the id to ask again later, so the error must hold it.
            raise WaitTimeoutError(response.invocation_id, status_word(response.state)) from error
        if time.monotonic() - now < request.wait_timeout.seconds / 2 and not _settled(response):
            # The server did not wait as long as it was asked to: avoid a tight loop of requests.
            pause = backoff_seconds(early_responses)
            if deadline is not None:
                pause = max(0.0, min(pause, deadline - time.monotonic()))
            yield Sleep(pause)
            early_responses += 1
    return response


def _target(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: str,
) -> tuple[str, payload_pb2.Payload | None, Decoder]:
    """Returns the handler's name, the payload of the arguments and the decoder of the value."""
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
) -> RpcFlow[Any]:
    """Starts an invocation and waits for its value (by name: for its Result)."""
    name, payload, decoder = _target(workflow, args, kwargs, options.key)
    by_name = isinstance(workflow, str)
    deadline = deadline_after(options.timeout)
    request = _invoke_request(name, payload, options)
    if by_name:
        request.include_journal = True
    response: OutcomeResponse = yield from _invoke(request, deadline, options.tracing, waits=True)
    if response.state not in FINAL_STATES:
        response = yield from _wait(response, deadline, by_name)
    if not by_name:
        return outcome_value(response, decoder)
    if not _settled(response):
        raise WaitTimeoutError(response.invocation_id, status_word(response.state))
    return Result[Any](response, decoder)


def start(
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: InvokeOptions,
) -> RpcFlow[str]:
    """Starts an invocation and returns its id as soon as it is in the log."""
    name, payload, _ = _target(workflow, args, kwargs, options.key)
    request = _invoke_request(name, payload, options)
    deadline = deadline_after(options.timeout)
    response = yield from _invoke(request, deadline, options.tracing, waits=False)
    return response.invocation_id


def get_result(
    invocation_id: str,
    workflow: Workflow[..., Any] | WorkflowRef[..., Any] | None,
    timeout: float | None,
) -> RpcFlow[Result[Any]]:
    """Waits until an invocation has ended or is paused, or the timeout is over."""
    decoder: Decoder = decode if workflow is None else workflow.decode_output
    deadline = deadline_after(timeout)
    request = control_pb2.GetResultRequest(invocation_id=invocation_id, include_journal=True)
    response: OutcomeResponse = yield from send_rpc("GetResult", request, deadline, waits=True)
    response = yield from _wait(response, deadline, True)
    return Result[Any](response, decoder)
