"""The collector: what is written when, what is repeated, and what is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from durable_server.access.audit import AuditedCall
from durable_server.audit import collector as module
from durable_server.audit.collector import BATCH_CALLS, AuditWriteError, Batch, Collector
from tests.support.waiting import eventually

from .calls import call


class Place:
    """Where calls are written: it may be full, or hang."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.tries: list[str] = []
        """The ids of all batches that came, also those that were refused."""
        self.refuses: Callable[[Batch], AuditWriteError | None] = lambda _: None
        self.hangs = False

    async def write(self, batch: Batch) -> None:
        self.tries.append(batch.id)
        if self.hangs:
            await asyncio.Event().wait()
        if (error := self.refuses(batch)) is not None:
            self.batches.append(batch._replace(calls=batch.calls[: error.written]))
            raise error
        self.batches.append(batch)

    @property
    def subjects(self) -> list[str]:
        return [it.subject for batch in self.batches for it in batch.calls]


async def test_calls_that_come_together_are_one_batch_and_then_nothing_runs() -> None:
    place = Place()
    collector = Collector("file", "here", place.write)
    for number in range(10):
        collector.note(call(str(number)))
    await eventually(lambda: collector.kept == 10)
    assert len(place.batches) == 1
    assert place.subjects == [str(it) for it in range(10)]
    tasks = {it for it in asyncio.all_tasks() if it is not asyncio.current_task()}
    await asyncio.wait(tasks, timeout=10) if tasks else None
    assert all(it.done() for it in tasks)
    collector.note(call("later"))
    await collector.close()
    assert place.subjects[-1] == "later"


async def test_more_calls_than_one_batch_holds_are_several() -> None:
    place = Place()
    collector = Collector("file", "here", place.write)
    for number in range(2 * BATCH_CALLS + 1):
        collector.note(call(str(number)))
    await collector.close()
    assert [len(it.calls) for it in place.batches] == [BATCH_CALLS, BATCH_CALLS, 1]
    assert place.subjects == [str(it) for it in range(2 * BATCH_CALLS + 1)]


async def test_a_batch_that_fails_is_repeated_with_its_id_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place()
    place.refuses = lambda _: AuditWriteError("the disk is full")
    collector = Collector("file", "here", place.write)
    collector.note(call("1"))
    await eventually(lambda: len(place.tries) >= 3)
    assert collector.problem == "here: the disk is full"
    collector.note(call("2"))
    place.refuses = lambda _: None
    await eventually(lambda: collector.kept == 2)
    assert collector.problem == ""
    assert place.subjects == ["1", "2"]
    assert len(set(place.tries[:-1])) == 1
    assert place.tries[-1] != place.tries[0]
    logged = [it.levelno for it in caplog.records if it.name == "durable.audit"]
    assert logged == [logging.ERROR, logging.WARNING]
    assert collector.lost == 0


async def test_a_defect_of_the_writer_is_a_failure_like_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place()
    broken: list[int] = []
    place.refuses = lambda _: AuditWriteError("", broken[0])
    collector = Collector("file", "here", place.write)
    collector.note(call("1"))
    await eventually(lambda: len(place.tries) >= 2)
    assert collector.problem == "here: IndexError('list index out of range')"
    place.refuses = lambda _: None
    await eventually(lambda: collector.kept == 1)
    assert collector.problem == ""
    assert sum(it.exc_info is not None for it in caplog.records) == 1


async def test_of_a_batch_that_is_written_in_part_only_the_rest_is_repeated() -> None:
    place = Place()
    place.refuses = lambda batch: AuditWriteError("full", 2) if len(batch.calls) == 3 else None
    collector = Collector("file", "here", place.write)
    for number in range(3):
        collector.note(call(str(number)))
    await collector.close()
    assert place.subjects == ["0", "1", "2"]


async def test_calls_over_the_bound_are_counted_and_noted_in_their_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING_MAX", 5)
    place = Place()
    place.refuses = lambda _: AuditWriteError("the disk is full")
    collector = Collector("file", "here", place.write)
    for number in range(8):
        collector.note(call(str(number)))
    assert collector.lost == 3
    assert "5 calls wait" in collector.problem
    await eventually(lambda: place.tries)
    place.refuses = lambda _: None
    await eventually(lambda: collector.kept == 6)
    collector.note(call("8"))
    await collector.close()
    kept: list[AuditedCall] = [it for batch in place.batches for it in batch.calls]
    assert [it.subject for it in kept] == ["0", "1", "2", "3", "4", "", "8"]
    assert (kept[5].method, kept[5].code) == ("Audit", "DATA_LOSS")
    assert kept[5].reason == "3 calls before this are missing"
    assert sum("further ones are lost" in it.message for it in caplog.records) == 1
    assert collector.lost == 3


async def test_a_place_that_hangs_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(module, "LATE_SECONDS", 0.01)
    place = Place()
    place.hangs = True
    collector = Collector("file", "here", place.write)
    collector.note(call())
    await eventually(lambda: "has not ended" in collector.problem)
    async with asyncio.timeout(20):
        await collector.close()
    assert (collector.kept, collector.lost) == (0, 1)
