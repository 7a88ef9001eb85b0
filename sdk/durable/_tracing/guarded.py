"""Guarded tracing: an error in tracing is logged, and the work goes on as if there were no tracing.

A sampler, a span processor or the `__str__` of a user's exception may raise. Each class here wraps one
of `interface` and forwards every call; a call that raises is logged and returns nothing. If a span
could not be started, its later calls do nothing.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from durable_proto.v1 import control_pb2, worker_pb2

    from .._engine.steps import StepTask
    from .interface import AttemptTrace, CallTrace, StepTrace, Tracing

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("durable.tracing")


def _guarded(report: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Calls `report`; logs an error and returns None instead of raising it."""
    try:
        return report(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # of any kind: samplers and processors are a user's
        # `str(error)` is not used, because it may be what raised.
        text = traceback.format_exception_only(error)[-1].strip()
        logger.warning("tracing has failed, and all goes on without: %s", text)
        return None


class GuardedTracing:
    """See Tracing."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing: Final = tracing

    def start_call(self, request: control_pb2.InvokeRequest) -> _GuardedCall:
        """See Tracing."""
        return _GuardedCall(_guarded(self._tracing.start_call, request))

    def start_attempt(self, message: worker_pb2.ServerMessage) -> _GuardedAttempt:
        """See Tracing."""
        return _GuardedAttempt(_guarded(self._tracing.start_attempt, message))

    def outgoing_headers(
        self, service: str, method: str, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """See Tracing."""
        outgoing = _guarded(self._tracing.outgoing_headers, service, method, headers)
        return headers if outgoing is None else outgoing


class _GuardedCall:
    def __init__(self, trace: CallTrace | None) -> None:
        self._trace: Final = trace

    def end(self, invocation_id: str, error: BaseException | None = None) -> None:
        if self._trace is not None:
            _guarded(self._trace.end, invocation_id, error)


class _GuardedAttempt:
    def __init__(self, trace: AttemptTrace | None) -> None:
        self._trace: Final = trace

    def start_step(self, task: StepTask) -> _GuardedStep:
        trace = self._trace
        return _GuardedStep(None if trace is None else _guarded(trace.start_step, task))

    def end(self, final: worker_pb2.WorkerMessage) -> None:
        if self._trace is not None:
            _guarded(self._trace.end, final)

    def close(self, outcome: str) -> None:
        if self._trace is not None:
            _guarded(self._trace.close, outcome)


class _GuardedStep:
    def __init__(self, trace: StepTrace | None) -> None:
        self._trace: Final = trace

    def end(self, error: BaseException | None) -> None:
        if self._trace is not None:
            _guarded(self._trace.end, error)

    def abandon(self) -> None:
        if self._trace is not None:
            _guarded(self._trace.abandon)
