"""`GET /metrics`, for Prometheus; what it says is the composition root's to give."""

from __future__ import annotations

from starlette.responses import Response

from .requests import Call
from .routing import Body, Route


async def metrics(call: Call) -> Response:
    """Shows all series."""
    body, content_type = call.backing.metrics(call.request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type, "cache-control": "no-store"})


ROUTE = Route(
    method="GET",
    template="/metrics",
    handler=metrics,
    name="getMetrics",
    summary="Get metrics, for Prometheus",
    answers={200: Body("The text format that `Accept` asks for.", str, "text/plain")},
)
