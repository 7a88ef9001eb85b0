"""`GET /v1/invocations/{id}/watch`: WatchInvocation as server-sent events.

    event: invocation      data: a WatchInvocationResponse as canonical JSON; the present form first
    event: end             the invocation has ended, and its last form was sent
    event: error           data: an error as everywhere

A lost connection needs no resume point: the next one begins with the present form.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from durable_proto.v1 import control_pb2, invocation_pb2

from . import reading
from .bindings import message_json
from .control import Control
from .errors import HttpError, dump
from .routing import Route

_FINAL = (
    invocation_pb2.INVOCATION_STATE_COMPLETED,
    invocation_pb2.INVOCATION_STATE_FAILED,
    invocation_pb2.INVOCATION_STATE_CANCELLED,
)


def route(control: Control) -> Route:
    """Returns the endpoint."""

    async def answer(request: Request, variables: dict[str, str]) -> Response:
        asked = reading.query(request, "include_journal")
        events = _events(
            control,
            control_pb2.WatchInvocationRequest(
                invocation_id=variables["id"],
                include_journal=reading.flag(asked, "include_journal"),
            ),
        )
        first = await anext(events, b"")  # an error before it is an answer with a status

        async def whole() -> AsyncGenerator[bytes]:
            yield first
            async for event in events:
                yield event

        return StreamingResponse(
            whole(),
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
            media_type="text/event-stream",
        )

    return Route("GET", "/v1/invocations/{id}/watch", answer)


async def _events(
    control: Control, request: control_pb2.WatchInvocationRequest
) -> AsyncGenerator[bytes]:
    begun = False
    try:
        async for message in control.watch(request):
            if message is None:
                yield b": still here\n\n"
                continue
            begun = True
            yield _event("invocation", dump(message_json(message)))
            if message.invocation.state in _FINAL:
                yield _event("end", b"{}")
    except HttpError as error:
        if not begun:
            raise
        yield _event("error", dump(error.body()))


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
