"""The ASGI application: check the origin, route, answer; whatever is raised becomes JSON.

`ROUTES` is the one table of what is served: `/api` and `/health`, the watch, what the protos say, and
the document that is made of all of these.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import bindings, endpoints, events, openapi, origins
from .control import Control
from .errors import HttpError, defect, invalid, json_response
from .reading import Call
from .routing import Body, Route, Router

logger = logging.getLogger("durable.http")


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

    def __init__(self, control: Control, *, body_limit: int, any_host: bool) -> None:
        self._control = control
        self._body_limit = body_limit
        self._any_host = any_host
        self._router = Router(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            origins.check(request, any_host=self._any_host)
            path = _path(request)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers={"allow": self._router.allowed(path)})
            route, variables = self._router.find(request.method, path)
            call = Call(
                request,
                variables,
                route.parameters,
                control=self._control,
                body_limit=self._body_limit,
            )
            return await route.handler(call)
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must have an answer
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return defect(incident).response()
