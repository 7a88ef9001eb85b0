"""The demand: what waits on this node for what it shares with other nodes.

In a cluster, each node may use a share of a worker's slots, and a share of the limit of a handler with
`max_concurrent` (see `shares`). A process without a cluster has no `Demand`.

After the partitions have assigned what they can, `Demand` looks at what still waits, once for all
partitions and in the next turn of the event loop. It sends a report for each share whose owner has to
hear something, which is rare. It does nothing while nothing waits and no unit goes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .shares import Grant, Holding, Report
from .workers import Worker, Workers


class DividedSlots:
    """The slots of one worker that this node may use, while others have the rest."""

    def __init__(self, demand: Demand, worker: Worker, send: Callable[[Report], None]) -> None:
        self._demand = demand
        self._worker = worker
        self._send = send
        self._share: Holding = worker.share
        # The owner does not know of attempts that were on their way to the worker at its hello.
        self._share.taken_over(len(worker.owned))

    @property
    def current(self) -> bool:
        """Whether it still counts: not after a new session of the same worker."""
        return self._worker.share is self._share

    def granted(self, grant: Grant) -> None:
        """Takes a grant of the owner."""
        self._share.granted(grant)
        if self.current:
            self._demand.granted()

    def review(self, waiting: int) -> None:
        """Sends what the owner has to hear; `waiting` invocations could run on the worker now."""
        report = self._share.report(len(self._worker.owned), waiting)
        if report is not None:
            self._send(report)


class Demand:
    """What waits on this node for resources that it has a share of."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._divided: dict[str, DividedSlots] = {}
        self._due = False
        workers.sharing.demand_changed = self._changed

    def divide(self, worker: Worker, send: Callable[[Report], None]) -> DividedSlots:
        """Makes the present slots of a worker a share of them; `send` gets the reports to the owner.

        This holds until the next session of the worker.
        """
        slots = self._divided[worker.id] = DividedSlots(self, worker, send)
        self._changed()
        return slots

    def granted(self) -> None:
        """Lets the partitions look for assignments, because there may be more units."""
        self._workers.sharing.slot_freed()
        self._changed()

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._review)

    def _review(self) -> None:
        self._due = False
        sharing = self._workers.sharing
        waiting: dict[str, int] = {}
        limited: dict[str, int] = {}
        for sharer in sharing:
            for it in sharer.waiting():
                candidates = [worker for worker in sharer.candidates(it.wanted) if worker.available]
                if it.limited and candidates:
                    handler = it.wanted.handler
                    limited[handler] = limited.get(handler, 0) + it.invocations
                for worker in candidates if it.startable else ():
                    waiting[worker.id] = waiting.get(worker.id, 0) + it.startable
        for worker_id, slots in list(self._divided.items()):
            if slots.current and self._workers.get(worker_id) is not None:
                slots.review(waiting.get(worker_id, 0))
            else:
                del self._divided[worker_id]
        if sharing.quotas is not None:
            sharing.quotas.report(limited)
