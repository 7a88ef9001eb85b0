"""`GET /v1/invocations/{id}/watch`: WatchInvocation as server-sent events.

    event: invocation   id: 1, 2, ...   data: a WatchInvocationResponse as canonical JSON; the present
                                        form first
    event: end          id: end         the invocation has ended, and its last form was sent
    event: error                        data: an error as everywhere

A lost connection needs no resume point: the next one begins with the present form. A browser's
EventSource comes back after the end too, for ever; it then says the last id that it has seen, and 204
makes it stop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

import msgspec
from starlette.responses import Response, StreamingResponse

from durable_proto.v1 import control_pb2, invocation_pb2

from . import parameters
from .bindings import message_json
from .control import Control
from .errors import HttpError
from .requests import Call
from .routing import Body, Route, no_body

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


async def watch(call: Call) -> Response:
    """Streams an invocation as it changes."""
    if call.values[_LAST_ID] == _END_ID:
        return Response(status_code=204)
    events = _events(
        call.control,
        control_pb2.WatchInvocationRequest(
            invocation_id=call.variables["invocation_id"],
            include_journal=call.values["include_journal"],
        ),
    )
    first = await anext(events, b"")  # an error before it is an answer with a status
    if call.is_head:
        await events.aclose()
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)

    async def whole() -> AsyncGenerator[bytes]:
        yield first
        async for event in events:
            yield event

    return StreamingResponse(whole(), headers=_HEADERS, media_type=_MEDIA_TYPE)


ROUTE = Route(
    method="GET",
    template="/v1/invocations/{invocation_id}/watch",
    handler=watch,
    name="WatchInvocation",
    summary="Watch invocation, as server-sent events",
    parameters=(
        parameters.flag("include_journal", "Also send journal entries that are new or changed."),
        parameters.text(_LAST_ID, "The id of the last event that was seen.", place="header"),
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
    control: Control, request: control_pb2.WatchInvocationRequest
) -> AsyncGenerator[bytes]:
    number = 0
    final = False
    try:
        async for message in control.watch(request):
            if message is None:
                yield b": still here\n\n"
                continue
            number += 1
            yield _lines(Event(event="invocation", id=str(number), data=_json(message)))
            final = message.invocation.state in _FINAL
        # A long journal comes in several messages, the last ones of which have the final state.
        if final and not control.watches_end:
            yield _lines(Event(event="end", id=_END_ID, data="{}"))
    except HttpError as error:
        if not number:
            raise
        yield _lines(Event(event="error", data=msgspec.json.encode(error.body).decode()))


def _json(message: control_pb2.WatchInvocationResponse) -> str:
    return msgspec.json.encode(message_json(message)).decode()


def _lines(it: Event) -> bytes:
    event_id = f"id: {it.id}\n" if it.id else ""
    return f"event: {it.event}\n{event_id}data: {it.data}\n\n".encode()
