"""The dispatcher: chooses a worker for each pending invocation.

Assignments are part of the batch that is about to be appended. An invocation that the same batch
creates is assigned in it too, on the assumption that no record of the batch contradicts. Where one
does (the id exists already, or the invocation is cancelled at once), applying the `Started` shows it
and frees the slot again. This assumption saves one append for each invocation.

Four rules make an invocation wait although a worker has a free slot:
- its handler's `max_concurrent`, counted over all workers and partitions of this process; on a node of
  a cluster, this node's share of it;
- for an exclusive handler, the lock on its object key, which the core's rules grant;
- the build that it is pinned to, or that a promotion has made the current one, see `routing`;
- the version that has written its journal, see `Workers.candidates`. An invocation without a journal
  may go to any version.

The partitions of a process share the workers, see `sharing`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ..core import ids, object_locks
from ..core.model import HandlerKind, Invocation, State, object_scope
from ..core.partition import Partition
from ..core.records import Invoked, Record, Started
from .queue import LAST, Place, ReadyQueue, Wanted
from .routing import for_new, wanted_by, wanted_by_new
from .sharing import SharedWorker, Waiting
from .workers import Worker, Workers, freest


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
        self._drains = False
        """Whether a build drains."""

    def push(self, invocation: Invocation) -> None:
        """Adds an invocation that waits for a worker."""
        wanted = wanted_by(invocation, self._partition.routes)
        self._queue.push(wanted, invocation.priority, invocation.id)

    def ready(self, invocation: Invocation) -> None:
        """Adds an invocation that a batch has made ready, and wakes the loop to assign it."""
        if invocation.state is State.PENDING:
            self.push(invocation)
            self._wake()

    def rerouted(self) -> None:
        """Lets what waits go where builds and routes say now, and wakes the loop to assign it."""
        partition = self._partition
        self._drains = any(it.draining for it in partition.deployments.values())

        def wanted_now(invocation_id: str, before: Wanted) -> Wanted:
            invocation = partition.invocations.get(invocation_id)
            return before if invocation is None else wanted_by(invocation, partition.routes)

        self._queue.move(wanted_now)
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
        self._drains = any(it.draining for it in self._partition.deployments.values())
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
        return any(
            first < place and self._fits(worker, wanted) and not self._full(wanted.handler)
            for wanted, first in self._queue.firsts()
        )

    def _fits(self, worker: SharedWorker, wanted: Wanted) -> bool:
        """Returns whether a worker is one of the candidates.

        Not whether one of another version fits in place of those that are not there.
        """
        served = worker.handlers.get(wanted.handler)
        if served is None:
            return False
        if wanted.build or wanted.version:
            return wanted.build in ("", worker.build_id) and wanted.version in ("", served)
        return self._any_will_do or worker in self.candidates(wanted)

    @property
    def _any_will_do(self) -> bool:
        """Whether an invocation without a journal or a route may go to any worker of its handler."""
        return not (self._drains or self._workers.pins)

    def candidates(self, wanted: Wanted) -> Sequence[Worker]:
        """See `Sharer.candidates`."""
        found = self._workers.candidates(wanted)
        if wanted.build or wanted.version or self._any_will_do:
            return found
        return for_new(found, wanted.handler, self._partition.deployments)

    def waiting_for_build(self, invocation: Invocation) -> str:
        """Returns the build that an invocation waits for, because no worker of it serves the handler.

        Empty if the invocation does not wait for a worker, or if one that may take it is connected.
        """
        partition = self._partition
        if invocation.state is not State.PENDING or object_locks.waits(partition, invocation):
            return ""
        wanted = wanted_by(invocation, partition.routes)
        return "" if self._workers.candidates(wanted) else wanted.build

    def waiting_for_builds(self) -> Counter[Wanted]:
        """Counts the invocations that wait for workers of a certain build, connected or not."""
        invocations = self._partition.invocations
        counts: Counter[Wanted] = Counter()
        for invocation_id, wanted in self._queue.builds():
            found = invocations.get(invocation_id)
            if found is not None and found.state is State.PENDING:
                counts[wanted] += 1
        return counts

    def waiting(self) -> Iterable[Waiting]:
        """See `Sharer.waiting`."""
        for wanted, count in self._queue.sizes():
            limit = self._limit(wanted.handler)
            room = self._sharing.room(wanted.handler, limit) if limit else count
            yield Waiting(wanted, count, max(0, min(count, room)), limit > 0)

    @property
    def awaits_return(self) -> bool:
        """Whether an invocation waits for a version or a build whose worker may come back."""
        return self._queue.wants_certain and (
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
            worker = None if self._full(wanted.handler) else freest(self.candidates(wanted))
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
                wanted = wanted_by_new(handler, record.invocation_id, self._partition.routes)
                if not (self._queue.has(wanted) or self._full(handler)):
                    worker = freest(self.candidates(wanted))
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
        records.append(
            Started(
                invocation_id,
                attempt,
                worker.id,
                worker.handlers[handler],
                worker.build_id,
                handler in worker.pinned,
            )
        )

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
