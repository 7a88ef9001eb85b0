"""`GET /metrics`, for Prometheus; what it says is the composition root's to give."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from .routing import Route

Render: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Takes an `Accept` header, returns a body and its content type."""


def route(render: Render) -> Route:
    """Returns the endpoint."""

    async def metrics(request: Request, variables: dict[str, str]) -> Response:
        body, content_type = render(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})

    return Route("GET", "/metrics", metrics)
