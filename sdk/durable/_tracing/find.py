"""Finding the tracing that a program has set up, if it has.

A client or a worker looks once, when it is made. By then a program that wants traces has set up an
OpenTelemetry SDK; for any other program nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Tracing


def find_tracing(build_id: Callable[[], str] | None = None) -> Tracing | None:
    """Returns the tracing to report to; None when the program has set up no OpenTelemetry SDK.

    `build_id` returns the build that a worker runs; it is called when an attempt starts.
    """
    # A program that has set up an SDK has imported this module.
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    from .guarded import GuardedTracing
    from .spans import OpenTelemetryTracing

    return GuardedTracing(OpenTelemetryTracing(provider, build_id))
