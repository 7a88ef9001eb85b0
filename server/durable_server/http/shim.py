"""The ASGI application: check the origin, route, answer; whatever is raised becomes JSON.

`ROUTES` is the one table of what is served: `/api` and `/health`, webhooks, `/metrics`, the watch, what
the protos say, and the document that is made of all of these. The page's files come last (`ALL`).

Webhooks are open to every origin and host name, because their senders come through a proxy or tunnel
with the public name. That gives a web page nothing: what it could do there it may do only with a
token, which nobody can guess, and who has a token can POST it from anywhere. Health is open to every
host name, because load balancers ask by an address, or over HTTP/1.0 without any.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..webhooks.service import PATH
from . import bindings, endpoints, events, metrics, openapi, webhooks
from .errors import HttpError, defect, json_response, malformed
from .origins import Origins, target
from .page import files
from .requests import Backing, Call
from .routing import Body, Route, Router

logger = logging.getLogger("durable.http")

_HEALTH = "/health"
"""Answered whatever the host: load balancers ask by address, or without one."""
_DROP_SECONDS = 10.0
"""How long the rest of a refused body is read, so that the client gets the refusal."""
_DROP_IDLE_SECONDS = 1.0
"""How long its next part may take."""


async def _document(call: Call) -> Response:
    return json_response(msgspec.Raw(_DOCUMENT))


ROUTES = (
    *endpoints.ROUTES,
    webhooks.ROUTE,
    metrics.ROUTE,
    events.ROUTE,
    *bindings.routes(),
    Route(
        method="GET",
        template="/openapi.json",
        handler=_document,
        name="getOpenapi",
        summary="Get this document",
        answers={200: Body("OpenAPI 3.1.", dict[str, Any])},
    ),
)
ALL = (*ROUTES, *files.ROUTES)
"""What a control plane serves."""
WEBHOOKS = (webhooks.ROUTE,)
"""What one inside a program serves."""
_DOCUMENT = msgspec.json.encode(openapi.document(ROUTES))


class Shim:
    """The HTTP surface over one gRPC client."""

    def __init__(self, backing: Backing, allowed: Origins, routes: Iterable[Route]) -> None:
        self._backing = backing
        self._origins = allowed
        self._router = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        incoming = _Incoming(receive)
        request = Request(scope, incoming)
        response = await self._answer(request)
        if incoming.is_left(request):
            send = _sending_first(send, incoming)
        await response(scope, incoming, send)

    async def _answer(self, request: Request) -> Response:
        try:
            _check_form(request)
            host, path = target(request)
            if not path.startswith(PATH):
                self._origins.check(request, host, path, any_host=path.startswith(_HEALTH))
            if request.method == "OPTIONS":
                allowed = self._router.methods if path == "*" else self._router.allowed(path)
                return Response(status_code=204, headers={"allow": allowed})
            route, variables = self._router.find(request.method, path)
            call = Call(request, variables, route.parameters, self._backing)
            return await route.handler(call)
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must have an answer
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return defect(incident).response()


def _check_form(request: Request) -> None:
    """Refuses what is no HTTP/1, and a body of two lengths: a proxy may see another request there."""
    version = request.scope["http_version"]
    if version not in ("1.0", "1.1"):
        raise malformed(505, f"it is HTTP/{version}; gRPC has an address of its own")
    if "transfer-encoding" in request.headers and "content-length" in request.headers:
        raise malformed(400, "it has both Content-Length and Transfer-Encoding")


class _Incoming:
    """The parts of a request's body as they come, and whether all of them have come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = False
        self._ended = False

    async def __call__(self) -> Message:
        """Returns the next part."""
        message = await self._receive()
        self._begun = True
        self._ended = not message.get("more_body", False)
        return message

    def is_left(self, request: Request) -> bool:
        """Whether the client goes on sending a body that nobody has read to its end."""
        waits = "expect" in request.headers and not self._begun
        has_body = request.headers.get("content-length", "0") != "0"
        return not (self._ended or waits) and (has_body or "transfer-encoding" in request.headers)

    async def drop(self) -> None:
        """Reads the rest and forgets it, as long as it comes."""
        try:
            async with asyncio.timeout(_DROP_SECONDS):
                while not self._ended:
                    async with asyncio.timeout(_DROP_IDLE_SECONDS):
                        await self()
        except TimeoutError:
            pass


def _sending_first(send: Send, incoming: _Incoming) -> Send:
    """Returns a `send` that ends an answer when the request's body has ended.

    A connection that is closed while the client still sends is reset, and with it goes the answer
    that says why.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({**message, "more_body": True})
            await incoming.drop()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return sending
