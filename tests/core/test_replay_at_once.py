"""Batches that a follower applies at once lead to the store that one after the other leads to."""

from __future__ import annotations

import random

import pytest

from durable_server.core.partition import Partition
from durable_server.core.records import Record
from durable_server.log.batch import Batch, encode
from durable_server.log.interface import Position
from durable_server.processor.clock import LogTime, VirtualClock
from durable_server.processor.committer import Committer
from tests.sim.storage import ComparedStore

from .test_partitions import System, draw

PARTITIONS = 3
SEEDS = 10
REQUESTS = 150


class Recorded(System):
    """A system that keeps what its partitions have applied."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[int, list[Record]]]] = [[] for _ in range(PARTITIONS)]
        super().__init__(PARTITIONS)

    def apply(self, index: int, *records: Record) -> None:
        """See `System.apply`."""
        self.batches[index].append((1000 + 7 * len(self.batches[index]), [*records]))
        super().apply(index, *records)


def store_of(
    index: int, batches: list[tuple[int, list[Record]]], sizes: list[int]
) -> ComparedStore:
    """Returns the store of a follower that applies so many batches at a time; 0 stands for a replay."""
    store = ComparedStore(":memory:")
    committer = Committer(Partition(store, index, PARTITIONS), store, LogTime(VirtualClock(0)))
    committer.recover()
    done = 0
    for size in sizes:
        group = batches[done : done + max(size, 1)]
        done += len(group)
        position = Position(done, 1, done)
        if size:
            applying = committer.follow(position, group)
        else:
            time_ms, records = group[0]
            applying = committer.replay(position, encode(Batch(time_ms, records)))
        # It gives up the event loop for other tasks only, and there are none.
        for _ in applying.__await__():
            pass
    assert done == len(batches)
    return store


def drawn_sizes(chance: random.Random, count: int) -> list[int]:
    sizes: list[int] = []
    while count:
        size = min(count, chance.choice((1, 2, 5, 40)))
        sizes.append(size)
        count -= size
    return sizes


@pytest.mark.parametrize("seed", range(SEEDS))
def test_batches_that_are_applied_at_once_lead_to_the_same_store(seed: int) -> None:
    chance = random.Random(seed)
    system = Recorded()
    for _ in range(REQUESTS):
        system.carry_out(draw(chance))
        system.settle()
    system.close()
    for index, batches in enumerate(system.batches):
        one_by_one = store_of(index, batches, [0] * len(batches))
        at_once = store_of(index, batches, drawn_sizes(chance, len(batches)))
        mine, others = at_once.tables(), one_by_one.tables()
        for name, rows in others.items():
            assert mine[name] == rows, name
        assert at_once.counts() == one_by_one.counts()
        for store in (one_by_one, at_once):
            store.close()
