"""OpenTelemetry for long-running commands, configured by the usual `OTEL_*` environment variables.

Nothing happens, and nothing is imported, unless the environment names an exporter:
`OTEL_TRACES_EXPORTER` (`otlp`, `console`, or the name of an installed exporter) or an
`OTEL_EXPORTER_OTLP_ENDPOINT`. The user installs the exporter's package; OpenTelemetry's SDK reads
all other variables itself. A tracer provider that the program or `opentelemetry-instrument` has set
takes precedence.

A missing package is a warning, because a process that serves must start even if it cannot be
traced.
"""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from typing import Any, Final

logger = logging.getLogger("durable.telemetry")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_GROUP: Final = "opentelemetry_traces_exporter"


def configure(service: str) -> None:
    """Sets a tracer provider if the environment asks for it; `service` is the default name."""
    names = _exporters()
    if not names or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning("no traces: %s; pip install 'durable-grpc[otel]'", error)
        return
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    exporters = [found for name in names if (found := _load(name)) is not None]
    if not exporters:
        return
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": service}))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _exporters() -> list[str]:
    given = os.environ.get("OTEL_TRACES_EXPORTER", "")
    if not given and any(os.environ.get(name) for name in _ENDPOINTS):
        given = "otlp"
    return [name for it in given.split(",") if (name := it.strip()) not in ("", "none")]


def _load(name: str) -> Any:
    """Returns the exporter for a name in the environment; None if it is not installed."""
    known = {it.name: it for it in entry_points(group=_GROUP)}
    wanted = [name]
    if name == "otlp":
        protocol = next((os.environ[it] for it in _PROTOCOLS if os.environ.get(it)), "")
        both = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
        wanted = [both[protocol]] if protocol in both else list(both.values())
    found = next((known[it] for it in wanted if it in known), None)
    if found is None:
        logger.warning(
            "no traces to %s: there is no such exporter; for OTLP: pip install"
            " opentelemetry-exporter-otlp-proto-grpc",
            name,
        )
        return None
    return found.load()()
