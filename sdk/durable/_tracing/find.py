"""Finding the tracing that a program has set up, if it has.

A client or a worker looks once, when it is made. By then a program that wants traces has set up an
OpenTelemetry SDK; for any other program nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Tracing


def find_tracing() -> Tracing | None:
    """Returns the tracing to report to; None when the program has set up no OpenTelemetry SDK."""
    # A program that has set up an SDK has imported this module.
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    from .guarded import GuardedTracing
    from .spans import OpenTelemetryTracing

    return GuardedTracing(OpenTelemetryTracing(provider))
