"""The tracing interface: what the client and the worker report about an invocation's trace.

An invocation outlives processes, so its headers carry the trace: the client writes the W3C
`traceparent` (and `tracestate`) there, attempts and child invocations read it, and durable calls pass
it on. Only what really executes gets a span, that is, an attempt or a step, so a replay makes none.

The replay engine knows nothing of tracing. The attempt runner and the body of a durable call report
from a few places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from durable_proto.v1 import control_pb2, worker_pb2

    from .._engine.steps import StepTask


class CallTrace(Protocol):
    """The trace of a client's Invoke call."""

    def end(self, invocation_id: str, error: BaseException | None = None) -> None:
        """Ends the span: the call was answered, or it failed with `error`."""
        ...


class StepTrace(Protocol):
    """The trace of a step that runs."""

    def end(self, error: BaseException | None) -> None:
        """Ends the span: the step returned, or it raised `error`."""
        ...

    def abandon(self) -> None:
        """Ends the span of a step whose result is no longer used."""
        ...


class AttemptTrace(Protocol):
    """The trace of an attempt that a worker runs."""

    def start_step(self, task: StepTask) -> StepTrace:
        """Starts a step's span, and makes it the current span in the step's context variables."""
        ...

    def end(self, final: worker_pb2.WorkerMessage) -> None:
        """Ends the span with the attempt's Finished, Continued, AttemptFailed or Held."""
        ...

    def close(self, outcome: str) -> None:
        """Ends the span with `outcome` if `end` has not ended it: the worker drops the attempt."""
        ...


class Tracing(Protocol):
    """What one client or one worker reports to."""

    def start_call(self, request: control_pb2.InvokeRequest) -> CallTrace:
        """Starts the span of an Invoke call, and adds the trace to the request's headers."""
        ...

    def start_attempt(self, message: worker_pb2.ServerMessage) -> AttemptTrace:
        """Starts an attempt's span from the Start message in `message`."""
        ...

    def outgoing_headers(
        self, service: str, method: str, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Returns the headers to send with the current step's call: `headers` with the trace.

        Also names the current span after the method.
        """
        ...
