"""The reads of clients: everything that is answered from the committed state, without a record.

What belongs to an invocation is read from its own partition, except awakeables with an id of the user's
own choice. Lists and counts are read from all partitions. They have only what belongs to handlers that
the current caller may see.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..access.access import Scope
from ..access.current import current
from ..core import ids
from ..core.attempts import last_attempts
from ..core.limits import Limits
from ..core.model import Awakeable, EndedAttempt, EntryRow, Handler, Invocation, State
from ..processor.deliveries import state_of
from ..processor.errors import InvalidFieldError, InvocationNotFoundError, JournalTooLargeError
from ..processor.loop import Processor
from ..processor.router import Router
from ..processor.workers import Worker, Workers
from ..store.interface import Filter, Order
from .page_merge import MergedPage, Place, merged_page, place_of

_JOURNAL_OVERHEAD_BYTES = 16 * 1024 * 1024
"""How much a journal may exceed its limit and still be sent in one message of at most 64 MiB."""
_SEES = (Scope.READ,)
"""With this scope a caller sees a handler in lists and counts."""
_PAGE_SIZE = 50
"""The size of a page unless the request names one."""


class ServerInfo(NamedTuple):
    """Facts about this control plane."""

    epoch: int
    """The epoch of the leader of partition 0."""
    started_ms: int
    append_count: int
    """How many batches it has appended to its logs."""
    now_ms: int
    """The log's time."""
    partition_count: int


class HandlerCounts(NamedTuple):
    """A handler, and how many invocations and workers it has."""

    handler: Handler
    created_ms: int
    worker_count: int
    pending_count: int
    running_count: int


class Reads:
    """Reads the partitions of one control plane."""

    def __init__(self, router: Router, workers: Workers, limits: Limits) -> None:
        self._router = router
        self._workers = workers
        self._limits = limits

    # One invocation

    def find(self, invocation_id: str) -> Invocation:
        """Returns an invocation. Raises InvalidFieldError and InvocationNotFoundError."""
        if not invocation_id:
            raise InvalidFieldError("invocation_id", "is empty")
        if not ids.PATTERN.fullmatch(invocation_id):
            raise InvalidFieldError(
                "invocation_id",
                "is not an invocation id: 32 lower-case hexadecimal characters",
                value=f"{len(invocation_id)} characters",
            )
        found = self._router.for_id(invocation_id).find(invocation_id)
        if found is None:
            raise InvocationNotFoundError(invocation_id)
        return found

    def journal(self, found: Invocation) -> list[EntryRow]:
        """Returns a journal for one message. Raises JournalTooLargeError.

        A journal may exceed its limit by what clients have added, such as signals.
        """
        rows = self._router.for_id(found.id).store.journal(found.number)
        size, limit = sum(row.size for row in rows), self._limits.journal_bytes
        if size > limit + _JOURNAL_OVERHEAD_BYTES:
            raise JournalTooLargeError(size, limit)
        return rows

    def entry(self, found: Invocation, index: int) -> EntryRow | None:
        """Returns one entry of a journal."""
        return self._router.for_id(found.id).store.entry(found.number, index)

    def completions(self, found: Invocation) -> dict[int, int]:
        """Returns the completion number of each entry of a journal, by index."""
        return self._router.for_id(found.id).store.completions(found.number)

    def attempts(self, found: Invocation) -> list[EndedAttempt]:
        """Returns the last attempts of an invocation, with the one that runs."""
        return last_attempts(found, self._router.for_id(found.id).store.attempts(found.number))

    def awakeables(
        self, invocation_id: str, partitions: Collection[int] | None = None
    ) -> Iterable[Awakeable]:
        """Returns the awakeables of an invocation in some partitions by their creation time.

        Those with an id of the user's own choice may be in any partition. One that only an earlier run
        has waited for, and that has no outcome, is left out.
        """
        lists = [
            [
                it
                for it in processor.store.awakeables(invocation_id)
                if it.indexes or it.resolved_ms or it.revoked
            ]
            for processor in self._processors(partitions)
        ]
        return heapq.merge(*lists, key=lambda it: (it.created_ms, it.id))

    def waiting_for_build(self, found: Invocation) -> str:
        """Returns the build without a worker that an invocation waits for; empty for none."""
        processor = self._router.for_id(found.id)
        # A list does not know whether it has a journal; what is pending is in memory too.
        live = processor.partition.invocations.get(found.id, found)
        return processor.dispatcher.waiting_for_build(live)

    def claimed_elsewhere(self, found: Invocation) -> Collection[int]:
        """Returns the partitions not led here that have awakeables of an invocation."""
        count = self._router.count
        partitions = {ids.awakeable_partition(it, count) for it in found.claims}
        return partitions.difference(it.partition.index for it in self._router.all())

    def state(self, found: Invocation) -> Mapping[str, bytes]:
        """Returns the state that an invocation reads and writes, by name."""
        return self._router.for_id(found.id).store.state(found.state_owner)

    def attempt_state(self, found: Invocation) -> tuple[Mapping[str, bytes], bool]:
        """Returns the state that a worker would get with an attempt, and whether it is all of it."""
        return state_of(found, self._router.for_id(found.id).store, self._limits)

    def now_ms(self, found: Invocation) -> int:
        """Returns the time of the log of an invocation's partition."""
        return self._router.for_id(found.id).now_ms()

    # Lists and counts

    def page_size(self, wanted: int) -> int:
        """Returns the size of a page: the default for 0, and at most the limit."""
        if wanted < 0:
            raise InvalidFieldError("page_size", "must not be negative", value=wanted)
        return min(wanted or _PAGE_SIZE, self._limits.page_size)

    @property
    def partition_count(self) -> int:
        """The number of partitions."""
        return self._router.count

    def led(self, partitions: Iterable[int]) -> list[int]:
        """Returns those of some partitions that this process leads, and may answer for, now."""
        router = self._router
        here = {it.partition.index for it in router.all() if router.answers(it)}
        return [it for it in partitions if it in here]

    def is_led(self, invocation_id: str) -> bool:
        """Returns whether this process leads the partition of an invocation, and may answer for it."""
        return bool(self.led([ids.partition(invocation_id, self._router.count)]))

    def partitions_of(self, where: Filter) -> Collection[int]:
        """Returns the partitions that may have what a list looks for."""
        # All invocations with one object key live in one partition.
        if where.key:
            return (ids.object_partition(where.key, self._router.count),)
        return range(self._router.count)

    def page(
        self,
        where: Filter,
        order: Order,
        after: Place | None,
        size: int,
        partitions: Collection[int],
    ) -> MergedPage:
        """Returns a page of the invocations of some partitions, all of them led here."""
        stores = {it.partition.index: it.store for it in self._processors(partitions)}
        if not current().everywhere(_SEES):
            seen = {handler for handler, _, _ in self.counts(partitions)}
            where = where._replace(handlers=tuple(sorted(seen)))
        return merged_page(stores, where, order, after, size)

    def place(self, found: Invocation, order: Order) -> Place:
        """Returns where an invocation stands in a list."""
        return place_of(found, order, ids.partition(found.id, self._router.count))

    def counts(self, partitions: Collection[int] | None = None) -> list[tuple[str, State, int]]:
        """Returns how many invocations some partitions have, by handler and lifecycle state."""
        sums: dict[tuple[str, State], int] = {}
        for processor in self._processors(partitions):
            for handler, state, count in processor.store.counts():
                sums[handler, state] = sums.get((handler, state), 0) + count
        if not current().everywhere(_SEES):
            sums = {(name, state): count for (name, state), count in sums.items() if _sees(name)}
        return [(*pair, count) for pair, count in sorted(sums.items())]

    def handlers(
        self, after: str, size: int, partitions: Collection[int] | None = None
    ) -> tuple[list[HandlerCounts], bool]:
        """Returns handlers by name, with the counts of some partitions, and whether there are more."""
        known = {it[0].name: it for it in self._router.any().store.handlers()}
        for processor in self._router.all():
            # A partition that had no leader while a worker registered its handlers lacks them.
            if not processor.partition.handlers.keys() <= known.keys():
                known = {it[0].name: it for it in processor.store.handlers()} | known
        handlers = [known[name] for name in sorted(known) if name > after and _sees(name)]
        counts = {(handler, state): count for handler, state, count in self.counts(partitions)}
        page = [
            HandlerCounts(
                handler,
                created_ms,
                self._workers.serving(handler.name),
                counts.get((handler.name, State.PENDING), 0),
                counts.get((handler.name, State.RUNNING), 0),
            )
            for handler, created_ms in handlers[:size]
        ]
        return page, len(handlers) > size

    def _processors(self, partitions: Collection[int] | None) -> Sequence[Processor]:
        """Returns the processors of some partitions, or all."""
        found = self._router.all()
        return (
            found
            if partitions is None
            else [it for it in found if it.partition.index in partitions]
        )

    def workers(self) -> list[tuple[Worker, list[str]]]:
        """Returns the connected workers, the first connected first, with the names of their handlers.

        A worker without a handler that the caller may see is left out.
        """
        connected = [it for it in self._workers if it.outbound is not None]
        found = [(it, [name for name in it.handlers if _sees(name)]) for it in connected]
        seen = [pair for pair in found if pair[1] or current().everywhere(_SEES)]
        return sorted(seen, key=lambda pair: pair[0].connected_ms)

    def relayed_workers(self) -> list[str]:
        """Returns the ids of the workers that another node relays to this one."""
        return [it.id for it in self._workers if it.relayed]

    def leads(self) -> Mapping[int, tuple[int, int]]:
        """Returns the epoch and the last sequence of the log of each partition that is led here."""
        return {it.partition.index: (it.epoch, it.position.sequence) for it in self._router.all()}

    def server(self) -> ServerInfo:
        """Returns facts about this control plane."""
        processor = self._router.any()
        return ServerInfo(
            processor.epoch,
            processor.started_ms,
            sum(it.tally.append_seconds.count for it in self._router.all()),
            processor.now_ms(),
            self.partition_count,
        )


def _sees(handler: str) -> bool:
    return current().may(_SEES, handler)
