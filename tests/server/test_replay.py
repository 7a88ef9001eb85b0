"""A takeover with a long log to read: what else runs on the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from durable_server.core.limits import Limits
from durable_server.core.model import Handler
from durable_server.core.records import HandlerRegistered, Invoked
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.processor.build import build_processor
from durable_server.processor.clock import WallClock
from durable_server.processor.loop import Processor
from durable_server.processor.workers import Workers
from durable_server.store.sqlite import SqliteStore
from tests.support.waiting import eventually

BATCHES = 200


async def written() -> MemoryStream:
    """Returns a log with many batches, whose store is lost."""
    stream = MemoryStream()
    store = SqliteStore(":memory:")
    processor = build(stream, store)
    await processor.start("first")
    await processor.inputs.propose(HandlerRegistered(Handler("h")))
    for number in range(BATCHES):
        await processor.inputs.propose(Invoked(f"{number:032x}", "h", b""))
    await processor.stop()
    store.close()
    return stream


def build(stream: MemoryStream, store: SqliteStore) -> Processor:
    return build_processor(MemoryLog(stream), store, Limits(), WallClock(), Workers())


async def test_other_tasks_have_a_turn_after_each_batch() -> None:
    stream = await written()
    store = SqliteStore(":memory:")
    seen = set[int]()

    async def other() -> None:
        while True:
            seen.add(store.recover().position.sequence)
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    processor = build(stream, store)
    await processor.start("second")
    running.cancel()
    assert processor.partition.last_number == BATCHES
    assert len(seen) > BATCHES
    await processor.stop()
    store.close()


async def test_a_takeover_waits_for_another_process_that_writes_to_the_store(
    tmp_path: Path,
) -> None:
    stream = await written()
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    processor = build(stream, store)
    starting = asyncio.create_task(processor.start("second"))
    turns = 0

    def problem() -> str:
        nonlocal turns
        turns += 1
        return processor.problem

    # The event loop goes on, or this would not be seen.
    await eventually(lambda: "another process is writing to the store" in problem())
    assert turns > 1
    assert not starting.done()
    foreign.execute("COMMIT")
    await starting
    assert processor.partition.last_number == BATCHES
    await processor.stop()
    foreign.close()
    store.close()
