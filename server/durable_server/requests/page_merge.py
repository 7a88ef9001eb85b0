"""The merge of lists: one page of invocations out of the pages of all partitions.

A list over several partitions has one order: by its time, then by partition, then by number. Each
partition's store answers its own part in this order, so a page is the beginning of a merge of those
parts. A part is read in pieces, and a further piece only when the merge has used up the one before:
a page reads little more than it returns, however the invocations are spread over the partitions.

A page ends at a `Place`: where its last invocation stands in the whole list. One place is enough to go
on in every partition, also in one from which the list had nothing yet. A cursor for each partition
would not be: what begins to match later could then come out of order. So a page token is short with
any number of partitions, and pages are as stable as those of one store.

With one partition a page is one page of its store, and nothing is merged.

In a cluster each node makes a page of the partitions that it leads, and these are joined in the same
order. Such a part may end although more would follow, so the joined page ends there too.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..core.model import Invocation
from ..store.interface import PAGE_BYTES, Filter, Order, Page, PageCursor, Sort

T = TypeVar("T")

_NUMBER_MAX = 2**63 - 1
"""No invocation has a higher number."""


class Place(NamedTuple):
    """The position of an invocation in a list over all partitions. Places compare in list order."""

    ms: int
    """The time that the list is sorted by."""
    partition: int
    number: int
    """The invocation's number within its partition."""


class MergedPage(NamedTuple):
    """One page of a list over all partitions."""

    invocations: list[Invocation]
    end: Place | None
    """Where the next page begins; None when there is none."""
    lengths: Mapping[str, int]
    """The journal length of each invocation that has entries, by id."""


class Pages(Protocol):
    """What a list needs of a partition's store."""

    def page(self, where: Filter, order: Order, after: PageCursor | None, size: int) -> Page:
        """See `Store.page`."""
        ...


def merged_page(
    parts: Mapping[int, Pages], where: Filter, order: Order, after: Place | None, size: int
) -> MergedPage:
    """Returns up to `size` invocations after a place, of the partitions in `parts` by their numbers.

    A page ends earlier when its outcomes reach PAGE_BYTES; it has at least one invocation if there is
    one.
    """
    if len(parts) == 1:
        [(partition, store)] = parts.items()
        where, cursor = _rest(where, order, after, partition)
        page = store.page(where, order, cursor, size)
        more = page.end is not None
        end = place_of(page.invocations[-1], order, partition) if more else None
        return MergedPage(page.invocations, end, page.lengths)
    piece = -(-2 * size // len(parts))
    lengths: dict[str, int] = {}
    merged = heapq.merge(
        *(
            _part(store, partition, where, order, after, piece, lengths)
            for partition, store in parts.items()
        ),
        reverse=not order.ascending,
    )
    found: list[Invocation] = []
    last, total = None, 0
    for place, invocation in islice(merged, size):
        total += _listed_size(invocation)
        if found and total > PAGE_BYTES:
            return MergedPage(found, last, lengths)
        found.append(invocation)
        last = place
    more = next(merged, None) is not None
    return MergedPage(found, last if more else None, lengths)


class Part(NamedTuple, Generic[T]):
    """The beginning of what some of the partitions have after a place."""

    items: Sequence[tuple[Place, int, T]]
    """The place, the size and the content of each item, in list order."""
    more: bool
    """Whether more would follow; then there is at least one item."""


class JoinedPage(NamedTuple, Generic[T]):
    """One page of a list, joined of parts."""

    items: list[T]
    end: Place | None
    """Where the next page begins; None when there is none."""


def joined(parts: Sequence[Part[T]], order: Order, size: int) -> JoinedPage[T]:
    """Returns up to `size` items of parts with different partitions; ends early as `merged_page`."""
    merged = heapq.merge(*(it.items for it in parts), key=_first, reverse=not order.ascending)
    # Between the last item of such a part and the next one of another part there may be more.
    lasts = [it.items[-1][0] for it in parts if it.more]
    bound = None
    if lasts:
        bound = min(lasts) if order.ascending else max(lasts)
    found: list[T] = []
    last, total = None, 0
    for place, item_size, item in merged:
        total += item_size
        if len(found) == size or (found and total > PAGE_BYTES):
            return JoinedPage(found, last)
        found.append(item)
        last = place
        if place == bound:
            return JoinedPage(found, last)
    return JoinedPage(found, None)


def _first(item: tuple[Place, int, T]) -> Place:
    return item[0]


def _part(
    store: Pages,
    partition: int,
    where: Filter,
    order: Order,
    after: Place | None,
    piece: int,
    lengths: dict[str, int],
) -> Iterator[tuple[Place, Invocation]]:
    """Yields what a partition has after a place, and adds to `lengths`; reads it in pieces."""
    where, cursor = _rest(where, order, after, partition)
    while True:
        page = store.page(where, order, cursor, piece)
        lengths.update(page.lengths)
        for invocation in page.invocations:
            yield place_of(invocation, order, partition), invocation
        if page.end is None:
            return
        cursor, piece = page.end, 2 * piece


def _rest(
    where: Filter, order: Order, after: Place | None, partition: int
) -> tuple[Filter, PageCursor | None]:
    """Returns the filter and the cursor of all that a partition has after a place."""
    if after is None:
        return where, None
    created = order.sort is Sort.CREATED
    if partition == after.partition:
        return where, PageCursor(0 if created else after.ms, after.number)
    # Of the invocations with the time of the place, a partition has all after it, or all before it.
    follows = (partition > after.partition) == order.ascending
    if not created:
        first = order.ascending == follows
        return where, PageCursor(after.ms, 0 if first else _NUMBER_MAX)
    # The place is in the list, so these bounds are within those of the filter.
    if order.ascending:
        return where._replace(created_min_ms=after.ms if follows else after.ms + 1), None
    return where._replace(created_max_ms=after.ms + 1 if follows else after.ms), None


def place_of(invocation: Invocation, order: Order, partition: int) -> Place:
    """Returns where an invocation of a partition stands in a list."""
    if order.sort is Sort.CREATED:
        return Place(invocation.created_ms, partition, invocation.number)
    # The last change of an invocation that has ended is its end.
    return Place(invocation.completed_ms or invocation.updated_ms, partition, invocation.number)


def _listed_size(invocation: Invocation) -> int:
    """Returns the size of what may be large in a list, as the store counts it."""
    failure = invocation.failure
    return len(invocation.outcome or b"") + (len(failure.data) if failure is not None else 0)
