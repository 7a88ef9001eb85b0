"""Removed invocations in the store: nothing is left of them, also if their id is used again at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durable_server.core.apply import step
from durable_server.core.model import Failure, Handler, State
from durable_server.core.partition import Partition
from durable_server.core.records import (
    Finished,
    HandlerRegistered,
    Invoked,
    Record,
    Removed,
    Signalled,
    Started,
)
from durable_server.log.interface import Position
from durable_server.store.interface import Filter, Order
from durable_server.store.sqlite import SqliteStore

FAILED = (Invoked("x", "h", b"old"), Started("x", 1, "w"))
END = Finished("x", 1, b"failed", Failure("ValueError", "no stock", b""))
AGAIN = (Removed("x"), Invoked("x", "h", b"new"))


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    store = SqliteStore(":memory:")
    yield store
    store.close()


def apply(store: SqliteStore, *batches: tuple[Record, ...]) -> None:
    """Applies batches to the partition as a new leader finds it in the store."""
    recovered = store.recover()
    partition = Partition(store, last_number=recovered.last_number)
    partition.invocations = {it.id: it for it in recovered.active}
    for records in batches:
        changes = step(partition, records, 1000).changes
        store.commit(Position(1, 1, 0), 1000, changes)


@pytest.mark.parametrize(
    "batches",
    [
        ((*FAILED, END), AGAIN),
        (FAILED, (END, *AGAIN)),
        ((*FAILED, END, *AGAIN),),
        ((*FAILED, END), (*AGAIN, FAILED[1], END, *AGAIN)),
    ],
)
def test_an_id_is_used_again_in_the_batch_that_removes_it(
    store: SqliteStore, batches: tuple[tuple[Record, ...], ...]
) -> None:
    apply(store, (HandlerRegistered(Handler("h")),), *batches)
    found = store.load("x")
    assert found is not None
    assert (found.state, found.input, found.failure) == (State.PENDING, b"new", None)
    assert store.counts() == [("h", State.PENDING, 1)]
    where = Filter(failure_text="no stock")
    assert store.page(where, Order(), None, 10).invocations == []


@pytest.mark.parametrize(
    "batches", [((*FAILED, END), (Removed("x"),)), ((*FAILED, END, AGAIN[0]),)]
)
def test_the_number_of_a_removed_invocation_is_not_given_again(
    store: SqliteStore, batches: tuple[tuple[Record, ...], ...]
) -> None:
    apply(store, (Invoked("w", "h", b""),), *batches)
    assert store.load("x") is None
    apply(store, (Invoked("y", "h", b""),))
    found = store.load("y")
    assert found is not None
    assert found.number == 3


def test_a_signal_of_a_removed_invocation_does_not_reach_the_next_one(store: SqliteStore) -> None:
    apply(store, (*FAILED, Signalled("x", "go", b"s"), END, Removed("x")))
    apply(store, (Invoked("y", "h", b""),))
    found = store.load("y")
    assert found is not None
    assert found.signals == ()
