"""`GET /metrics` for Prometheus; the composition root provides the text."""

from __future__ import annotations

from starlette.responses import Response

from .requests import EndpointRequest
from .routing import Body, Route


async def metrics(request: EndpointRequest) -> Response:
    """Returns all series that the caller may see."""
    accept = request.http.headers.get("accept", "")
    body, content_type = await request.backend.metrics(accept, request.access)
    return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


ROUTE = Route(
    method="GET",
    template="/metrics",
    handler=metrics,
    name="getMetrics",
    summary="Get metrics, for Prometheus",
    answers={200: Body("The text format that `Accept` asks for.", str, "text/plain")},
)
