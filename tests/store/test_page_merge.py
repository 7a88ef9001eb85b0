"""Pages over several partitions, against all invocations of all stores, sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_server.core.changes import Changes
from durable_server.core.model import Failure, HandlerKind, Invocation, State
from durable_server.log.interface import Position
from durable_server.requests.page_merge import MergedPage, Place, merged_page
from durable_server.store.interface import PAGE_BYTES, Filter, Order, Page, PageCursor, Sort
from durable_server.store.sqlite import SqliteStore

ORDERS = [Order(sort, ascending) for sort in Sort for ascending in (False, True)]
SIZES = (0, 0, 0, PAGE_BYTES // 3, PAGE_BYTES + 1)


class Made(NamedTuple):
    """An invocation that a test makes."""

    partition: int
    wait_ms: int
    """How long after the one before it is created."""
    state: State
    ended_ms: int
    """How long after its creation it ends, if it has ended."""
    size: int
    """The size of what it ended with."""


made = st.builds(
    Made,
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from((State.COMPLETED, State.FAILED, State.PENDING, State.SUSPENDED)),
    st.integers(0, 5),
    st.sampled_from(SIZES),
)
filters = st.sampled_from((
    Filter(),
    Filter(states=(State.COMPLETED,)),
    Filter(handler="h1"),
    Filter(created_min_ms=1004, created_max_ms=1010),
))  # fmt: skip


class World:
    """The stores of some partitions, and what they must hold."""

    def __init__(self, stores: list[SqliteStore]) -> None:
        self.stores = dict(enumerate(stores))
        self.known: dict[str, tuple[int, Invocation]] = {}
        self.now_ms = 1000
        self.last_number = 0

    def create(self, it: Made) -> None:
        """Accepts one invocation."""
        self.now_ms += it.wait_ms
        partition = it.partition % len(self.stores)
        # The numbers of a partition need not be dense.
        self.last_number += 1
        number = self.last_number
        found = Invocation(
            *(f"id-{number}", number, f"h{number % 2}", "", None, (), "", "", "", "", 0),
            *(self.now_ms, HandlerKind.WORKFLOW, it.state),
            updated_ms=self.now_ms + it.ended_ms,
        )
        if it.state is State.COMPLETED:
            found.completed_ms, found.outcome = found.updated_ms, bytes(it.size)
        elif it.state is State.FAILED:
            found.completed_ms, found.failure = found.updated_ms, Failure("E", "e", bytes(it.size))
        changes = Changes()
        changes.created[number] = found
        self.known[found.id] = partition, found
        self._commit(partition, changes)

    def remove(self, invocation_id: str) -> None:
        """Removes one invocation."""
        partition, found = self.known.pop(invocation_id)
        changes = Changes()
        changes.removed[found.id] = found.number
        self._commit(partition, changes)

    def _commit(self, partition: int, changes: Changes) -> None:
        self.stores[partition].commit(Position(), self.now_ms, changes)

    def place(self, invocation_id: str, order: Order) -> Place:
        """Returns where an invocation stands."""
        partition, it = self.known[invocation_id]
        times = {Sort.CREATED: it.created_ms, Sort.COMPLETED: it.completed_ms}
        return Place(times.get(order.sort, it.updated_ms), partition, it.number)

    def expected(self, where: Filter, order: Order) -> list[str]:
        """Returns the ids of a whole list."""
        found = [
            it.id
            for _, it in self.known.values()
            if (not where.states or it.state in where.states)
            and where.handler in ("", it.handler)
            and where.created_min_ms <= it.created_ms
            and (not where.created_max_ms or it.created_ms < where.created_max_ms)
            and (order.sort is not Sort.COMPLETED or it.completed_ms)
        ]
        return sorted(found, key=lambda it: self.place(it, order), reverse=not order.ascending)

    def pages(self, where: Filter, order: Order, size: int) -> Iterator[MergedPage]:
        """Yields a list page by page."""
        after: Place | None = None
        while True:
            page = merged_page(self.stores, where, order, after, size)
            yield page
            if page.end is None:
                return
            after = page.end


@contextmanager
def world(partitions: int) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(
            [stack.enter_context(closing(SqliteStore(":memory:"))) for _ in range(partitions)]
        )


def size_of(it: Invocation) -> int:
    return len(it.outcome or b"") + (len(it.failure.data) if it.failure else 0)


@given(
    partitions=st.integers(1, 4),
    invocations=st.lists(made, max_size=30),
    where=filters,
    order=st.sampled_from(ORDERS),
    size=st.integers(1, 12),
)
def test_all_pages_are_the_whole_list(
    partitions: int, invocations: list[Made], where: Filter, order: Order, size: int
) -> None:
    with world(partitions) as it:
        for one in invocations:
            it.create(one)
        whole = it.expected(where, order)
        seen: list[str] = []
        for page in it.pages(where, order, size):
            ids = [one.id for one in page.invocations]
            seen += ids
            assert seen == whole[: len(seen)]
            assert (page.end is None) == (len(seen) == len(whole))
            total = sum(map(size_of, page.invocations))
            assert total <= PAGE_BYTES or len(ids) == 1
            if page.end is not None and len(ids) < size:
                # It is short because the next one would have made it too large.
                _, following = it.known[whole[len(seen)]]
                assert total + size_of(following) > PAGE_BYTES
        assert seen == whole


@given(
    partitions=st.integers(1, 4),
    invocations=st.lists(made, min_size=1, max_size=20),
    order=st.sampled_from(ORDERS),
    size=st.integers(1, 4),
    data=st.data(),
)
def test_what_is_there_all_along_comes_once_and_in_order(
    partitions: int, invocations: list[Made], order: Order, size: int, data: st.DataObject
) -> None:
    with world(partitions) as it:
        for one in invocations:
            it.create(one)
        stays = it.expected(Filter(), order)
        seen: list[str] = []
        places: list[Place] = []
        for turn, page in enumerate(it.pages(Filter(), order, size)):
            seen += [one.id for one in page.invocations]
            places += [it.place(one.id, order) for one in page.invocations]
            if turn < 8:
                for one in data.draw(st.lists(made, max_size=2), "new"):
                    it.create(one)
                for gone in data.draw(
                    st.sets(st.sampled_from(sorted(it.known)), max_size=1), "gone"
                ):
                    it.remove(gone)
                    if gone in stays:
                        stays.remove(gone)
        assert [one for one in seen if one in stays] == stays
        assert places == sorted(set(places), reverse=not order.ascending)


class CountingPages:
    """A store's pages; counts the invocations in them."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.count = 0

    def page(self, where: Filter, order: Order, after: PageCursor | None, size: int) -> Page:
        found = self._store.page(where, order, after, size)
        self.count += len(found.invocations)
        return found


@pytest.mark.parametrize("partitions_used", [1, 4])
def test_a_page_reads_little_more_than_it_returns(partitions_used: int) -> None:
    with world(4) as it:
        for number in range(400):
            it.create(Made(number % partitions_used, 1, State.PENDING, 0, 0))
        parts = {partition: CountingPages(store) for partition, store in it.stores.items()}
        assert len(merged_page(parts, Filter(), Order(), None, 100).invocations) == 100
        assert sum(part.count for part in parts.values()) <= 200
