"""The ASGI application: check the origin, route, answer; whatever is raised becomes JSON.

One table of routes, in this order: `/api` and `/health`, the watch, then what the protos say.
"""

from __future__ import annotations

import logging
import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import bindings, events, origins
from .control import Control
from .endpoints import Workflows
from .errors import HttpError
from .page.files import Page
from .routing import Router

logger = logging.getLogger("durable.http")


class Shim:
    """The HTTP surface over one gRPC client."""

    def __init__(self, control: Control, *, body_limit: int, any_host: bool) -> None:
        self._any_host = any_host
        self._router = Router(
            (
                *Workflows(control, body_limit).routes(),
                events.route(control),
                *bindings.routes(control, body_limit),
                *Page().routes(),
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            origins.check(request, any_host=self._any_host)
            raw_path = request.scope.get("raw_path") or request.url.path.encode()
            handler, variables = self._router.find(request.method, raw_path.decode("latin-1"))
            return await handler(request, variables)
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must have an answer
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return HttpError(
                500, "INTERNAL", f"a defect of the control plane; its log has more under {incident}"
            ).response()
