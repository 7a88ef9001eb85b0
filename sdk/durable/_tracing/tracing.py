"""What client and worker tell of a trace, if there is one: the face of `_spans`.

Theory. An invocation outlives processes, so its trace is carried by its headers: the client puts W3C
`traceparent` (and `tracestate`) there, attempts and children read it, durable calls pass it on. A span
is made where something really happens, an attempt or a step that runs, so a replay makes none. The
engine knows nothing of this: the desk and the body of a call tell, in a few places, what happens.

Whether there is anybody to tell is decided when a client or a worker is made: an OpenTelemetry SDK has
been set up by then, or there is no tracing and nothing of OpenTelemetry is imported.

Who is told decides nothing. A sampler, a span processor or a user's error with a broken `__str__` may
raise; `_telling` stands between, so that all goes on as without tracing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from durable_proto.v1 import control_pb2, worker_pb2

    from .._engine.steps import StepTask


class CallTrace(Protocol):
    """A client's call that starts an invocation."""

    def end(self, invocation_id: str, error: BaseException | None = None) -> None:
        """It was answered, or has failed."""
        ...


class StepTrace(Protocol):
    """A step that runs."""

    def end(self, error: BaseException | None) -> None:
        """It has ended."""
        ...

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        ...


class AttemptTrace(Protocol):
    """An attempt that a worker holds."""

    def step(self, task: StepTask) -> StepTrace:
        """A step begins; its span becomes the current one in the step's context variables."""
        ...

    def end(self, final: worker_pb2.WorkerMessage) -> None:
        """It has ended with this Finished, AttemptFailed or Held."""
        ...

    def let_go(self, outcome: str) -> None:
        """The worker does not hold it any more, whether it has ended or not."""
        ...


class Tracing(Protocol):
    """Where a client or a worker tells what it does."""

    def invoking(self, request: control_pb2.InvokeRequest) -> CallTrace:
        """A client starts an invocation; the request's headers get the trace."""
        ...

    def attempt(self, message: worker_pb2.ServerMessage) -> AttemptTrace:
        """An attempt begins with this Start."""
        ...

    def calling(self, service: str, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The current step calls a method; returns the headers that go along, with the trace."""
        ...


def find_tracing() -> Tracing | None:
    """Returns where to tell; None when the program has set up no OpenTelemetry SDK."""
    # Whoever has set one up has imported this.
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    from .spans import Spans
    from .telling import Telling

    return Telling(Spans(provider))
