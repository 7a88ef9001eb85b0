"""`/api`: the few things that people do with `curl`, with plain JSON in and out.

    GET  /api/workflows                     ?status= &state= &handler= &key= &limit= &page_token=
    GET  /api/workflows/stats
    GET  /api/workflows/{invocation_id}
    POST /api/workflows/{handler}/invoke    ?wait= | ?async=true   &key= &delay=   Idempotency-Key:
    POST /api/workflows/{invocation_id}/pause | resume | cancel    {"reason": ..., "identity": ...}
    POST /api/awakeables/{awakeable_id}/resolve                    {"result": X}
    POST /api/awakeables/{awakeable_id}/reject                     {"error": "..."}

An invoke waits for the end unless it is told otherwise; 202 says that it has not ended. An invocation
that failed is answered with the handler's own code if that is an HTTP one, else with 500, and the
body has the same fields as ever. `/v1` has everything else.

`ROUTES` declares each endpoint once: how a request is read and what the document says is this.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.responses import Response

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from .. import __version__
from . import parameters, requests, shapes, strict, views
from .control import WAIT_SECONDS
from .errors import invalid, json_response
from .requests import Call
from .routing import Body, Route

REJECTION_TYPE = "durable.Rejected"
"""The failure's type for a handler whose awakeable is rejected here; the SDK's own word."""
DEFAULT_WAIT_SECONDS = 50.0
MAX_WAIT_SECONDS = 3600
_TEN_YEARS = 10 * 366 * 86400
_RESTING = (
    invocation_pb2.INVOCATION_STATE_PAUSED,
    invocation_pb2.INVOCATION_STATE_COMPLETED,
    invocation_pb2.INVOCATION_STATE_FAILED,
    invocation_pb2.INVOCATION_STATE_CANCELLED,
)


async def ready(call: Call) -> Response:
    """Says whether anything can be accepted now."""
    trouble = call.backing.trouble()
    if trouble:
        found = shapes.Unready(status="unavailable", version=__version__, reason=trouble)
        return json_response(found, 503, {"retry-after": "1"})
    return json_response(shapes.Health(status="ok", version=__version__))


async def live(call: Call) -> Response:
    """Says that the process answers."""
    return json_response(shapes.Health(status="ok", version=__version__))


async def query(call: Call) -> Response:
    """Lists invocations."""
    given = call.values
    of_status = {word for words in given["status"] for word in words}
    of_state = {word for words in given["state"] for word in words}
    states = [
        number
        for word, number in views.STATES.items()
        if (not of_status or views.STATUSES[word] in of_status)
        and (not of_state or word in of_state)
    ]
    if not states:  # none of the states has one of the statuses
        return json_response(shapes.WorkflowPage(workflows=[], count=0, next_page_token=""))
    page = await call.control.call(
        "Query",
        control_pb2.QueryRequest(
            states=states if of_status or of_state else (),
            handler=given["handler"],
            key=given["key"],
            page_size=given["limit"],
            page_token=given["page_token"],
        ),
    )
    shown = [views.summary(it) for it in page.invocations]
    return json_response(
        shapes.WorkflowPage(workflows=shown, count=len(shown), next_page_token=page.next_page_token)
    )


async def stats(call: Call) -> Response:
    """Counts invocations."""
    counts = await call.control.call("GetStats", control_pb2.GetStatsRequest())
    return json_response(views.statistics(counts))


async def get(call: Call) -> Response:
    """Shows one invocation with its journal, state and awakeables."""
    asked = control_pb2.GetInvocationRequest(
        invocation_id=call.variables["invocation_id"], include_journal=True
    )
    found = await call.control.call("GetInvocation", asked)
    return json_response(views.detail(found.invocation))


async def invoke(call: Call) -> Response:
    """Starts an invocation, and waits for its end unless told otherwise."""
    given = call.values
    wait = given["wait"]
    if given["async"]:
        if wait:
            raise invalid("wait", "not together with async")
        wait = 0.0
    elif wait is None:
        wait = DEFAULT_WAIT_SECONDS
    end = asyncio.get_running_loop().time() + wait
    message = control_pb2.InvokeRequest(
        handler=call.variables["handler"],
        key=given["key"],
        idempotency_key=given["Idempotency-Key"],
    )
    body = await call.body()
    if body:
        requests.parse("body", body)
        message.input.data = body
    if given["delay"] is not None:
        message.delay.CopyFrom(requests.duration(given["delay"]))
    message.wait_timeout.CopyFrom(requests.duration(min(wait, WAIT_SECONDS)))
    answer = await call.control.call("Invoke", message)
    invocation_id, created = answer.invocation_id, answer.created
    while answer.state not in _RESTING:
        left = end - asyncio.get_running_loop().time()
        if left <= 0.001:
            break
        again = control_pb2.GetResultRequest(invocation_id=invocation_id)
        again.wait_timeout.CopyFrom(requests.duration(min(left, WAIT_SECONDS)))
        answer = await call.control.call("GetResult", again)
    shown = shapes.Invoked(
        invocation_id=invocation_id,
        status=views.status(answer.state),
        state=views.state(answer.state),
        created=created,
        **views.outcome(answer.outcome),
    )
    return json_response(shown, _invoke_code(answer.outcome))


async def pause(call: Call) -> Response:
    """Holds an invocation."""
    return await _steer(call, "Pause", control_pb2.PauseRequest())


async def resume(call: Call) -> Response:
    """Lets a held invocation go on."""
    return await _steer(call, "Resume", control_pb2.ResumeRequest())


async def cancel(call: Call) -> Response:
    """Asks an invocation to end; with `?force=true` ends it."""
    return await _steer(call, "Cancel", control_pb2.CancelRequest(force=call.values["force"]))


async def _steer(call: Call, method: str, message: Any) -> Response:
    said = await call.object(shapes.Steering)
    message.invocation_id = call.variables["invocation_id"]
    message.reason = said.reason
    message.identity = said.identity
    message.request_id = call.values["Idempotency-Key"]
    answer = await call.control.call(method, message)
    return json_response(
        shapes.Steered(
            invocation_id=call.variables["invocation_id"],
            status=views.status(answer.state),
            state=views.state(answer.state),
        )
    )


async def resolve(call: Call) -> Response:
    """Resolves an awakeable with a JSON value, or with the JSON text in a string."""
    said = await call.object(shapes.Resolution)
    outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=_json_text(said.result)))
    return await _settle(call, outcome, "resolved")


async def reject(call: Call) -> Response:
    """Rejects an awakeable with a message."""
    said = await call.object(shapes.Rejection)
    outcome = payload_pb2.Outcome()
    outcome.failure.message = said.error
    outcome.failure.terminal = True
    outcome.failure.type = REJECTION_TYPE
    return await _settle(call, outcome, "rejected")


async def _settle(call: Call, outcome: payload_pb2.Outcome, status: Any) -> Response:
    awakeable_id = call.variables["awakeable_id"]
    answer = await call.control.call(
        "ResolveAwakeable",
        control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, outcome=outcome),
    )
    return json_response(
        shapes.Settled(awakeable_id=awakeable_id, invocation_id=answer.invocation_id, status=status)
    )


def _json_text(result: Any) -> bytes:
    """Returns a value as JSON; a string that is JSON text itself is that JSON."""
    if isinstance(result, str):
        text = result.encode()
        try:
            strict.parse(text)
        except strict.JsonError as error:
            if error.is_json:
                raise invalid("result", f"the text in the string {error}") from None
        else:
            return text
    return json.dumps(result).encode()


def _invoke_code(outcome: payload_pb2.Outcome) -> int:
    """Returns the HTTP status for how an invocation ended."""
    kind = outcome.WhichOneof("result")
    if kind is None:
        return 202
    if kind == "value":
        return 200
    return outcome.failure.code if 400 <= outcome.failure.code <= 599 else 500


_ONCE = parameters.text(
    "Idempotency-Key",
    "Names this piece of work: a second request with the same key has the first one's answer.",
    place="header",
    filled=True,
)
_READINESS = {
    200: Body("It can.", shapes.Health),
    503: Body("It cannot: the log is away, the store is locked, or it stops.", shapes.Unready),
}
_STEERED = {200: Body("Where it stands after it.", shapes.Steered)}
_SETTLED = {200: Body("The outcome is in the log.", shapes.Settled)}
_REASON = Body("Why, for people.", shapes.Steering)

ROUTES = (
    Route(
        method="GET",
        template="/health",
        handler=ready,
        name="health",
        summary="Say whether anything can be accepted now; the same as /health/ready",
        answers=_READINESS,
    ),
    Route(
        method="GET",
        template="/health/ready",
        handler=ready,
        name="healthReady",
        summary="Say whether anything can be accepted now",
        answers=_READINESS,
    ),
    Route(
        method="GET",
        template="/health/live",
        handler=live,
        name="healthLive",
        summary="Say that the process answers, whatever becomes of the log",
        answers={200: Body("It does.", shapes.Health)},
    ),
    Route(
        method="GET",
        template="/api/workflows",
        handler=query,
        name="listWorkflows",
        summary="List invocations, newest first",
        parameters=(
            parameters.words(
                "status",
                "Only these; `running` includes what waits.",
                tuple(dict.fromkeys(views.STATUSES.values())),
            ),
            parameters.words("state", "Only these, exactly.", tuple(views.STATES)),
            parameters.text("handler", "Only this handler."),
            parameters.text("key", "Only this object key."),
            parameters.whole("limit", "How many at most; 50 unless said.", 1, 1_000_000),
            parameters.text("page_token", "The `next_page_token` of the page before."),
        ),
        answers={200: Body("A page.", shapes.WorkflowPage)},
    ),
    Route(
        method="GET",
        template="/api/workflows/stats",
        handler=stats,
        name="getWorkflowStats",
        summary="Count invocations by status, state and handler",
        answers={200: Body("The counts.", shapes.Statistics)},
    ),
    Route(
        method="GET",
        template="/api/workflows/{invocation_id}",
        handler=get,
        name="getWorkflow",
        summary="Show one invocation with its journal, state and awakeables",
        answers={200: Body("The invocation.", shapes.WorkflowDetail)},
    ),
    Route(
        method="POST",
        template="/api/workflows/{handler}/invoke",
        handler=invoke,
        name="invokeWorkflow",
        summary="Start an invocation; wait for its end unless told otherwise",
        parameters=(
            parameters.span(
                "wait", "How long to wait, as 30, 500ms or 5m; 50 s unless said.", MAX_WAIT_SECONDS
            ),
            parameters.flag("async", "Do not wait."),
            parameters.text("key", "The object key, for keyed handlers."),
            parameters.span(
                "delay", "Start it this much later, as 30, 500ms, 5m, 2h or 1d.", _TEN_YEARS
            ),
            _ONCE,
        ),
        body=Body("The input, any JSON; no body for no input."),
        answers={
            200: Body("It has completed.", shapes.Invoked),
            202: Body("It has not ended.", shapes.Invoked),
        },
        failure=Body("It has failed, or it is refused.", shapes.Invoked),
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/pause",
        handler=pause,
        name="pauseWorkflow",
        summary="Hold an invocation at its next step",
        parameters=(_ONCE,),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/resume",
        handler=resume,
        name="resumeWorkflow",
        summary="Let a held invocation go on",
        parameters=(_ONCE,),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/workflows/{invocation_id}/cancel",
        handler=cancel,
        name="cancelWorkflow",
        summary="Ask an invocation to end",
        parameters=(parameters.flag("force", "End it without asking the handler."), _ONCE),
        body=_REASON,
        answers=_STEERED,
    ),
    Route(
        method="POST",
        template="/api/awakeables/{awakeable_id}/resolve",
        handler=resolve,
        name="resolveAwakeable",
        summary="Resolve an awakeable with a value",
        body=Body("The value.", shapes.Resolution, required=True),
        answers=_SETTLED,
    ),
    Route(
        method="POST",
        template="/api/awakeables/{awakeable_id}/reject",
        handler=reject,
        name="rejectAwakeable",
        summary="Reject an awakeable with a message",
        body=Body("Why.", shapes.Rejection, required=True),
        answers=_SETTLED,
    ),
)
