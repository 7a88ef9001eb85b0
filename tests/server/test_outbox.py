"""The outbox of a partition: what it keeps in memory of messages to one that cannot be reached."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator

import pytest

from durable_server.core.changes import Changes
from durable_server.core.limits import Limits
from durable_server.core.messages import CompleteEntry, OutboxMessage
from durable_server.core.records import Received, Record
from durable_server.core.replies import Reply
from durable_server.log.interface import Position
from durable_server.log.message_codec import encode_message
from durable_server.processor.errors import ProcessorEndedError
from durable_server.processor.outbox import Outbox
from durable_server.store.sqlite import SqliteStore
from tests.support.waiting import eventually

VALUE_BYTES = 2000
BATCHES = 150
BATCH = 100
BUDGET = 8 * 1024 * 1024
"""Twice what an outbox keeps. All messages together are 30 MB."""


class Destination:
    """The other partitions: they take messages in their order, once they can be reached."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.seen: dict[int, int] = {}
        self.largest = 0
        self.most = 0

    async def __call__(self, destination: int, received: Received) -> int:
        if not self.reached.is_set():
            await asyncio.sleep(0)
            raise ProcessorEndedError("it cannot be reached")
        seen = self.seen.get(destination, 0)
        assert received.first <= seen + 1
        for sequence, message in enumerate(received.messages, received.first):
            assert isinstance(message, CompleteEntry)
            assert message.entry_index == sequence
        self.most = max(self.most, len(received.messages))
        self.largest = max(self.largest, sum(len(encode_message(it)) for it in received.messages))
        self.seen[destination] = received.first + len(received.messages) - 1
        await asyncio.sleep(0)
        return self.seen[destination]


class Sender:
    """A store and its outbox, which a new leader may replace."""

    def __init__(self, store: SqliteStore, destination: Destination) -> None:
        self.failures: list[Exception] = []
        self.outbox = Outbox(
            0, Limits(), store.outbox, _nothing, self.failures.append, self._propose
        )
        self.outbox.recover(store.recover().outbox)
        self.outbox.connect(destination)
        self._store = store

    def send(self, batch: list[OutboxMessage]) -> None:
        sequence = self._store.recover().position.sequence
        self._store.commit(Position(sequence + 1, 1, 0), 1, Changes(outbox=batch))
        self.outbox.add(batch)

    @staticmethod
    def _propose(_record: Record) -> asyncio.Future[Reply]:
        raise AssertionError("nothing is lost")


def _nothing() -> None:
    pass


def batches(destination: int, first: int = 0) -> Iterator[list[OutboxMessage]]:
    for start in range(first * BATCH, (first + BATCHES) * BATCH, BATCH):
        numbers = range(start + 1, start + BATCH + 1)
        yield [
            OutboxMessage(destination, it, CompleteEntry("p", it, bytes(VALUE_BYTES), "c"))
            for it in numbers
        ]


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    store = SqliteStore(":memory:")
    yield store
    store.close()


async def test_messages_to_a_partition_that_cannot_be_reached_stay_in_the_store(
    store: SqliteStore,
) -> None:
    other = Destination()
    sender = Sender(store, other)
    # It counts the memory of Python, not that of SQLite.
    tracemalloc.start()
    try:
        for batch in batches(1):
            sender.send(batch)
            await asyncio.sleep(0)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < BUDGET
    assert sender.outbox.waiting == BATCHES * BATCH

    other.reached.set()
    # What is sent while the others go out comes after them.
    for batch in batches(1, BATCHES):
        sender.send(batch)
        await asyncio.sleep(0)
    await eventually(lambda: not sender.outbox.waiting)
    assert other.seen == {1: 2 * BATCHES * BATCH}
    assert 1 < other.most <= Limits().batch_records
    assert other.largest <= Limits().batch_bytes
    assert not sender.failures
    sender.outbox.close()


async def test_a_new_leader_sends_what_it_finds_in_the_store(store: SqliteStore) -> None:
    other = Destination()
    sender = Sender(store, other)
    for one, two in zip(batches(1), batches(2), strict=True):
        sender.send([*one, *two])
    sender.outbox.close()

    sender = Sender(store, other)
    assert sender.outbox.waiting == 2 * BATCHES * BATCH
    other.reached.set()
    await eventually(lambda: not sender.outbox.waiting)
    assert other.seen == {1: BATCHES * BATCH, 2: BATCHES * BATCH}
    assert not sender.failures
    sender.outbox.close()
