"""The watch: `GET /v1/invocations/{id}/watch` serves WatchInvocation as server-sent events.

    event: invocation   id: 1, 2, ...   data: a WatchInvocationResponse as canonical JSON; the first one
                                        has the present state of the invocation
    event: end          id: end         the invocation has ended, and its last state was sent
    event: error                        data: an error in the usual form

A client that lost its connection needs no resume point, because the next one begins with the present
state. A browser's EventSource also reconnects after the end, for ever; it then sends the last id that
it has seen, and the answer 204 makes it stop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

import msgspec
from starlette.responses import Response, StreamingResponse

from durable_proto.v1 import control_pb2, invocation_pb2

from . import parameters
from .control_client import ControlClient
from .errors import HttpError
from .requests import EndpointRequest
from .routing import Body, Route, no_body
from .transcoding import message_json

_MEDIA_TYPE = "text/event-stream"
_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
_LAST_ID = "Last-Event-ID"
_END_ID = "end"
_FINAL = (
    invocation_pb2.INVOCATION_STATE_COMPLETED,
    invocation_pb2.INVOCATION_STATE_FAILED,
    invocation_pb2.INVOCATION_STATE_CANCELLED,
)


class Event(msgspec.Struct, kw_only=True):
    """One event; `data` is JSON."""

    event: Literal["invocation", "end", "error"]
    id: str = ""
    data: str


async def watch(request: EndpointRequest) -> Response:
    """Streams an invocation as it changes."""
    if request.values[_LAST_ID] == _END_ID:
        return Response(status_code=204)
    events = _events(
        request.control,
        control_pb2.WatchInvocationRequest(
            invocation_id=request.variables["invocation_id"],
            include_journal=request.values["include_journal"],
        ),
    )
    first = await anext(events, b"")  # an error before the first event becomes an HTTP status
    if request.is_head:
        await events.aclose()
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)

    async def all_events() -> AsyncGenerator[bytes]:
        yield first
        async for event in events:
            yield event

    return StreamingResponse(all_events(), headers=_HEADERS, media_type=_MEDIA_TYPE)


ROUTE = Route(
    method="GET",
    template="/v1/invocations/{invocation_id}/watch",
    handler=watch,
    name="WatchInvocation",
    rpc="/durable.v1.DurableControl/WatchInvocation",
    summary="Watch invocation, as server-sent events",
    parameters=(
        parameters.boolean("include_journal", "Also send journal entries that are new or changed."),
        parameters.string(_LAST_ID, "The id of the last event that was seen.", location="header"),
    ),
    answers={
        200: Body(
            "Events `invocation` with a durable.v1.WatchInvocationResponse, `end`, `error`.",
            Event,
            _MEDIA_TYPE,
        ),
        204: no_body("The end was seen already; do not connect again."),
    },
)


async def _events(
    control: ControlClient, request: control_pb2.WatchInvocationRequest
) -> AsyncGenerator[bytes]:
    number = 0
    final = False
    try:
        async for message in control.watch(request):
            if message is None:
                yield b": still here\n\n"
                continue
            number += 1
            yield _encode(Event(event="invocation", id=str(number), data=_json(message)))
            final = message.invocation.state in _FINAL
        # A long journal comes in several messages, and the last ones have the final state.
        if final and not control.watches_end:
            yield _encode(Event(event="end", id=_END_ID, data="{}"))
    except HttpError as error:
        if not number:
            raise
        yield _encode(Event(event="error", data=msgspec.json.encode(error.body).decode()))


def _json(message: control_pb2.WatchInvocationResponse) -> str:
    return msgspec.json.encode(message_json(message)).decode()


def _encode(it: Event) -> bytes:
    event_id = f"id: {it.id}\n" if it.id else ""
    return f"event: {it.event}\n{event_id}data: {it.data}\n\n".encode()
