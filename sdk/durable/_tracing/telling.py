"""Between what happens and who is told of it: an error out of tracing is logged, and decides nothing.

Theory. Each part of `_tracing` has its double here, which passes everything on. What could not be
begun has nobody to tell of its end.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from .tracing import AttemptTrace, CallTrace, StepTrace, Tracing

if TYPE_CHECKING:
    from durable_proto.v1 import control_pb2, worker_pb2

    from .._engine.steps import StepTask

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("durable.tracing")


def _tell(tell: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Tells; returns None when that fails."""
    try:
        return tell(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # of any kind: samplers and processors are a user's
        # Not its str: that may be what has failed.
        text = traceback.format_exception_only(error)[-1].strip()
        logger.warning("tracing has failed, and all goes on without: %s", text)
        return None


class Telling:
    """See Tracing."""

    def __init__(self, told: Tracing) -> None:
        self._told: Final = told

    def invoking(self, request: control_pb2.InvokeRequest) -> _Call:
        """See Tracing."""
        return _Call(_tell(self._told.invoking, request))

    def attempt(self, message: worker_pb2.ServerMessage) -> _Attempt:
        """See Tracing."""
        return _Attempt(_tell(self._told.attempt, message))

    def calling(self, service: str, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """See Tracing."""
        carried = _tell(self._told.calling, service, method, headers)
        return headers if carried is None else carried


class _Call:
    def __init__(self, told: CallTrace | None) -> None:
        self._told: Final = told

    def end(self, invocation_id: str, error: BaseException | None = None) -> None:
        if self._told is not None:
            _tell(self._told.end, invocation_id, error)


class _Attempt:
    def __init__(self, told: AttemptTrace | None) -> None:
        self._told: Final = told

    def step(self, task: StepTask) -> _Step:
        return _Step(None if self._told is None else _tell(self._told.step, task))

    def end(self, final: worker_pb2.WorkerMessage) -> None:
        if self._told is not None:
            _tell(self._told.end, final)

    def let_go(self, outcome: str) -> None:
        if self._told is not None:
            _tell(self._told.let_go, outcome)


class _Step:
    def __init__(self, told: StepTrace | None) -> None:
        self._told: Final = told

    def end(self, error: BaseException | None) -> None:
        if self._told is not None:
            _tell(self._told.end, error)

    def abandon(self) -> None:
        if self._told is not None:
            _tell(self._told.abandon)
