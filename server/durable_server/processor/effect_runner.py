"""Carries effects out: what a committed batch means for workers, waiters, timers and queues.

Called by the loop after the commit, for each effect in its order, without an await. A worker that is
away gets nothing: what it may have missed is said again when it is back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..core.effects import (
    Abandon,
    Acknowledge,
    Changed,
    Complete,
    Dispatch,
    Effect,
    Free,
    Ready,
    RequestCancel,
    RequestPause,
    SetTimer,
)
from ..core.limits import LIMIT_REACHED, Limits
from ..core.model import HandlerKind, Invocation, State
from ..core.outcomes import make_failure
from ..core.partition import Partition
from ..core.records import AttemptHeld, AttemptReleased, Record
from ..core.states import SETTLED
from ..metrics.tally import Tally
from ..store.interface import Store
from .dispatcher import Assigner
from .retention import Retention
from .subscriptions import Waiting
from .timers import Timers
from .workers import Outbound, Workers


class Carrier:
    """The hands of one partition's processor."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        partition: Partition,
        tally: Tally,
        workers: Workers,
        assigner: Assigner,
        waiting: Waiting,
        timers: Timers,
        retention: Retention,
        submit: Callable[[Record], None],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._limits = limits
        self._partition = partition
        self._tally = tally
        self._workers = workers
        self._assigner = assigner
        self._waiting = waiting
        self._timers = timers
        self._retention = retention
        self._submit = submit
        self._wake = wake

    def carry_out(self, effects: list[Effect]) -> None:
        """Carries out what a batch has led to."""
        for effect in effects:
            self._carry_out[type(effect)](self, effect)

    def _outbound(self, worker_id: str) -> Outbound | None:
        worker = self._workers.get(worker_id)
        return None if worker is None else worker.outbound

    def _dispatch(self, effect: Dispatch) -> None:
        self._tally.attempts_started += 1
        invocation = effect.invocation
        worker = self._workers.get(invocation.worker_id)
        if worker is None:
            self._submit(AttemptReleased(invocation.id, invocation.attempt))
        elif invocation.journal_bytes > self._limits.journal_bytes:
            problem = self._limits.journal_too_large(invocation.journal_bytes)
            failure = make_failure(LIMIT_REACHED, problem)
            self._submit(AttemptHeld(invocation.id, invocation.attempt, failure))
        elif worker.outbound is not None:
            journal = self._store.journal(invocation.number) if invocation.recorded else []
            state, complete = self._state_of(invocation)
            worker.outbound.start(invocation, journal, state, complete)

    def _state_of(self, invocation: Invocation) -> tuple[dict[str, bytes], bool]:
        """Returns the state that travels with an attempt, and whether it is all of it."""
        if invocation.kind == HandlerKind.OBJECT_SHARED:
            # It changes while such a handler runs: each read is asked for, and journaled.
            return {}, False
        if invocation.kind == HandlerKind.WORKFLOW and not invocation.recorded:
            return {}, True
        return self._store.small_state(invocation.state_owner, self._limits.state_bytes)

    def _acknowledge(self, effect: Acknowledge) -> None:
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            if not effect.time_ms:
                entry = self._store.entry(effect.number, effect.entry_index)
                if entry is not None:
                    effect = effect._replace(time_ms=entry.completed_ms or entry.created_ms)
            outbound.acknowledge(effect)
        self._waiting.changed(effect.invocation_id)

    def _complete(self, effect: Complete) -> None:
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.complete(effect)
        self._waiting.changed(effect.invocation_id)

    def _request_pause(self, effect: RequestPause) -> None:
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.request_pause(effect.invocation_id, effect.attempt)

    def _request_cancel(self, effect: RequestCancel) -> None:
        outbound = self._outbound(effect.invocation.worker_id)
        if outbound is not None:
            outbound.request_cancel(effect.invocation)
        self._waiting.changed(effect.invocation.id)

    def _abandon(self, effect: Abandon) -> None:
        outbound = self._outbound(effect.worker_id)
        if outbound is not None:
            outbound.abandon(effect.invocation_id, effect.attempt, effect.reason)

    def _free(self, effect: Free) -> None:
        self._assigner.freed(effect.invocation_id)
        found = self._partition.invocations.get(effect.invocation_id)
        # Else it was assigned on a wrong guess, and has not begun.
        if found is not None and found.attempt == effect.attempt:
            self._tally.attempt_ended(found.state, effect.suspended)
        worker = self._workers.get(effect.worker_id)
        if worker is None:
            return
        if worker.owned.get(effect.invocation_id) == effect.attempt:
            del worker.owned[effect.invocation_id]
        if effect.suspended and worker.outbound is not None:
            worker.outbound.suspended(effect.invocation_id, effect.attempt)
        self._wake()

    def _ready(self, effect: Ready) -> None:
        if effect.invocation.state is State.PENDING:
            self._assigner.push(effect.invocation)
            self._wake()

    def _set_timer(self, effect: SetTimer) -> None:
        self._timers.set(effect.due_ms, effect.invocation_id, effect.entry_index)

    def _changed(self, effect: Changed) -> None:
        invocation = effect.invocation
        if invocation.state in SETTLED:
            self._waiting.rest(invocation)
            if invocation.expire_ms:
                self._retention.schedule(invocation.expire_ms)
        self._waiting.changed(invocation.id)

    # The key decides the type of the argument, which a dict's type cannot say.
    _carry_out: ClassVar[dict[type[Effect], Callable[[Carrier, Any], None]]] = {
        Dispatch: _dispatch,
        Acknowledge: _acknowledge,
        Complete: _complete,
        RequestPause: _request_pause,
        RequestCancel: _request_cancel,
        Abandon: _abandon,
        Free: _free,
        Ready: _ready,
        SetTimer: _set_timer,
        Changed: _changed,
    }
