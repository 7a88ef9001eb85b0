"""The deliveries of a partition: sends the effects of a committed batch to the workers they concern.

A worker that is not connected gets nothing. When it comes back, it names the attempts that it still
holds, and everything that it may have missed is sent again then (see `sessions`).
"""

from __future__ import annotations

from ..core.effects import (
    Abandon,
    Acknowledge,
    Complete,
    Dispatch,
    Free,
    RequestCancel,
    RequestPause,
)
from ..core.limits import LIMIT_REACHED, Limits
from ..core.model import HandlerKind, Invocation
from ..core.outcomes import make_failure
from ..core.records import AttemptHeld, AttemptReleased
from ..store.interface import Store
from .inputs import Inputs
from .workers import Outbound, Workers


class Deliveries:
    """Sends to the workers of one partition."""

    def __init__(self, store: Store, limits: Limits, workers: Workers, inputs: Inputs) -> None:
        self._store = store
        self._limits = limits
        self._workers = workers
        self._inputs = inputs

    def dispatch(self, effect: Dispatch) -> None:
        """Sends an attempt with its journal and state, or ends it where that cannot be done."""
        invocation = effect.invocation
        worker = self._workers.get(invocation.worker_id)
        if worker is None:
            self._inputs.submit(AttemptReleased(invocation.id, invocation.attempt))
        elif invocation.journal_bytes > self._limits.journal_bytes:
            problem = self._limits.journal_too_large(invocation.journal_bytes)
            failure = make_failure(LIMIT_REACHED, problem)
            self._inputs.submit(AttemptHeld(invocation.id, invocation.attempt, failure))
        elif worker.outbound is not None and (
            invocation.pinned and worker.build_id != invocation.build
        ):
            # It has come back as another build since it was chosen. Without a journal too: that of this
            # attempt would be pinned to the build that the log says has begun it.
            self._inputs.submit(AttemptReleased(invocation.id, invocation.attempt))
        elif worker.outbound is not None:
            journal = self._store.journal(invocation.number) if invocation.recorded else []
            state, complete = state_of(invocation, self._store, self._limits)
            worker.outbound.start(invocation, journal, state, complete)

    def acknowledge(self, effect: Acknowledge) -> None:
        """Confirms that an entry is in the log."""
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            if not effect.time_ms:
                entry = self._store.entry(effect.number, effect.entry_index)
                if entry is not None:
                    effect = effect._replace(time_ms=entry.completed_ms or entry.created_ms)
            outbound.acknowledge(effect)

    def complete(self, effect: Complete) -> None:
        """Sends the outcome of an open entry."""
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.complete(effect)

    def request_pause(self, effect: RequestPause) -> None:
        """Asks the worker to pause an attempt."""
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.request_pause(effect.invocation_id, effect.attempt)

    def request_cancel(self, effect: RequestCancel) -> None:
        """Asks the worker to cancel an invocation."""
        outbound = self._outbound(effect.invocation.worker_id)
        if outbound is not None:
            outbound.request_cancel(effect.invocation)

    def abandon(self, effect: Abandon) -> None:
        """Takes an attempt away from its worker."""
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.abandon(effect.invocation_id, effect.attempt, effect.reason)

    def suspended(self, effect: Free) -> None:
        """Confirms that an attempt is suspended."""
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.suspended(effect.invocation_id, effect.attempt)

    def _outbound(self, worker_id: str) -> Outbound | None:
        worker = self._workers.get(worker_id)
        return None if worker is None else worker.outbound


def state_of(invocation: Invocation, store: Store, limits: Limits) -> tuple[dict[str, bytes], bool]:
    """Returns the state that is sent with an attempt, and whether it is all of it."""
    if invocation.kind == HandlerKind.OBJECT_SHARED:
        # Exclusive handlers change the state while a shared one runs, so the worker must ask for
        # each value, and the journal keeps what it got.
        return {}, False
    new = not invocation.recorded and invocation.run == 1
    if invocation.kind == HandlerKind.WORKFLOW and new:
        return {}, True
    return store.small_state(invocation.state_owner, limits.state_bytes)
