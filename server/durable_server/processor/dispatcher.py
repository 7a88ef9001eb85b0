"""The dispatcher: chooses a worker for each pending invocation.

Assignments are part of the batch that is about to be appended. An invocation that the same batch
creates is assigned in it too, on the assumption that no record of the batch contradicts. Where one
does (the id exists already, or the invocation is cancelled at once), applying the `Started` shows it
and frees the slot again. This assumption saves one append for each invocation.

Three rules make an invocation wait although a worker has a free slot:
- its handler's `max_concurrent`, counted over all workers and partitions of this process; on a node of
  a cluster, this node's share of it;
- for an exclusive handler, the lock on its object key, which the core's rules grant;
- the version that has written its journal, see `Workers.choose`. An invocation without a journal may
  go to any version.

The partitions of a process share the workers, see `sharing`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from ..core import ids
from ..core.model import HandlerKind, Invocation, State, object_scope
from ..core.partition import Partition
from ..core.records import Invoked, Record, Started
from .queue import LAST, Place, ReadyQueue, Wanted
from .sharing import SharedWorker, Waiting
from .workers import Worker, Workers


class Dispatcher:
    """The assignments of one partition."""

    def __init__(self, partition: Partition, workers: Workers, wake: Callable[[], None]) -> None:
        self.index = partition.index
        """The number of the partition."""
        self._partition = partition
        self._workers = workers
        self._wake = wake
        self._sharing = workers.sharing
        self._queue = ReadyQueue(self._sharing.arrivals)
        self._running = self._sharing.running
        self._waited = False
        """Whether anything waited after the last assignments."""

    def push(self, invocation: Invocation) -> None:
        """Adds an invocation that waits for a worker."""
        version = (invocation.recorded_by or invocation.version) if invocation.recorded else ""
        self._queue.push(Wanted(invocation.handler, version), invocation.priority, invocation.id)

    def ready(self, invocation: Invocation) -> None:
        """Adds an invocation that a batch has made ready, and wakes the loop to assign it."""
        if invocation.state is State.PENDING:
            self.push(invocation)
            self._wake()

    def recover_running(self, invocation: Invocation) -> None:
        """Counts an invocation that was running already when this leader took over."""
        self._count(invocation.handler, invocation.id)

    def freed(self, worker_id: str, invocation_id: str, attempt: int) -> Invocation | None:
        """Frees the slot of an attempt that a worker does not own any more, and wakes the loop.

        Returns the invocation if this was its latest attempt; None if that attempt never started,
        because it was assigned on an assumption that did not hold.
        """
        found = self._partition.invocations.get(invocation_id)
        if self._running and (found is None or found.state is not State.RUNNING):
            self._uncount(invocation_id)
        worker = self._workers.get(worker_id)
        if worker is not None:
            if worker.owned.get(invocation_id) == attempt:
                del worker.owned[invocation_id]
                if worker.share.released():
                    self._sharing.changed()
            # Also if nothing waits here: the loop is idle only after what this commit has led to.
            self._wake()
            self._sharing.slot_freed()
        return found if found is not None and found.attempt == attempt else None

    def join(self) -> None:
        """Begins to share with the other partitions; what runs already is counted."""
        self._sharing.join(self)

    def leave(self) -> None:
        """Forgets what the partition's invocations take up: its leader is elsewhere from now on.

        What they take up goes with them, so nothing else of this process may use it.
        """
        for handler, running in self._running.items():
            leaving = {it for it in running if self._lives_here(it)}
            running -= leaving
            if leaving and self._sharing.quotas is not None:
                self._sharing.quotas.left(handler, len(leaving))
        for worker in self._workers:
            attempts = [it for it in worker.owned if self._lives_here(it)]
            for invocation_id in attempts:
                del worker.owned[invocation_id]
            worker.share.lost(len(attempts))
        self._sharing.leave(self)

    def _lives_here(self, invocation_id: str) -> bool:
        return ids.partition(invocation_id, self._partition.count) == self._partition.index

    def wake(self) -> None:
        """See `Sharer.wake`."""
        if self._queue:
            self._wake()

    def precedes(self, place: Place, worker: SharedWorker) -> bool:
        """See `Sharer.precedes`."""
        for wanted, first in self._queue.firsts():
            served = worker.handlers.get(wanted.handler)
            if (
                first < place
                and served is not None
                and wanted.version in ("", served)
                and not self._full(wanted.handler)
            ):
                return True
        return False

    def waiting(self) -> Iterable[Waiting]:
        """See `Sharer.waiting`."""
        for wanted, count in self._queue.sizes():
            limit = self._limit(wanted.handler)
            room = self._sharing.room(wanted.handler, limit) if limit else count
            yield Waiting(wanted, count, max(0, min(count, room)), limit > 0)

    @property
    def awaits_version(self) -> bool:
        """Whether an invocation waits for a version of its handler whose worker may come back."""
        return self._queue.wants_version and (
            self._workers.returning or any(it.outbound is None for it in self._workers)
        )

    def assign(self, proposed: Iterable[Record], records: list[Record], most: int) -> None:
        """Appends to `records` up to `most` Started, for invocations that a worker can take now."""
        end = len(records) + most
        new: set[str] = set()
        heads = self._queue.heads()
        alone = self._sharing.alone
        popped = False
        while heads and len(records) < end:
            place, wanted = heapq.heappop(heads)
            worker = None if self._full(wanted.handler) else self._workers.choose(*wanted)
            if worker is None or not (alone or self._may_take(place, worker)):
                continue
            self._assign_next(wanted, worker, records)
            popped = True
            if self._queue.has(wanted):
                heapq.heappush(heads, (self._queue.head(wanted), wanted))
        for record in proposed:
            if len(records) >= end:
                break
            if type(record) is Invoked and not record.start_ms and self._is_new(record, new):
                handler = record.handler
                if not (self._queue.has(Wanted(handler, "")) or self._full(handler)):
                    worker = self._workers.choose(handler)
                    if worker is not None and (
                        alone or self._may_take((-record.priority, LAST), worker)
                    ):
                        self._assign(handler, worker, record.invocation_id, 1, records)
        if popped and not alone:
            self._sharing.assigned()
        if self._queue or self._waited:
            self._waited = bool(self._queue)
            self._sharing.changed()

    def _may_take(self, place: Place, worker: Worker) -> bool:
        return not self._sharing.leaves(self, place, worker)

    def _assign_next(self, wanted: Wanted, worker: Worker, records: list[Record]) -> None:
        invocation_id = self._queue.pop(wanted)
        invocation = self._partition.invocations.get(invocation_id)
        if invocation is not None and invocation.state is State.PENDING:
            self._assign(wanted.handler, worker, invocation_id, invocation.attempt + 1, records)

    def _is_new(self, record: Invoked, new: set[str]) -> bool:
        """Returns whether an invocation should be ready for a worker once its record is applied.

        `new` collects the ids and object keys of the batch, because a second record for one of them
        will not be.
        """
        invocation_id = record.invocation_id
        if invocation_id in new or invocation_id in self._partition.invocations:
            return False
        new.add(invocation_id)
        handler = self._partition.handlers.get(record.handler)
        if handler is None or handler.kind != HandlerKind.OBJECT_EXCLUSIVE:
            return True
        scope = object_scope(record.handler.rpartition(".")[0], record.key)
        if scope in new or scope in self._partition.lock_queues:
            return False
        new.add(scope)
        return True

    def _assign(
        self,
        handler: str,
        worker: Worker,
        invocation_id: str,
        attempt: int,
        records: list[Record],
    ) -> None:
        worker.owned[invocation_id] = attempt
        self._count(handler, invocation_id)
        records.append(Started(invocation_id, attempt, worker.id, worker.handlers[handler]))

    def _limit(self, handler: str) -> int:
        known = self._partition.handlers.get(handler)
        return 0 if known is None else known.max_concurrent

    def _full(self, handler: str) -> bool:
        limit = self._limit(handler)
        return limit > 0 and self._sharing.room(handler, limit) <= 0

    def _count(self, handler: str, invocation_id: str) -> None:
        if self._limit(handler):
            self._running.setdefault(handler, set()).add(invocation_id)

    def _uncount(self, invocation_id: str) -> None:
        for handler, running in self._running.items():
            if invocation_id in running:
                running.remove(invocation_id)
                if self._sharing.quotas is not None:
                    self._sharing.quotas.released(handler)
