"""Who runs what next: pairs invocations that wait with workers that have a free slot.

Assignments ride along with the batch that is about to be appended. An invocation that is new in this
very batch is assigned in it too, on the guess that nothing in the batch contradicts; where something
does (its id was known, it was cancelled at once), applying the `Started` finds that out and frees the
slot again. That guess is what saves an append for each invocation.

Three things hold an invocation back although a worker is free: its handler's `max_concurrent`, counted
here over all workers; for an exclusive handler the turn on its object key, which the rules give; and
the version that has written its journal, see `Workers.choose`. What has no journal yet goes to any.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from ..core.model import HandlerKind, Invocation, State, object_scope
from ..core.partition import Partition
from ..core.records import Invoked, Record, Started
from .queue import ReadyQueue, Wanted
from .workers import Worker, Workers


class Assigner:
    """The assignments of one partition."""

    def __init__(self, partition: Partition, workers: Workers) -> None:
        self._partition = partition
        self._workers = workers
        self._queue = ReadyQueue()
        self._held: dict[str, set[str]] = {}
        """The running invocations of each handler that has a `max_concurrent`."""

    def push(self, invocation: Invocation) -> None:
        """The invocation waits for a worker."""
        version = (invocation.recorded_by or invocation.version) if invocation.recorded else ""
        self._queue.push(Wanted(invocation.handler, version), invocation.priority, invocation.id)

    @property
    def wants_version(self) -> bool:
        """Whether an invocation waits for a certain version of its handler."""
        return self._queue.wants_version

    def took(self, invocation: Invocation) -> None:
        """The invocation runs already: this leader found it so."""
        self._count(invocation.handler, invocation.id)

    def freed(self, invocation_id: str) -> None:
        """A worker has given an attempt of the invocation back."""
        if not self._held:
            return
        found = self._partition.invocations.get(invocation_id)
        if found is not None and found.state is State.RUNNING:
            return
        for held in self._held.values():
            held.discard(invocation_id)

    def assign(self, proposed: Iterable[Record], records: list[Record], most: int) -> None:
        """Appends to `records` up to `most` Started, for invocations that a worker can take now."""
        end = len(records) + most
        new: set[str] = set()
        heads = self._queue.heads()
        while heads and len(records) < end:
            _, wanted = heapq.heappop(heads)
            worker = None if self._full(wanted.handler) else self._workers.choose(*wanted)
            if worker is None:
                continue
            self._assign_next(wanted, worker, records)
            if self._queue.has(wanted):
                heapq.heappush(heads, (self._queue.head(wanted), wanted))
        for record in proposed:
            if len(records) >= end:
                return
            if type(record) is Invoked and not record.start_ms and self._is_new(record, new):
                handler = record.handler
                if not (self._queue.has(Wanted(handler, "")) or self._full(handler)):
                    worker = self._workers.choose(handler)
                    if worker is not None:
                        self._assign(handler, worker, record.invocation_id, 1, records)

    def _assign_next(self, wanted: Wanted, worker: Worker, records: list[Record]) -> None:
        invocation_id = self._queue.pop(wanted)
        invocation = self._partition.invocations.get(invocation_id)
        if invocation is not None and invocation.state is State.PENDING:
            self._assign(wanted.handler, worker, invocation_id, invocation.attempt + 1, records)

    def _is_new(self, record: Invoked, new: set[str]) -> bool:
        """Says whether an invocation will be ready when its record is applied, as far as one knows."""
        invocation_id = record.invocation_id
        if invocation_id in new or invocation_id in self._partition.invocations:
            return False
        new.add(invocation_id)
        handler = self._partition.handlers.get(record.handler)
        if handler is None or handler.kind != HandlerKind.OBJECT_EXCLUSIVE:
            return True
        scope = object_scope(record.handler.rpartition(".")[0], record.key)
        if scope in new or scope in self._partition.turns:
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
        return limit > 0 and len(self._held.get(handler, ())) >= limit

    def _count(self, handler: str, invocation_id: str) -> None:
        if self._limit(handler):
            self._held.setdefault(handler, set()).add(invocation_id)
