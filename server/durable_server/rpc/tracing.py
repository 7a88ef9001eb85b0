"""The control plane's part of an invocation's trace: the Invoke that starts it, as the server sees it.

The trace travels in the invocation's headers (W3C `traceparent`), and the headers are what the worker
gets, unchanged: the control plane adds a span of its own and changes nothing. As in the SDK, whether
there is an OpenTelemetry SDK is decided once, at the start, and nothing is imported without one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from durable_proto.v1 import control_pb2

from .refusal import Refusal

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
        """Spans the block if the request is part of a trace; gives the span."""
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
            except Refusal as error:
                span.set_attribute("rpc.response.status_code", error.code.name)
                raise
            span.set_attribute("rpc.response.status_code", "OK")


def find_tracing() -> InvokeTracing | None:
    """Returns who makes the spans; None when the process has set up no OpenTelemetry SDK."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return InvokeTracing(trace, provider)
