"""The attempts that a store keeps: the last ones of each invocation, until it is removed."""

from __future__ import annotations

from durable_server.core.apply import replay
from durable_server.core.attempts import KEPT
from durable_server.core.partition import Partition
from durable_server.core.records import (
    AttemptReleased,
    CancelAsked,
    Invoked,
    Record,
    Removed,
    Started,
)
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore


def given_back(id_: str, count: int, first: int = 1) -> list[Record]:
    """Returns the records of attempts that are given back at once."""
    return [
        record
        for attempt in range(first, first + count)
        for record in (Started(id_, attempt, "w"), AttemptReleased(id_, attempt))
    ]


def test_one_batch_with_many_attempts_keeps_the_last_ones() -> None:
    store = SqliteStore(":memory:")
    partition = Partition(store, 0, 1)
    a, b = "a" * 32, "b" * 32
    sequence = 0

    def apply(*records: Record) -> None:
        nonlocal sequence
        sequence += 1
        changes = replay(partition, [(1000, records)])
        store.commit(Position(sequence, 1, 0), 1000, changes)

    def kept(number: int) -> list[int]:
        return [it.attempt for it in store.attempts(number)]

    apply(
        Invoked(a, "h", None), Invoked(b, "h", None), *given_back(a, KEPT + 10), *given_back(b, 3)
    )
    assert kept(1) == list(range(11, KEPT + 11))
    assert kept(2) == [1, 2, 3]
    apply(*given_back(a, 2, KEPT + 11), *given_back(b, 1, 4))
    assert kept(1) == list(range(13, KEPT + 13))
    assert kept(2) == [1, 2, 3, 4]
    # What is removed leaves nothing, nor do the attempts of the same batch come after it.
    apply(CancelAsked(a, force=True), *given_back(b, 1, 5), CancelAsked(b, force=True), Removed(b))
    assert kept(2) == []
    apply(Removed(a))
    assert kept(1) == []
    store.close()
