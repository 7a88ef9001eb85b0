"""The ASGI application: check the origin, route, answer; whatever is raised becomes JSON.

One table of routes, in this order: `/api` and `/health`, webhooks, `/metrics`, the watch, then what
the protos say.

Webhooks are open to every origin and host name, because their senders come through a proxy or tunnel
with the public name. That gives a web page nothing: what it could do there it may do only with a
token, which nobody can guess, and who has a token can POST it from anywhere.
"""

from __future__ import annotations

import logging
import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..webhooks.desk import PATH, Webhooks
from . import bindings, events, metrics, origins
from .control import Control
from .endpoints import Workflows
from .errors import HttpError
from .routing import Router
from .webhooks import Deliveries

logger = logging.getLogger("durable.http")


class Shim:
    """The HTTP surface over one gRPC client."""

    def __init__(
        self,
        control: Control,
        webhooks: Webhooks,
        render: metrics.Render,
        *,
        payload_bytes: int,
        body_limit: int,
        any_host: bool,
    ) -> None:
        self._any_host = any_host
        self._router = Router(
            (
                *Workflows(control, body_limit).routes(),
                Deliveries(control, webhooks, payload_bytes).route(),
                metrics.route(render),
                events.route(control),
                *bindings.routes(control, body_limit),
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
            raw_path = request.scope.get("raw_path") or request.url.path.encode()
            path = raw_path.decode("latin-1")
            if not path.startswith(PATH):
                origins.check(request, any_host=self._any_host)
            handler, variables = self._router.find(request.method, path)
            return await handler(request, variables)
        except HttpError as error:
            return error.response()
        except Exception:  # every failure must have an answer
            incident = secrets.token_hex(4)
            logger.exception("incident %s", incident)
            return HttpError(
                500, "INTERNAL", f"a defect of the control plane; its log has more under {incident}"
            ).response()
