"""The ASGI application: check the origin, route, answer; whatever is raised becomes JSON.

`ROUTES` is the one table of what is served: `/api` and `/health`, webhooks, `/metrics`, the watch, what
the protos say, and the document that is made of all of these. The page's files come last.

Webhooks are open to every origin and host name, because their senders come through a proxy or tunnel
with the public name. That gives a web page nothing: what it could do there it may do only with a
token, which nobody can guess, and who has a token can POST it from anywhere. Health is open to every
host name, because load balancers ask by an address, or over HTTP/1.0 without any.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..webhooks.desk import PATH
from . import bindings, endpoints, events, metrics, openapi, origins, webhooks
from .errors import HttpError, defect, invalid, json_response
from .page import files
from .reading import Backing, Call
from .routing import Body, Route, Router

logger = logging.getLogger("durable.http")

_HEALTH = "/health"


async def _document(call: Call) -> Response:
    return json_response(msgspec.Raw(_DOCUMENT))


def _path(request: Request) -> str:
    """Returns the path as it came over the wire."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise invalid("path", "is not UTF-8") from None


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
_DOCUMENT = msgspec.json.encode(openapi.document(ROUTES))


class Shim:
    """The HTTP surface over one gRPC client."""

    def __init__(self, backing: Backing, *, any_host: bool) -> None:
        self._backing = backing
        self._any_host = any_host
        self._router = Router((*ROUTES, *files.ROUTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            path = _path(request)
            if not path.startswith(PATH):
                any_host = self._any_host or path.startswith(_HEALTH)
                origins.check(request, any_host=any_host)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers={"allow": self._router.allowed(path)})
            route, variables = self._router.find(request.method, path)
            call = Call(request, variables, route.parameters, self._backing)
            return await route.handler(call)
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must have an answer
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return defect(incident).response()
