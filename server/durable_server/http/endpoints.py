"""The `/api` endpoints: what people do with `curl`, with plain JSON in and out.

    GET  /api/workflows                     ?status= &state= &handler= &key= &limit= &page_token=
    GET  /api/workflows/stats
    GET  /api/workflows/{invocation_id}
    POST /api/workflows/{handler}/invoke    ?wait= | ?async=true   &key= &delay=   Idempotency-Key:
    POST /api/workflows/{invocation_id}/pause | resume | cancel    {"reason": ..., "identity": ...}
    POST /api/awakeables/{awakeable_id}/resolve                    {"result": X}
    POST /api/awakeables/{awakeable_id}/reject                     {"error": "..."}

An invoke waits for the end of the invocation unless told otherwise; 202 means that it has not ended. A
failed invocation is answered with the handler's own code if that is an HTTP error code, else with 500,
and the body has the same fields in each case. `/v1` has everything else.

`ROUTES` declares each endpoint once: the declaration says how a request is read and is what the OpenAPI
document is made of.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.responses import Response

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from .. import __version__
from . import api_convert, api_types, parameters, requests, strict_json
from .control_client import WAIT_SECONDS
from .errors import invalid, json_response
from .requests import EndpointRequest
from .routing import Body, Route

REJECTION_TYPE = "durable.Rejected"
"""The type of the failure with which an awakeable is rejected here; the SDK uses the same one."""
DEFAULT_WAIT_SECONDS = 50.0
MAX_WAIT_SECONDS = 3600
_CONTROL = "/durable.v1.DurableControl/"
_TEN_YEARS = 10 * 366 * 86400
_SETTLED_STATES = (
    invocation_pb2.INVOCATION_STATE_PAUSED,
    invocation_pb2.INVOCATION_STATE_COMPLETED,
    invocation_pb2.INVOCATION_STATE_FAILED,
    invocation_pb2.INVOCATION_STATE_CANCELLED,
)


async def ready(request: EndpointRequest) -> Response:
    """Reports whether the control plane can accept requests now."""
    trouble = request.backend.problem()
    if trouble:
        found = api_types.Unready(status="unavailable", version=__version__, reason=trouble)
        return json_response(found, 503, {"retry-after": "1"})
    return json_response(api_types.Health(status="ok", version=__version__))


async def live(request: EndpointRequest) -> Response:
    """Reports that the process answers."""
    return json_response(api_types.Health(status="ok", version=__version__))


async def query(request: EndpointRequest) -> Response:
    """Lists invocations."""
    given = request.values
    statuses = {word for words in given["status"] for word in words}
    wanted_states = {word for words in given["state"] for word in words}
    states = [
        number
        for word, number in api_convert.STATES.items()
        if (not statuses or api_convert.STATUSES[word] in statuses)
        and (not wanted_states or word in wanted_states)
    ]
    if not states:  # no state has one of these statuses
        return json_response(api_types.WorkflowPage(workflows=[], count=0, next_page_token=""))
    page = await request.control.call(
        "Query",
        control_pb2.QueryRequest(
            states=states if statuses or wanted_states else (),
            handler=given["handler"],
            key=given["key"],
            page_size=given["limit"],
            page_token=given["page_token"],
        ),
    )
    shown = [api_convert.summary(it) for it in page.invocations]
    return json_response(
        api_types.WorkflowPage(
            workflows=shown, count=len(shown), next_page_token=page.next_page_token
        )
    )


async def stats(request: EndpointRequest) -> Response:
    """Counts invocations."""
    counts = await request.control.call("GetStats", control_pb2.GetStatsRequest())
    return json_response(api_convert.statistics(counts))


async def get(request: EndpointRequest) -> Response:
    """Returns one invocation with its journal, state and awakeables."""
    message = control_pb2.GetInvocationRequest(
        invocation_id=request.variables["invocation_id"], include_journal=True
    )
    found = await request.control.call("GetInvocation", message)
    return json_response(api_convert.detail(found.invocation))


async def invoke(request: EndpointRequest) -> Response:
    """Starts an invocation, and waits for its end unless told otherwise."""
    given = request.values
    wait = given["wait"]
    if given["async"]:
        if wait:
            raise invalid("wait", "not together with async")
        wait = 0.0
    elif wait is None:
        wait = DEFAULT_WAIT_SECONDS
    end = asyncio.get_running_loop().time() + wait
    message = control_pb2.InvokeRequest(
        handler=request.variables["handler"],
        key=given["key"],
        idempotency_key=given["Idempotency-Key"],
    )
    body = await request.body()
    if body:
        requests.parse("body", body)
        message.input.data = body
    if given["delay"] is not None:
        message.delay.CopyFrom(requests.duration(given["delay"]))
    message.wait_timeout.CopyFrom(requests.duration(min(wait, WAIT_SECONDS)))
    answer = await request.control.call("Invoke", message)
    invocation_id, created = answer.invocation_id, answer.created
    while answer.state not in _SETTLED_STATES:
        left = end - asyncio.get_running_loop().time()
        if left <= 0.001:
            break
        again = control_pb2.GetResultRequest(invocation_id=invocation_id)
        again.wait_timeout.CopyFrom(requests.duration(min(left, WAIT_SECONDS)))
        answer = await request.control.call("GetResult", again)
    shown = api_types.Invoked(
        invocation_id=invocation_id,
        status=api_convert.status(answer.state),
        state=api_convert.state(answer.state),
        created=created,
        **api_convert.outcome(answer.outcome),
    )
    return json_response(shown, _invoke_code(answer.outcome))


async def pause(request: EndpointRequest) -> Response:
    """Pauses an invocation."""
    return await _steer(request, "Pause", control_pb2.PauseRequest())


async def resume(request: EndpointRequest) -> Response:
    """Resumes a paused invocation."""
    return await _steer(request, "Resume", control_pb2.ResumeRequest())


async def cancel(request: EndpointRequest) -> Response:
    """Requests the cancellation of an invocation; with `?force=true` ends it at once."""
    return await _steer(request, "Cancel", control_pb2.CancelRequest(force=request.values["force"]))


async def _steer(request: EndpointRequest, method: str, message: Any) -> Response:
    body = await request.object(api_types.Steering)
    message.invocation_id = request.variables["invocation_id"]
    message.reason = body.reason
    message.identity = body.identity
    message.request_id = request.values["Idempotency-Key"]
    answer = await request.control.call(method, message)
    return json_response(
        api_types.Steered(
            invocation_id=request.variables["invocation_id"],
            status=api_convert.status(answer.state),
            state=api_convert.state(answer.state),
        )
    )


async def resolve(request: EndpointRequest) -> Response:
    """Resolves an awakeable with a JSON value, or with the JSON that a string contains."""
    body = await request.object(api_types.Resolution)
    outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=_json_text(body.result)))
    return await _resolve(request, outcome, "resolved")


async def reject(request: EndpointRequest) -> Response:
    """Rejects an awakeable with a message."""
    body = await request.object(api_types.Rejection)
    outcome = payload_pb2.Outcome()
    outcome.failure.message = body.error
    outcome.failure.terminal = True
    outcome.failure.type = REJECTION_TYPE
    return await _resolve(request, outcome, "rejected")


async def _resolve(request: EndpointRequest, outcome: payload_pb2.Outcome, status: Any) -> Response:
    awakeable_id = request.variables["awakeable_id"]
    answer = await request.control.call(
        "ResolveAwakeable",
        control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, outcome=outcome),
    )
    return json_response(
        api_types.Settled(
            awakeable_id=awakeable_id, invocation_id=answer.invocation_id, status=status
        )
    )


def _json_text(result: Any) -> bytes:
    """Returns a value as JSON; a string that contains JSON text is returned as that JSON."""
    if isinstance(result, str):
        text = result.encode()
        try:
            strict_json.parse(text)
        except strict_json.JsonError as error:
            if error.is_json:
                raise invalid("result", f"the text in the string {error}") from None
        else:
            return text
    return json.dumps(result).encode()


def _invoke_code(outcome: payload_pb2.Outcome) -> int:
    """Returns the HTTP status for an outcome."""
    kind = outcome.WhichOneof("result")
    if kind is None:
        return 202
    if kind == "value":
        return 200
    return outcome.failure.code if 400 <= outcome.failure.code <= 599 else 500


_ONCE = parameters.string(
    "Idempotency-Key",
    "Deduplicates requests: a second one with the same key gets the first one's answer.",
    location="header",
    non_empty=True,
)
_READINESS = {
    200: Body("They can.", api_types.Health),
    503: Body(
        "They cannot: the log is unavailable, the store is locked, or the control plane stops; a node "
        "of a cluster has no lease, or knows no node that leads a partition.",
        api_types.Unready,
    ),
}
_STEERED = {200: Body("The state after the command.", api_types.Steered)}
_SETTLED = {200: Body("The outcome is in the log.", api_types.Settled)}
_REASON = Body("Why, for people.", api_types.Steering)

ROUTES = (
    Route(
        method="GET",
        template="/health",
        handler=ready,
        name="health",
        summary="Report whether requests can be accepted now; the same as /health/ready",
        answers=_READINESS,
    ),
    Route(
        method="GET",
        template="/health/ready",
        handler=ready,
        name="healthReady",
        summary="Report whether requests can be accepted now",
        answers=_READINESS,
    ),
    Route(
        method="GET",
        template="/health/live",
        handler=live,
        name="healthLive",
        summary="Report that the process answers, whatever the state of the log",
        answers={200: Body("It does.", api_types.Health)},
    ),
    Route(
        method="GET",
        template="/api/workflows",
        handler=query,
        name="listWorkflows",
        rpc=_CONTROL + "Query",
        summary="List invocations, newest first",
        parameters=(
            parameters.choices(
                "status",
                "Only these; `running` includes what waits.",
                tuple(dict.fromkeys(api_convert.STATUSES.values())),
            ),
            parameters.choices("state", "Only these, exactly.", tuple(api_convert.STATES)),
            parameters.string("handler", "Only this handler."),
            parameters.string("key", "Only this object key."),
            parameters.integer("limit", "The page size; 50 by default.", 1, 1_000_000),
            parameters.string("page_token", "The `next_page_token` of the page before."),
        ),
        answers={200: Body("A page.", api_types.WorkflowPage)},
    ),
    Route(
        method="GET",
        template="/api/workflows/stats",
        handler=stats,
        name="getWorkflowStats",
        rpc=_CONTROL + "GetStats",
        summary="Count invocations by status, state and handler",
        answers={200: Body("The counts.", api_types.Statistics)},
    ),
    Route(
        method="GET",
        template="/api/workflows/{invocation_id}",
        handler=get,
        name="getWorkflow",
        rpc=_CONTROL + "GetInvocation",
        summary="Show one invocation with its journal, state and awakeables",
        answers={200: Body("The invocation.", api_types.WorkflowDetail)},
    ),
    Route(
        method="POST",
        template="/api/workflows/{handler}/invoke",
        handler=invoke,
        name="invokeWorkflow",
        rpc=_CONTROL + "Invoke",
        summary="Start an invocation, and wait for its end by default",
        parameters=(
            parameters.duration(
                "wait", "How long to wait, as 30, 500ms or 5m; 50 s by default.", MAX_WAIT_SECONDS
            ),
            parameters.boolean("async", "Do not wait."),
            parameters.string("key", "The object key, for keyed handlers."),
            parameters.duration(
                "delay", "Start it after this delay, as 30, 500ms, 5m, 2h or 1d.", _TEN_YEARS
            ),
            _ONCE,
        ),
        body=Body("The input, any JSON; no body for no input."),
        answers={
            200: Body("It has completed.", api_types.Invoked),
            202: Body("It has not ended.", api_types.Invoked),
        },
        failure=Body("The invocation has failed, or the request is refused.", api_types.Invoked),
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/pause",
        handler=pause,
        name="pauseWorkflow",
        rpc=_CONTROL + "Pause",
        summary="Pause an invocation at its next step",
        parameters=(_ONCE,),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/resume",
        handler=resume,
        name="resumeWorkflow",
        rpc=_CONTROL + "Resume",
        summary="Resume a paused invocation",
        parameters=(_ONCE,),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/cancel",
        handler=cancel,
        name="cancelWorkflow",
        rpc=_CONTROL + "Cancel",
        summary="Cancel an invocation",
        parameters=(
            parameters.boolean(
                "force", "End it at once, without running the handler's compensation."
            ),
            _ONCE,
        ),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/awakeables/{awakeable_id}/resolve",
        handler=resolve,
        name="resolveAwakeable",
        rpc=_CONTROL + "ResolveAwakeable",
        summary="Resolve an awakeable with a value",
        body=Body("The value.", api_types.Resolution, required=True),
        answers=_SETTLED,
    ),
    Route(
        method="POST",
        template="/api/awakeables/{awakeable_id}/reject",
        handler=reject,
        name="rejectAwakeable",
        rpc=_CONTROL + "ResolveAwakeable",
        summary="Reject an awakeable with a message",
        body=Body("Why.", api_types.Rejection, required=True),
        answers=_SETTLED,
    ),
)
