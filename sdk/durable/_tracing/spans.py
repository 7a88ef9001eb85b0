"""OpenTelemetry tracing: one trace for each invocation. Imported only when a program set up an SDK.

    client    durable.v1.DurableControl/Invoke    CLIENT
    worker    attempt HANDLER                     CONSUMER, child of the client's span
              step NAME                           INTERNAL, child of its attempt
              SERVICE/METHOD                      CLIENT, child of its attempt; the service's parent

An invocation that a client without tracing has started has no trace in its headers. It gets a trace
whose id is the invocation's id, so that attempts on all workers use the same trace without having to
agree on one. The sampler decides by that id, so that all workers decide alike. The parent span id of
its attempts, which belongs to no span, comes from the invocation's id too.

Names and attributes follow the OpenTelemetry semantic conventions for `rpc.*`. The SDK adds
`durable.*`: invocation_id, handler, attempt, run, build_id, entry, outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import grpc
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .._common.errors import RpcError
from .._engine.entry_kinds import CALL

if TYPE_CHECKING:
    from durable_proto.v1 import control_pb2, worker_pb2

    from .._engine.steps import StepTask

INVOKE: Final = "durable.v1.DurableControl/Invoke"
_W3C: Final = TraceContextTextMapPropagator()
_SPAN_ID_MAX: Final = 2**64 - 1


class CallSpan:
    """See CallTrace."""

    def __init__(self, span: Span) -> None:
        self._span: Final = span

    def end(self, invocation_id: str, error: BaseException | None = None) -> None:
        """See CallTrace."""
        span = self._span
        if error is None:
            span.set_attribute("durable.invocation_id", invocation_id)
            span.set_attribute("rpc.response.status_code", "OK")
        else:
            _fail(span, error)
        span.end()


class StepSpan:
    """See StepTrace."""

    def __init__(self, span: Span, *, calls: bool) -> None:
        self._span: Final = span
        self._calls: Final = calls

    def end(self, error: BaseException | None) -> None:
        """See StepTrace."""
        try:
            if error is not None:
                _fail(self._span, error)
            elif self._calls:
                self._span.set_attribute("rpc.response.status_code", "OK")
        finally:
            self._span.end()

    def abandon(self) -> None:
        """See StepTrace."""
        self._span.set_attribute("durable.outcome", "abandoned")
        self._span.end()


class AttemptSpan:
    """See AttemptTrace."""

    def __init__(self, tracer: trace.Tracer, parent: Context, attributes: dict[str, Any]) -> None:
        self._tracer: Final = tracer
        self._attributes: Final = attributes
        self._span: Final = tracer.start_span(
            f"attempt {attributes['durable.handler']}", parent, SpanKind.CONSUMER, attributes
        )
        self._context: Final = trace.set_span_in_context(self._span, parent)

    def start_step(self, task: StepTask) -> StepSpan:
        """See AttemptTrace."""
        calls = task.kind == CALL
        span = self._tracer.start_span(
            task.name if calls else f"step {task.name}",
            self._context,
            SpanKind.CLIENT if calls else SpanKind.INTERNAL,
            {**self._attributes, "durable.entry": task.index},
        )
        task.variables.run(_make_current, span)
        return StepSpan(span, calls=calls)

    def end(self, final: worker_pb2.WorkerMessage) -> None:
        """See AttemptTrace."""
        kind, failure = final.WhichOneof("message"), None
        if kind == "finished":
            outcome = final.finished.outcome
            failure = outcome.failure if outcome.HasField("failure") else None
        elif kind not in (None, "continued"):
            failure = getattr(final, kind).failure
        if failure is not None:
            self._span.set_attribute("error.type", failure.type)
            self._span.set_status(Status(StatusCode.ERROR, failure.message))
        self.close(str(kind).removeprefix("attempt_"))

    def close(self, outcome: str) -> None:
        """See AttemptTrace."""
        if self._span.is_recording():
            self._span.set_attribute("durable.outcome", outcome)
            self._span.end()


class OpenTelemetryTracing:
    """See Tracing."""

    def __init__(self, provider: trace.TracerProvider, build_id: Callable[[], str] | None) -> None:
        self._build_id: Final = build_id
        self._tracer: Final = provider.get_tracer("durable")
        # Only the SDK's provider has a sampler; with any other one, every trace counts as sampled.
        self._sampler: Final[Any] = getattr(provider, "sampler", None)

    def start_call(self, request: control_pb2.InvokeRequest) -> CallSpan:
        """See Tracing."""
        span = self._tracer.start_span(
            INVOKE,
            kind=SpanKind.CLIENT,
            attributes={
                "rpc.system.name": "grpc",
                "rpc.method": INVOKE,
                "durable.handler": request.handler,
            },
        )
        if "traceparent" not in request.headers:
            carrier: dict[str, str] = {}
            _W3C.inject(carrier, trace.set_span_in_context(span))
            request.headers.update(carrier)
        return CallSpan(span)

    def start_attempt(self, message: worker_pb2.ServerMessage) -> AttemptSpan:
        """See Tracing."""
        parent = _W3C.extract(message.start.headers, Context())
        if not trace.get_current_span(parent).get_span_context().is_valid:
            parent = self._parent_by_id(message.invocation_id)
        attributes: dict[str, Any] = {
            "durable.invocation_id": message.invocation_id,
            "durable.handler": message.start.handler,
            "durable.attempt": message.attempt,
        }
        if self._build_id is not None:
            attributes["durable.build_id"] = self._build_id()
        if message.start.run > 1:
            attributes["durable.run"] = message.start.run
        return AttemptSpan(self._tracer, parent, attributes)

    def outgoing_headers(
        self, service: str, method: str, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """See Tracing."""
        name = f"{service}/{method}"
        span = trace.get_current_span()
        span.update_name(name)
        span.set_attributes({"rpc.system.name": "grpc", "rpc.method": name})
        outgoing = dict(headers)
        # The invocation's headers hold the context of the trace's root span. Inject replaces its
        # traceparent, but not its tracestate when this span has none.
        outgoing.pop("tracestate", None)
        _W3C.inject(outgoing)
        return outgoing

    def _parent_by_id(self, invocation_id: str) -> Context:
        """Returns the parent context for attempts of an invocation without a trace in its headers."""
        trace_id = int(invocation_id, 16)
        flags = TraceFlags.SAMPLED
        if self._sampler is not None:
            decided = self._sampler.should_sample(Context(), trace_id, "invocation")
            flags = TraceFlags.SAMPLED if decided.decision.is_sampled() else TraceFlags.DEFAULT
        parent = trace.SpanContext(
            trace_id, trace_id & _SPAN_ID_MAX or 1, is_remote=True, trace_flags=TraceFlags(flags)
        )
        return trace.set_span_in_context(trace.NonRecordingSpan(parent), Context())


def _make_current(span: Span) -> None:
    """Makes a span the current one in this context; the program's other values, baggage, stay."""
    otel_context.attach(trace.set_span_in_context(span))


def _fail(span: Span, error: BaseException) -> None:
    """Marks a span as failed with an error."""
    code = _code(error)
    if code:
        span.set_attribute("rpc.response.status_code", code)
    span.set_attribute("error.type", code or type(error).__qualname__)
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, str(error)))


def _code(error: BaseException) -> str:
    """Returns the name of an error's gRPC status code; an empty string if it has none."""
    if isinstance(error, RpcError):
        return error.code.name
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    cause = error.__cause__
    return cause.code().name if isinstance(cause, grpc.aio.AioRpcError) else ""
