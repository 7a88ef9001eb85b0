"""The ASGI application: checks the origin, finds the route, answers; turns every exception into JSON.

`ROUTES` is the table of what is served: `/api` and `/health`, webhooks, `/metrics`, the watch, the
transcoded RPCs, and the OpenAPI document that is made from all of these. The page's files come last
(`ALL`).

Webhooks are open to every origin and host name, because their senders come through a proxy or tunnel
with the public name. This gives a web page nothing: it can do something there only with a token, which
cannot be guessed, and anybody who has a token can POST it from anywhere. Health is open to every host
name, because load balancers use an address as host, or HTTP/1.0 without any host.
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

from ..access.access import EVERYTHING, Access
from ..access.interface import CredentialUncheckedError, UnauthenticatedError
from ..access.rules import rule_of_route
from ..webhooks.service import PATH
from . import endpoints, metrics, openapi, session, transcoding, watch, webhooks
from .authentication import denied, unauthenticated, unchecked
from .errors import DOMAIN, HttpError, defect, json_response, malformed, refused
from .origin_policy import OriginPolicy, request_target
from .page import files
from .requests import Backend, EndpointRequest
from .routing import Body, Route, Router

logger = logging.getLogger("durable.http")

_HEALTH = "/health"
"""The path that is served for every host, because load balancers use an address or no host."""
_DROP_SECONDS = 10.0
"""How long the remainder of a refused body is read, so that the client receives the refusal."""
_DROP_IDLE_SECONDS = 1.0
"""How long the next chunk of it may take."""


async def _document(request: EndpointRequest) -> Response:
    return json_response(msgspec.Raw(_DOCUMENT))


ROUTES = (
    *endpoints.ROUTES,
    webhooks.ROUTE,
    metrics.ROUTE,
    watch.ROUTE,
    *transcoding.routes(),
    Route(
        method="GET",
        template="/openapi.json",
        handler=_document,
        name="getOpenapi",
        summary="Get this document",
        answers={200: Body("OpenAPI 3.1.", dict[str, Any])},
    ),
)
ALL = (*ROUTES, *session.ROUTES, *files.ROUTES)
"""The routes of a control plane."""
WEBHOOKS = (webhooks.ROUTE,)
"""The routes of a control plane inside a program (local mode)."""
_DOCUMENT = msgspec.json.encode(openapi.document(ROUTES))


class HttpApp:
    """The HTTP surface over one gRPC client."""

    def __init__(self, backend: Backend, allowed: OriginPolicy, routes: Iterable[Route]) -> None:
        self._backend = backend
        self._origins = allowed
        self._router = Router(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        incoming = _RequestBody(receive)
        request = Request(scope, incoming)
        response = await self._answer(request)
        if incoming.is_unread(request):
            send = _send_after_body(send, incoming)
        await response(scope, incoming, send)

    async def _answer(self, request: Request) -> Response:
        try:
            _check_form(request)
            host, path = request_target(request)
            if not path.startswith(PATH):
                self._origins.check(request, host, path, any_host=path.startswith(_HEALTH))
            if request.method == "OPTIONS":
                allowed = self._router.methods if path == "*" else self._router.allowed(path)
                return Response(status_code=204, headers={"allow": allowed})
            route, variables = self._router.find(request.method, path)
            access = await self._access(request, route)
            endpoint_request = EndpointRequest(
                request,
                variables,
                route.parameters,
                self._backend,
                access,
                has_foreign_query=route.has_foreign_query,
            )
            response = await route.handler(endpoint_request)
            if self._backend.authentication is not None:
                response.headers.setdefault("cache-control", "no-store")
            return response
        except UnauthenticatedError as error:
            return unauthenticated(error).response()
        except CredentialUncheckedError as error:
            return unchecked(error).response()
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must get a response
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return defect(incident).response()

    async def _access(self, request: Request, route: Route) -> Access:
        """Returns who makes a request. Raises HttpError, UnauthenticatedError."""
        authentication = self._backend.authentication
        if authentication is None:
            return EVERYTHING
        rule = rule_of_route(route.name, route.rpc)
        if rule is None:
            raise refused(
                403, "PERMISSION_DENIED", "PERMISSION_DENIED",
                f"{route.name} has no rule, and so nobody may", domain=DOMAIN,
            )  # fmt: skip
        if rule.open:
            return EVERYTHING
        try:
            access = await authentication.caller(request, secure=self._backend.secure)
        except UnauthenticatedError as error:
            authentication.refusals.unauthenticated(error.problem)
            raise
        if not access.has(rule.scopes):
            authentication.refusals.denied(route.rpc or route.name, access)
            raise denied(access, rule)
        return access


def _check_form(request: Request) -> None:
    """Refuses other versions than HTTP/1, and a body with two lengths.

    A proxy may take the end of such a body for another request (request smuggling).
    """
    version = request.scope["http_version"]
    if version not in ("1.0", "1.1"):
        raise malformed(505, f"it is HTTP/{version}; gRPC has an address of its own")
    if "transfer-encoding" in request.headers and "content-length" in request.headers:
        raise malformed(400, "it has both Content-Length and Transfer-Encoding")


class _RequestBody:
    """Receives the chunks of a request's body, and knows whether all of them have arrived."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = False
        self._ended = False

    async def __call__(self) -> Message:
        """Returns the next chunk."""
        message = await self._receive()
        self._begun = True
        self._ended = not message.get("more_body", False)
        return message

    def is_unread(self, request: Request) -> bool:
        """Returns whether the client is still sending a body that has not been read in full."""
        waits = "expect" in request.headers and not self._begun
        has_body = request.headers.get("content-length", "0") != "0"
        return not (self._ended or waits) and (has_body or "transfer-encoding" in request.headers)

    async def discard(self) -> None:
        """Reads and discards the remainder, within the time limits."""
        try:
            async with asyncio.timeout(_DROP_SECONDS):
                while not self._ended:
                    async with asyncio.timeout(_DROP_IDLE_SECONDS):
                        await self()
        except TimeoutError:
            pass


def _send_after_body(send: Send, incoming: _RequestBody) -> Send:
    """Returns a `send` that ends a response only after the request's body has been discarded.

    A connection that is closed while the client still sends is reset, and the client would lose the
    response that says why.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await send({**message, "more_body": True})
            await incoming.discard()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return sending
