"""The server's spans: one for each Invoke that is part of a trace.

The trace is named by the invocation's headers (W3C `traceparent`). The worker gets these headers
unchanged, so the control plane's span stands beside the worker's. In a cluster it is made by the node
that the client has called. Whether the process has set up an
OpenTelemetry SDK is decided once, at the start, and nothing is imported without one.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from durable_proto.v1 import control_pb2

from ..processor.errors import RequestError
from .refusal import Method, Refusal, refusal

T = TypeVar("T", bound=control_pb2.InvokeResponse)
METHOD: Final = "durable.v1.DurableControl/Invoke"


class InvokeTracing:
    """Makes the spans of Invoke."""

    def __init__(self, trace: Any, provider: Any) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._trace = trace
        self._tracer = provider.get_tracer("durable")
        self._w3c = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, request: control_pb2.InvokeRequest) -> Iterator[Any]:
        """Makes a span around the block if the request is part of a trace."""
        trace = self._trace
        if "traceparent" not in request.headers:
            yield trace.INVALID_SPAN
            return
        parent = self._w3c.extract(request.headers)
        attributes = {
            "rpc.system.name": "grpc",
            "rpc.method": METHOD,
            "durable.handler": request.handler,
        }
        with self._tracer.start_as_current_span(
            METHOD, parent, trace.SpanKind.SERVER, attributes
        ) as span:
            try:
                yield span
            except (Refusal, RequestError) as error:
                span.set_attribute("rpc.response.status_code", refusal(error).code.name)
                raise
            span.set_attribute("rpc.response.status_code", "OK")


def find_tracing() -> InvokeTracing | None:
    """Returns the maker of spans; None when the process has not set up an OpenTelemetry SDK."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return InvokeTracing(trace, provider)


class Traced(Protocol):
    """A servicer whose Invoke is traced, if there is a maker of spans."""

    tracing: InvokeTracing | None


def traced(method: Method[T]) -> Method[T]:
    """Makes Invoke run within a span."""

    @functools.wraps(method)
    async def trace(self: Traced, request: Any, context: Any) -> T:
        if self.tracing is None:
            return await method(self, request, context)
        with self.tracing.span(request) as span:
            response = await method(self, request, context)
            span.set_attribute("durable.invocation_id", response.invocation_id)
            return response

    return trace
