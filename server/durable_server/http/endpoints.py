"""`/api`: the few things that people do with `curl`, with plain JSON in and out.

    GET  /api/workflows                     ?status= &handler= &key= &limit= &page_token=
    GET  /api/workflows/stats
    GET  /api/workflows/{id}
    POST /api/workflows/{name}/invoke       ?wait= | ?async=true   &key= &delay=   Idempotency-Key:
    POST /api/workflows/{id}/pause | resume | cancel               {"reason": ..., "identity": ...}
    POST /api/awakeables/{id}/resolve       {"result": X}
    POST /api/awakeables/{id}/reject        {"error": "..."}

An invoke waits for the end unless it is told otherwise; 202 says that it has not ended. An invocation
that failed is answered with the handler's own code if that is an HTTP one, else with 500, and the
body has the same fields as ever. `/v1` has everything else.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2

from . import reading, views
from .control import WAIT_SECONDS, Control
from .errors import HttpError, bad_request, json_response
from .routing import Route

REJECTION_TYPE = "durable.Rejected"
"""The failure's type for a handler whose awakeable is rejected here; the SDK's own word."""
DEFAULT_WAIT_SECONDS = 50.0
MAX_WAIT_SECONDS = 3600.0
_RESTING = (
    invocation_pb2.INVOCATION_STATE_PAUSED,
    invocation_pb2.INVOCATION_STATE_COMPLETED,
    invocation_pb2.INVOCATION_STATE_FAILED,
    invocation_pb2.INVOCATION_STATE_CANCELLED,
)


class Workflows:
    """The endpoints under `/api`, and `/health`."""

    def __init__(self, control: Control, body_limit: int) -> None:
        self._control = control
        self._body_limit = body_limit

    def routes(self) -> tuple[Route, ...]:
        """Returns the endpoints; the fixed names stand before the ids."""
        one = "/api/workflows/{id}"
        return (
            Route("GET", "/health", self.health),
            Route("GET", "/api/workflows", self.query),
            Route("GET", "/api/workflows/stats", self.stats),
            Route("GET", one, self.get),
            Route("POST", "/api/workflows/{name}/invoke", self.invoke),
            Route("POST", f"{one}/pause", self.pause),
            Route("POST", f"{one}/resume", self.resume),
            Route("POST", f"{one}/cancel", self.cancel),
            Route("POST", "/api/awakeables/{id}/resolve", self.resolve),
            Route("POST", "/api/awakeables/{id}/reject", self.reject),
        )

    async def health(self, request: Request, variables: dict[str, str]) -> Response:
        """Says whether the control plane answers."""
        info = await self._control.call("GetServerInfo", control_pb2.GetServerInfoRequest())
        return json_response({"status": "ok", "version": info.version})

    async def query(self, request: Request, variables: dict[str, str]) -> Response:
        """Lists invocations."""
        asked = reading.query(request, "status", "handler", "key", "limit", "page_token")
        limit = reading.single(asked, "limit")
        if limit and not (limit.isdecimal() and 0 < int(limit[:10]) <= 1_000_000):
            raise bad_request(f"limit: {limit!r} is no number from 1 on")
        states = []
        for name in ",".join(asked.get("status", [])).lower().split(","):
            if name and name not in views.STATES:
                raise bad_request(f"status: {name!r} is not one of {', '.join(views.STATES)}")
            if name:
                states.append(views.STATES[name])
        page = await self._control.call(
            "Query",
            control_pb2.QueryRequest(
                states=states,
                handler=reading.single(asked, "handler"),
                key=reading.single(asked, "key"),
                page_size=int(limit or 0),
                page_token=reading.single(asked, "page_token"),
            ),
        )
        shown = [views.summary(it) for it in page.invocations]
        return json_response(
            {"workflows": shown, "count": len(shown), "next_page_token": page.next_page_token}
        )

    async def stats(self, request: Request, variables: dict[str, str]) -> Response:
        """Counts invocations."""
        reading.query(request)
        counts = await self._control.call("GetStats", control_pb2.GetStatsRequest())
        return json_response(views.statistics(counts))

    async def get(self, request: Request, variables: dict[str, str]) -> Response:
        """Shows one invocation with its journal, state and awakeables."""
        reading.query(request)
        asked = control_pb2.GetInvocationRequest(
            invocation_id=variables["id"], include_journal=True
        )
        found = await self._control.call("GetInvocation", asked)
        return json_response(views.detail(found.invocation))

    async def invoke(self, request: Request, variables: dict[str, str]) -> Response:
        """Starts an invocation, and waits for its end unless told otherwise."""
        asked = reading.query(request, "wait", "async", "key", "delay")
        wait = reading.seconds(asked, "wait")
        if reading.flag(asked, "async"):
            if wait:
                raise bad_request("wait: not together with async")
            wait = 0.0
        elif wait is None:
            wait = DEFAULT_WAIT_SECONDS
        if wait > MAX_WAIT_SECONDS:
            raise bad_request(f"wait: more than {MAX_WAIT_SECONDS:.0f} seconds")
        end = asyncio.get_running_loop().time() + wait
        message = control_pb2.InvokeRequest(
            handler=variables["name"],
            key=reading.single(asked, "key"),
            idempotency_key=reading.check_text(
                "Idempotency-Key", request.headers.get("idempotency-key", "")
            ),
        )
        body = await reading.body(request, self._body_limit)
        if body.strip():
            reading.parse(body)
            message.input.data = body.strip()
        if (delay := reading.seconds(asked, "delay")) is not None:
            message.delay.CopyFrom(reading.duration(delay))
        message.wait_timeout.CopyFrom(reading.duration(min(wait, WAIT_SECONDS)))
        answer = await self._control.call("Invoke", message)
        invocation_id, created = answer.invocation_id, answer.created
        while answer.state not in _RESTING:
            left = end - asyncio.get_running_loop().time()
            if left <= 0.001:
                break
            again = control_pb2.GetResultRequest(invocation_id=invocation_id)
            again.wait_timeout.CopyFrom(reading.duration(min(left, WAIT_SECONDS)))
            answer = await self._control.call("GetResult", again)
        shown = {
            "invocation_id": invocation_id,
            "status": views.status(answer.state),
            "created": created,
            **views.outcome(answer.outcome),
        }
        return json_response(shown, _invoke_code(answer.outcome))

    async def pause(self, request: Request, variables: dict[str, str]) -> Response:
        """Holds an invocation."""
        return await self._steer(request, variables, "Pause", control_pb2.PauseRequest())

    async def resume(self, request: Request, variables: dict[str, str]) -> Response:
        """Lets a held invocation go on."""
        return await self._steer(request, variables, "Resume", control_pb2.ResumeRequest())

    async def cancel(self, request: Request, variables: dict[str, str]) -> Response:
        """Asks an invocation to end; with `?force=true` ends it."""
        message = control_pb2.CancelRequest()
        message.force = reading.flag(reading.query(request, "force"), "force")
        return await self._steer(request, variables, "Cancel", message)

    async def _steer(
        self, request: Request, variables: dict[str, str], method: str, message: Any
    ) -> Response:
        if method != "Cancel":
            reading.query(request)
        body = await reading.body(request, self._body_limit)
        fields = reading.parse_object(body, ("reason", "identity"))
        message.invocation_id = variables["id"]
        message.reason = reading.text_field(fields, "reason")
        message.identity = reading.text_field(fields, "identity")
        message.request_id = request.headers.get("idempotency-key", "")
        answer = await self._control.call(method, message)
        return json_response(
            {"invocation_id": variables["id"], "status": views.status(answer.state)}
        )

    async def resolve(self, request: Request, variables: dict[str, str]) -> Response:
        """Resolves an awakeable with a JSON value, or with the JSON text in a string."""
        reading.query(request)
        body = await reading.body(request, self._body_limit)
        fields = reading.parse_object(body, ("result",))
        if "result" not in fields:
            raise bad_request('the body must be {"result": VALUE}')
        outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=_json_text(fields["result"])))
        return await self._settle(variables["id"], outcome, "resolved")

    async def reject(self, request: Request, variables: dict[str, str]) -> Response:
        """Rejects an awakeable with a message."""
        reading.query(request)
        body = await reading.body(request, self._body_limit)
        error = reading.text_field(reading.parse_object(body, ("error",)), "error")
        if not error:
            raise bad_request('the body must be {"error": "WHY"}')
        outcome = payload_pb2.Outcome()
        outcome.failure.message = error
        outcome.failure.terminal = True
        outcome.failure.type = REJECTION_TYPE
        return await self._settle(variables["id"], outcome, "rejected")

    async def _settle(
        self, awakeable_id: str, outcome: payload_pb2.Outcome, status: str
    ) -> Response:
        answer = await self._control.call(
            "ResolveAwakeable",
            control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, outcome=outcome),
        )
        return json_response(
            {
                "awakeable_id": awakeable_id,
                "invocation_id": answer.invocation_id,
                "status": status,
            }
        )


def _json_text(result: Any) -> bytes:
    """Returns a value as JSON; a string that is JSON text itself is that JSON."""
    if isinstance(result, str):
        try:
            reading.parse(text := result.encode())
        except (HttpError, UnicodeEncodeError):
            pass  # not JSON: the string is the value
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
