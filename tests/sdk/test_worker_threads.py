"""Sync steps in threads: timeouts, steps that wait for a thread, are given up, or hang."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import durable
from durable._worker import time_bounds
from durable_proto.v1 import invocation_pb2

from .peers import BOUND, PeerSession, WorkerPeer, about, ack, completion, start
from .workers import ID, OTHER, running

HOLDER = "a" * 32
LATER = "b" * 32


class Held:
    """Steps that hold their threads until the test releases them, and steps that note their begin."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.holding = threading.Semaphore(0)
        self.go = threading.Event()
        self.hang = threading.Event()

    def hold(self) -> str:
        self.holding.release()
        assert self.go.wait(BOUND)
        return "held"

    def hangs(self) -> str:
        self.holding.release()
        assert self.hang.wait(BOUND)
        return "hung"

    def note(self, what: str) -> str:
        self.begun.append(what)
        return what

    async def held(self, count: int = 1) -> None:
        """Returns when `count` more steps hold their threads."""
        for _ in range(count):
            assert await asyncio.to_thread(self.holding.acquire, True, BOUND)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    # No test leaves a thread that blocks.
    made.go.set()
    made.hang.set()


def holder(held: Held) -> durable.Workflow[[], str]:
    @durable.workflow
    async def holder(ctx: durable.Context) -> str:
        return await ctx.run("hold", held.hold)

    return holder


def noter(held: Held, timeout: float | None = None) -> durable.Workflow[[str], str]:
    @durable.workflow
    async def noter(ctx: durable.Context, what: str) -> str:
        return await ctx.options(timeout=timeout).run("note", held.note, what)

    return noter


def hanger(held: Held) -> durable.Workflow[[], str]:
    @durable.workflow
    async def hanger(ctx: durable.Context) -> str:
        return await ctx.options(timeout=0.01).run("hang", held.hangs)

    return hanger


async def until(worker: durable.Worker, **expected: int) -> None:
    """Waits until the worker's statistics have these values."""
    async with asyncio.timeout(BOUND):
        while True:
            now = worker.statistics()
            if all(getattr(now, name) == value for name, value in expected.items()):
                return
            await asyncio.sleep(0.005)


async def take(session: PeerSession, held: Held, *values: str) -> None:
    """Releases the holder; then its end and these values come, and no other step has begun."""
    held.go.set()
    seen = [(await session.next("entry")).entry.outcome.value.data for _ in range(len(values) + 1)]
    assert seen == [b'"held"', *(f'"{value}"'.encode() for value in values)]
    assert held.begun == list(values)


# Timeouts


async def test_a_steps_time_counts_from_its_begin(peer: tuple[WorkerPeer, str], held: Held) -> None:
    """It waits for longer than its timeout: a later step that takes as long shows that."""

    async def sleeps() -> None:
        await asyncio.Event().wait()

    @durable.workflow
    async def clock(ctx: durable.Context) -> None:
        await ctx.options(timeout=0.6).run("sleep", sleeps)

    flows = [holder(held), noter(held, 0.5), clock]
    async with running(peer[1], *flows, max_threads=1) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "noter", '"patient"'), start(OTHER, "clock"))
        failed = await session.next("attempt_failed")
        assert failed.invocation_id == OTHER
        assert "0.6 s" in failed.attempt_failed.failure.message
        assert worker.statistics().steps_waiting == 1
        assert worker.statistics().steps_running == 1
        await take(session, held, "patient")


async def test_many_steps_and_few_threads(peer: tuple[WorkerPeer, str]) -> None:
    """Two run at a time, each for far less than its timeout; all together take longer."""
    count, at_once, most = 64, 0, 0
    lock = threading.Lock()

    @durable.workflow
    async def slow(ctx: durable.Context) -> int:
        def work() -> int:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.05)
            with lock:
                at_once -= 1
            return 1

        return await ctx.options(timeout=1).run("work", work)

    async with running(peer[1], slow, max_threads=2, max_concurrent=count) as worker:
        session = await peer[0].accept()
        await session.send(*(start(f"{n:032x}", "slow") for n in range(count)))
        entries = [await session.next("entry") for _ in range(count)]
        assert {it.entry.outcome.value.data for it in entries} == {b"1"}
        assert most == 2
        assert worker.statistics().steps_failed == 0


async def test_what_a_sync_step_returns_to_be_awaited_has_the_rest_of_its_time(
    peer: tuple[WorkerPeer, str],
) -> None:
    async def sleeps() -> None:
        await asyncio.Event().wait()

    @durable.workflow
    async def slow(ctx: durable.Context) -> None:
        await ctx.options(timeout=0.05).run("slow", lambda: sleeps())

    async with running(peer[1], slow):
        session = await peer[0].accept()
        await session.send(start(ID, "slow"))
        failed = (await session.next("attempt_failed")).attempt_failed
        assert failed.failure.type == "TimeoutError"


# Steps that were given up before they began


@pytest.mark.parametrize("how", ["timeout", "abandon", "replaced", "cancel", "pause", "stop"])
async def test_what_was_given_up_before_it_began_never_begins(
    peer: tuple[WorkerPeer, str], held: Held, how: str
) -> None:
    async def undo() -> str:
        held.begun.append("undone")
        return "undone"

    @durable.workflow
    async def books(ctx: durable.Context) -> None:
        try:
            async with asyncio.timeout(3600):
                await ctx.run("book", held.note, "booked")
        except (TimeoutError, asyncio.CancelledError):
            await ctx.run("undo", undo)

    async with running(peer[1], holder(held), noter(held), books, max_threads=1) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "books"))
        limit = await session.next("entry")
        assert limit.entry.kind == invocation_pb2.ENTRY_KIND_SLEEP
        await session.send(ack(limit, 0))
        await until(worker, steps_waiting=1)
        if how in ("timeout", "cancel"):
            if how == "timeout":
                await session.send(completion(limit, 1))
            else:
                cancel = about(ID, 1, "cancel_requested")
                cancel.cancel_requested.completion_number = 1
                await session.send(cancel)
            undone = await session.next("entry")
            assert undone.entry.name == "undo"
            assert held.begun == ["undone"]
            held.begun.clear()
        elif how == "abandon":
            await session.send(about(ID, 1, "abandon"))
        elif how == "replaced":
            # The step of a later attempt begins; the one of this attempt never does.
            await session.send(about(ID, 1, "abandon"), start(ID, "books", attempt=2))
            await session.next("entry")
            await session.send(about(ID, 2, "abandon"))
        elif how == "pause":
            await session.send(about(ID, 1, "pause_requested"))
            assert (await session.next("paused")).invocation_id == ID
        else:
            worker.stop()
            await session.next("draining")
            assert (await session.next("released")).invocation_id == ID
        await until(worker, steps_waiting=0)
        if how == "stop":
            await take(session, held)
            return
        # A step that is requested now comes after it.
        await session.send(start(LATER, "noter", '"later"'))
        await take(session, held, "later")


async def test_a_failure_beside_it_takes_back_what_has_not_begun(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    async def fails() -> None:
        raise ValueError("no")

    @durable.workflow
    async def pair(ctx: durable.Context) -> None:
        await asyncio.gather(ctx.run("note", held.note, "waits"), ctx.run("fail", fails))

    async with running(peer[1], holder(held), noter(held), pair, max_threads=1):
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "pair"))
        await session.next("attempt_failed")
        await session.send(start(LATER, "noter", '"later"'))
        await take(session, held, "later")


async def test_a_program_that_gives_up_its_only_step_goes_on(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    """A step that was withdrawn leaves nothing that keeps its attempt from being suspended."""

    @durable.workflow
    async def moves_on(ctx: durable.Context) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.run("note", held.note, "never")
        await ctx.sleep(3600)

    flows = [holder(held), moves_on]
    async with running(peer[1], *flows, max_threads=1, suspend_after=0) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "moves_on"))
        limit = await session.next("entry")
        await session.send(ack(limit, 0))
        await until(worker, steps_waiting=1)
        await session.send(completion(limit, 1))
        await session.send(ack(await session.next("entry"), 0))
        assert (await session.next("suspend")).invocation_id == ID
        await take(session, held)


# Steps that wait for a thread


async def test_a_step_that_waits_too_long_is_given_back_and_has_not_failed(
    peer: tuple[WorkerPeer, str], held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    flows = [holder(held), noter(held)]
    async with running(peer[1], *flows, max_threads=1, thread_wait=0.05) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "noter", '"first"'))
        released = await session.next("released")
        assert (released.invocation_id, released.attempt) == (ID, 1)
        assert worker.statistics().steps_failed == 0
        assert worker.statistics().attempts_released == 1
        assert "'note' of noter" in caplog.text
        assert "thread_wait" in caplog.text
        await take(session, held)
        await session.send(start(ID, "noter", '"second"', attempt=2))
        assert (await session.next("entry")).entry.outcome.value.data == b'"second"'
        assert held.begun == ["second"]


async def test_what_runs_beside_a_step_that_waits_too_long_is_journaled_before(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def passes() -> str:
        begun.set()
        await gate.wait()
        return "passed"

    @durable.workflow
    async def pair(ctx: durable.Context) -> None:
        await asyncio.gather(ctx.run("note", held.note, "waits"), ctx.run("pass", passes))
        await ctx.run("next", held.note, "next")

    flows = [holder(held), pair]
    async with running(peer[1], *flows, max_threads=1, thread_wait=0.02) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(start(ID, "pair"))
        await until(worker, steps_waiting=0, steps_running=2)
        assert begun.is_set()
        gate.set()
        entry = await session.next("entry")
        assert entry.entry.name == "pass"
        await session.send(ack(entry, 1))
        assert (await session.next("released")).invocation_id == ID
        await take(session, held)


async def test_the_log_names_what_holds_the_threads(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    lines: list[str] = []
    told = asyncio.Event()

    class Log(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "threads" in record.getMessage():
                lines.append(record.getMessage())
                told.set()

    log = Log()
    logger = logging.getLogger("durable.worker")
    logger.addHandler(log)
    try:
        flows = [holder(held), noter(held)]
        async with running(peer[1], *flows, max_threads=1):
            session = await peer[0].accept()
            await session.send(start(HOLDER, "holder"))
            await held.held()
            await session.send(start(ID, "noter", '"first"'), start(OTHER, "noter", '"second"'))
            await asyncio.wait_for(told.wait(), BOUND)
            await take(session, held, "first", "second")
    finally:
        logger.removeHandler(log)
    (line,) = lines
    assert "all threads for sync steps are taken" in line
    assert "2 steps wait" in line
    assert f"'hold' of holder [{HOLDER}] for " in line


# Steps that hang


async def test_steps_that_hang_leave_room_for_others(
    peer: tuple[WorkerPeer, str], held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "durable.worker")
    async with running(peer[1], hanger(held), noter(held), max_threads=2) as worker:
        session = await peer[0].accept()
        for number in range(4):  # more than there are threads, one after the other
            await session.send(start(f"{number:032x}", "hanger"))
            failed = await session.next("attempt_failed")
            assert failed.attempt_failed.failure.type == "TimeoutError"
        await session.send(start(ID, "noter", '"still"'), start(OTHER, "noter", '"works"'))
        for _ in range(2):
            await session.next("entry")
        assert sorted(held.begun) == ["still", "works"]
        assert worker.statistics().threads_stuck == 4
        assert worker.statistics().steps_running == 0
        assert "its thread goes on" in caplog.text
        held.hang.set()
        await until(worker, threads_stuck=0)
        await until_logged(caplog, "which was given up", 4)


async def test_threads_that_come_back_are_used_and_not_too_many(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    before = set(threading.enumerate())

    def ours() -> int:
        new = set(threading.enumerate()) - before
        return sum(thread.name.startswith("durable-step") for thread in new)

    async with running(peer[1], hanger(held), noter(held), max_threads=2) as worker:
        session = await peer[0].accept()
        for number in range(6):
            await session.send(start(f"{number:032x}", "hanger"))
            await session.next("attempt_failed")
        assert 6 <= ours() <= 8
        held.hang.set()
        await until(worker, threads_stuck=0)
        async with asyncio.timeout(BOUND):
            while ours() > 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for number in range(20):
            await session.send(start(f"{number:032x}", "noter", f'"{number}"', attempt=2))
            await session.next("entry")
        assert ours() <= 2


@pytest.mark.parametrize("most", [0, 1])
async def test_how_many_stuck_threads_are_replaced_is_limited(
    peer: tuple[WorkerPeer, str], held: Held, most: int
) -> None:
    flows = [hanger(held), noter(held)]
    async with running(peer[1], *flows, max_threads=1, max_stuck_threads=most) as worker:
        session = await peer[0].accept()
        for number in range(most + 1):
            await session.send(start(f"{number:032x}", "hanger"))
            await session.next("attempt_failed")
        await session.send(start(ID, "noter", '"waits"'))
        await until(worker, steps_waiting=1, threads_stuck=most + 1)
        assert held.begun == []
        held.hang.set()
        assert (await session.next("entry")).entry.outcome.value.data == b'"waits"'


async def test_a_thread_whose_attempt_is_over_leaves_room_too(
    peer: tuple[WorkerPeer, str], held: Held
) -> None:
    async with running(peer[1], holder(held), noter(held), max_threads=1) as worker:
        session = await peer[0].accept()
        await session.send(start(HOLDER, "holder"))
        await held.held()
        await session.send(about(HOLDER, 1, "abandon"), start(ID, "noter", '"next"'))
        assert (await session.next("entry")).entry.outcome.value.data == b'"next"'
        assert worker.statistics().threads_stuck == 1


async def test_a_value_that_comes_with_the_timeout_counts(peer: tuple[WorkerPeer, str]) -> None:
    """The thread has ended before the loop handles the timeout: the step has had its effect."""
    ended = threading.Event()

    def work() -> str:
        ended.set()
        return "done"

    @durable.workflow
    async def close_call(ctx: durable.Context) -> str:
        return await ctx.options(timeout=0.01).run("work", work)

    @durable.workflow
    async def stalls(ctx: durable.Context) -> None:
        # Blocks the loop until the other workflow's step has ended and its timeout has passed.
        assert ended.wait(BOUND)
        threading.Event().wait(0.2)

    async with running(peer[1], close_call, stalls):
        session = await peer[0].accept()
        await session.send(start(ID, "close_call"), start(OTHER, "stalls"))
        seen = {}
        while len(seen) < 2:
            for message in await session.frame():
                seen[message.WhichOneof("message")] = message
        assert seen["entry"].entry.outcome.value.data == b'"done"'


# Async steps that do not end


def stubborn(after: Callable[[], Any]) -> durable.Workflow[[], str]:
    @durable.workflow
    async def stubborn(ctx: durable.Context) -> str:
        async def step() -> str:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if (value := after()) is not None:
                        return str(value)

        return await ctx.options(timeout=0.01).run("step", step)

    return stubborn


async def test_a_step_that_is_cancelled_may_return_a_value_all_the_same(
    peer: tuple[WorkerPeer, str],
) -> None:
    async with running(peer[1], stubborn(lambda: "tidied")):
        session = await peer[0].accept()
        await session.send(start(ID, "stubborn"))
        assert (await session.next("entry")).entry.outcome.value.data == b'"tidied"'


async def test_a_step_that_swallows_its_cancellation_is_given_up(
    peer: tuple[WorkerPeer, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(time_bounds, "CANCEL_SECONDS_MAX", 0.02)
    end = asyncio.Event()
    async with running(peer[1], stubborn(lambda: "end" if end.is_set() else None)) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "stubborn"))
        failed = (await session.next("attempt_failed")).attempt_failed
        assert failed.failure.type == "TimeoutError"
        assert "nor within 0.02 s after it was cancelled" in caplog.text
        assert worker.statistics().attempts_running == 0
        before = asyncio.all_tasks()
    # The worker has ended, and asyncio.run would not wait for the step either.
    left = [it for it in before & asyncio.all_tasks() if "run_async" in repr(it)]
    assert left == []
    assert "step 'step' of stubborn [" in caplog.text
    assert "goes on while the worker ends" in caplog.text


async def until_logged(caplog: pytest.LogCaptureFixture, words: str, count: int) -> None:
    async with asyncio.timeout(BOUND):
        while caplog.text.count(words) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "limits",
    [{"max_threads": 0}, {"max_threads": 10_001}, {"max_stuck_threads": -1}, {"thread_wait": 0}],
    ids=str,
)
def test_a_limit_out_of_its_range_is_named(limits: dict[str, Any]) -> None:
    (name,) = limits
    with pytest.raises(ValueError, match=name):
        durable.Worker(workflows=[holder(Held())], **limits)
