"""Pages over several partitions, against all invocations of all stores, sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.core.changes import Changes
from durable_server.core.entry_kinds import EntryKind
from durable_server.core.model import EntryRow, Failure, HandlerKind, Invocation, State
from durable_server.log.interface import Position
from durable_server.requests.page_merge import MergedPage, Part, Place, joined, merged_page
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
    st.sampled_from((0, 0, 1)),
    st.sampled_from((State.COMPLETED, State.FAILED, State.PENDING, State.SUSPENDED)),
    st.integers(0, 5),
    st.sampled_from(SIZES),
)
filters = st.sampled_from((
    Filter(),
    Filter(states=(State.COMPLETED,)),
    Filter(handler="h1"),
    Filter(created_min_ms=1001, created_max_ms=1006),
))  # fmt: skip


class World:
    """The stores of some partitions, and what they must hold."""

    def __init__(self, stores: list[SqliteStore]) -> None:
        self.stores = dict(enumerate(stores))
        self.known: dict[str, tuple[int, Invocation]] = {}
        self.now_ms = 1000
        self.last_number = 0
        self._changes = [Changes() for _ in stores]

    def create(self, it: Made) -> None:
        """Accepts one invocation, with the next commit."""
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
        changes = self._changes[partition]
        changes.created[number] = found
        for index in range(number % 3):
            row = EntryRow(index, EntryKind.RUN, "step", None, b"", index + 1, *(0,) * 3, "", 1)
            changes.entries.append((number, row))
        self.known[found.id] = partition, found

    def remove(self, invocation_id: str) -> None:
        """Removes one invocation, with a commit of its own."""
        self.commit()
        partition, found = self.known.pop(invocation_id)
        self._changes[partition].removed[found.id] = found.number
        self.commit()

    def commit(self) -> None:
        """Stores what has changed."""
        for partition, store in self.stores.items():
            store.commit(Position(), self.now_ms, self._changes[partition])
            self._changes[partition] = Changes()

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
            self.commit()
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


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=25, deadline=None)
@given(
    partitions=st.integers(1, 3),
    invocations=st.lists(made, max_size=30),
    where=filters,
    size=st.integers(1, 12),
)
def test_all_pages_are_the_whole_list(
    order: Order, partitions: int, invocations: list[Made], where: Filter, size: int
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
            steps = {one.id: one.number % 3 for one in page.invocations if one.number % 3}
            assert {one: page.lengths[one] for one in ids if one in page.lengths} == steps
            assert (page.end is None) == (len(seen) == len(whole))
            total = sum(map(size_of, page.invocations))
            assert total <= PAGE_BYTES or len(ids) == 1
            if page.end is not None and len(ids) < size:
                # It is short because the next one would have made it too large.
                _, following = it.known[whole[len(seen)]]
                assert total + size_of(following) > PAGE_BYTES
        assert seen == whole


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=25, deadline=None)
@given(
    partitions=st.integers(1, 3),
    invocations=st.lists(made, min_size=1, max_size=20),
    size=st.integers(1, 4),
    data=st.data(),
)
def test_what_is_there_all_along_comes_once_and_in_order(
    order: Order, partitions: int, invocations: list[Made], size: int, data: st.DataObject
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


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=20, deadline=None)
@given(
    invocations=st.lists(made, max_size=30),
    where=filters,
    size=st.integers(1, 12),
    split=st.lists(st.integers(0, 2), min_size=4, max_size=4),
)
def test_joined_pages_of_several_nodes_are_those_of_one(
    order: Order, invocations: list[Made], where: Filter, size: int, split: list[int]
) -> None:
    with world(4) as it:
        for one in invocations:
            it.create(one)
        it.commit()
        nodes = [
            {number: store for number, store in it.stores.items() if split[number] == node}
            for node in set(split)
        ]
        seen: list[str] = []
        after: Place | None = None
        while True:
            parts: list[Part[str]] = []
            for stores in nodes:
                page = merged_page(stores, where, order, after, size)
                items = [
                    (it.place(one.id, order), size_of(one), one.id) for one in page.invocations
                ]
                parts.append(Part(items, page.end is not None))
            found = joined(parts, order, size)
            assert 0 < len(found.items) <= size or found.end is None
            total = sum(size_of(it.known[one][1]) for one in found.items)
            assert total <= PAGE_BYTES or len(found.items) == 1
            seen += found.items
            if found.end is None:
                break
            assert found.end == it.place(seen[-1], order)
            after = found.end
        assert seen == it.expected(where, order)


@pytest.mark.parametrize("ascending", [False, True])
def test_a_joined_page_ends_where_more_of_a_part_would_follow(ascending: bool) -> None:
    def part(*times: int, more: bool) -> Part[int]:
        items = [(Place(it, 0, it), 0, it) for it in sorted(times, reverse=not ascending)]
        return Part(items, more)

    order = Order(ascending=ascending)
    parts = [part(10, 40, more=True), part(20, 30, more=True), part(15, 25, 35, more=False)]
    page = joined(parts, order, 100)
    assert page.items == ([10, 15, 20, 25, 30] if ascending else [40, 35, 30, 25, 20])
    assert page.end == Place(page.items[-1], 0, page.items[-1])


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
        it.commit()
        parts = {partition: CountingPages(store) for partition, store in it.stores.items()}
        assert len(merged_page(parts, Filter(), Order(), None, 100).invocations) == 100
        assert sum(part.count for part in parts.values()) <= 200
