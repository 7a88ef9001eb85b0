"""The effect runner: runs the effects of a committed batch, in their order.

The loop calls it after the store's commit, and it never waits: each effect adds to a worker's next
frame, resolves a future, sets a timer or puts an invocation into the dispatcher's queue. Only the
leader runs effects; a replay of the log discards them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    Rerouted,
    SetTimer,
)
from ..core.states import SETTLED
from ..metrics.tally import Tally
from .deliveries import Deliveries
from .dispatcher import Dispatcher
from .retention import Retention
from .subscriptions import Subscriptions
from .timers import Timers


class EffectRunner:
    """Runs the effects of one partition."""

    def __init__(
        self,
        deliveries: Deliveries,
        dispatcher: Dispatcher,
        subscriptions: Subscriptions,
        timers: Timers,
        retention: Retention,
        tally: Tally,
    ) -> None:
        self._deliveries = deliveries
        self._dispatcher = dispatcher
        self._subscriptions = subscriptions
        self._timers = timers
        self._retention = retention
        self._tally = tally
        # The key decides the type of the argument, which a dict's type cannot express.
        self._actions: dict[type[Effect], Callable[[Any], None]] = {
            Dispatch: self._dispatch,
            Acknowledge: self._acknowledge,
            Complete: self._complete,
            RequestPause: deliveries.request_pause,
            RequestCancel: self._request_cancel,
            Abandon: deliveries.abandon,
            Free: self._free,
            Ready: self._ready,
            SetTimer: self._set_timer,
            Changed: self._changed,
            Rerouted: self._rerouted,
        }

    def run(self, effects: list[Effect]) -> None:
        """Runs all effects of a batch."""
        actions = self._actions
        for effect in effects:
            actions[type(effect)](effect)

    def _dispatch(self, effect: Dispatch) -> None:
        self._tally.attempts_started += 1
        self._deliveries.dispatch(effect)

    def _acknowledge(self, effect: Acknowledge) -> None:
        self._deliveries.acknowledge(effect)
        self._subscriptions.changed(effect.invocation_id)

    def _complete(self, effect: Complete) -> None:
        self._deliveries.complete(effect)
        self._subscriptions.changed(effect.invocation_id)

    def _request_cancel(self, effect: RequestCancel) -> None:
        self._deliveries.request_cancel(effect)
        self._subscriptions.changed(effect.invocation.id)

    def _free(self, effect: Free) -> None:
        found = self._dispatcher.freed(effect.worker_id, effect.invocation_id, effect.attempt)
        if found is not None:
            self._tally.attempt_ended(found.state, effect.suspended)
        if effect.suspended:
            self._deliveries.suspended(effect)

    def _ready(self, effect: Ready) -> None:
        self._dispatcher.ready(effect.invocation)

    def _rerouted(self, _: Rerouted) -> None:
        self._dispatcher.rerouted()

    def _set_timer(self, effect: SetTimer) -> None:
        self._timers.set(effect.due_ms, effect.invocation_id, effect.entry_index)

    def _changed(self, effect: Changed) -> None:
        invocation = effect.invocation
        if invocation.state in SETTLED:
            self._subscriptions.settled(invocation)
            if invocation.expire_ms:
                self._retention.schedule(invocation.expire_ms)
        self._subscriptions.changed(invocation.id)
