"""Continuing as new, in the engine: where a run ends, and where the next one begins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import durable
from durable_proto.v1 import payload_pb2, worker_pb2

from .harness import (
    ACTIONS_MAX,
    CANCEL,
    Recorded,
    World,
    attempt_of,
    last_message,
)


def one() -> int:
    return 1


@durable.workflow
async def count(ctx: durable.Context, left: int, total: int = 0) -> list[int]:
    """Counts to `left` with a run for each, and returns where its last run began."""
    first = ctx.journal_length
    total += await ctx.run("one", one)
    await ctx.sleep(1)
    ctx.set("seen", await ctx.get("seen", int, 0) + 1)
    if left:
        ctx.continue_as(left - 1, total)
    return [total, await ctx.get("seen", int, 0), first, ctx.journal_length]


@pytest.mark.parametrize("seed", range(20))
def test_each_run_begins_where_the_one_before_has_ended(seed: int) -> None:
    world = World(count, 3, seed=seed, suspend=0.5)
    assert world.run().get() == [4, 4, 0, 5]
    assert [index for index, _ in world.executions] == [0, 4, 8, 12]
    assert world.the_run is not None
    assert world.the_run.number == 4
    assert world.the_run.begun_by.next_index == 12


@pytest.mark.parametrize("seed", range(10))
def test_a_worker_that_is_killed_at_any_boundary_of_a_later_run_repeats_it(seed: int) -> None:
    world = World(count, 1, seed=seed)
    boundaries = 0
    for _ in range(ACTIONS_MAX):
        if world.end is not None:
            break
        world.act()
        if world.end is None and len(world.history) != boundaries:
            boundaries = len(world.history)
            world._crash()
    assert world.run().get() == [2, 2, 0, 5]


def test_a_replay_of_a_later_run_asks_for_the_same_run() -> None:
    world = World(count, 2)
    while world.the_run is None or len(world.history) < 5:
        world.act()
    first = last_message(world.replay())
    assert first.WhichOneof("message") == "continued"
    assert first == last_message(world.replay())
    assert first.continued.completion_number == 4


def test_it_ends_the_handler_at_once() -> None:
    seen: list[str] = []

    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> str:
        if round:
            return "done"

        async def within() -> None:
            try:
                await ctx.run("one", one)
                ctx.continue_as(round + 1)
            except Exception:  # noqa: BLE001 - it must not be caught here
                seen.append("caught")
            finally:
                seen.append("task")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(within())
                await ctx.signal("never")
            seen.append("went on")
        finally:
            seen.append("main")
        return "went on"

    world = World(program, 0)
    assert world.run().get() == "done"
    assert seen == ["task", "main"]
    assert not world.attempt.unawaited.texts


def test_a_finally_block_starts_nothing_durable_and_does_not_change_the_end() -> None:
    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> int:
        if round:
            return ctx.journal_length
        try:
            ctx.continue_as(1)
        finally:
            try:
                await ctx.run("late", one)
            finally:
                ctx.continue_as(7)

    world = World(program, 0)
    assert world.run().get() == 0
    assert world.executions == []


def test_leaving_a_saga_compensates_nothing() -> None:
    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> int:
        async with durable.saga(ctx) as saga:
            saga.undo(one)
            await ctx.run("do", one)
            if not round:
                ctx.continue_as(1)
        return round

    world = World(program, 0)
    assert world.run().get() == 1
    assert [name for _, name in world.executions] == ["do", "do"]


def test_a_step_that_nothing_awaits_is_journaled_first() -> None:
    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> int:
        if round:
            return 5
        ctx.run("for its effect", one)
        await ctx.run("awaited", one)
        ctx.continue_as(1)

    world = World(program, 0)
    assert world.run().get() == 5
    assert world.the_run is not None
    recorded = [it.entry.name for it in world.the_run.earlier if isinstance(it, Recorded)]
    assert sorted(recorded) == ["awaited", "for its effect"]
    # The program had seen only the other one when it asked for the next run.
    assert world.the_run.begun_by.completion_number == 2 - (recorded[0] == "awaited")


def test_a_completion_that_comes_later_has_not_been_seen() -> None:
    @durable.workflow
    async def program(ctx: durable.Context) -> None:
        step = ctx.run("slow", one)
        waiting = ctx.awakeable("go")
        await asyncio.wait([asyncio.ensure_future(ctx.sleep(1)), asyncio.ensure_future(waiting)])
        del step
        ctx.continue_as()

    attempt = attempt_of(program)
    attempt.outbox.clear()
    attempt.tasks.clear()
    null = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"null"))
    for index in (1, 2):
        attempt.on_ack(worker_pb2.Ack(index=index))
    attempt.on_completion(worker_pb2.Completion(index=2, outcome=null, completion_number=1))
    assert not attempt.done
    attempt.on_completion(worker_pb2.Completion(index=1, outcome=null, completion_number=2))
    assert not attempt.done
    attempt.on_step(0, payload_pb2.Payload(data=b"1"), None, 0.0)
    attempt.on_ack(worker_pb2.Ack(index=0, completion_number=3))
    continued = last_message(attempt).continued
    assert (continued.completion_number, continued.next_index) == (2, 3)


def test_only_signals_that_have_come_and_were_not_read_are_given_back() -> None:
    @durable.workflow
    async def program(ctx: durable.Context) -> None:
        awaited, asked, refused, gathered, unread, raced, never = (
            ctx.signal(str(number), type=int) for number in range(7)
        )
        del unread
        given_up = ctx.signal("given up")
        given_up.cancel()
        await awaited
        together = asyncio.gather(gathered, never)
        await asyncio.wait([refused, raced], return_when=asyncio.ALL_COMPLETED)
        asked.result()
        with pytest.raises(durable.CodecError):
            await refused
        assert raced.exception() is None
        del together
        ctx.continue_as()

    attempt = attempt_of(program)
    for index in range(9):
        attempt.on_ack(worker_pb2.Ack(index=index))
    for number, index in enumerate((1, 3, 4, 5, 2, 0), start=1):
        value = payload_pb2.Payload(data=b'"no number"' if index == 2 else b"1")
        attempt.on_completion(
            worker_pb2.Completion(
                index=index, outcome=payload_pb2.Outcome(value=value), completion_number=number
            )
        )
    cancels = [it.entry for it in attempt.outbox if it.entry.kind == CANCEL]
    assert [it.target for it in cancels] == ["#7", "#3", "#4", "#5"]


def test_an_index_that_is_in_no_journal_is_not_used_again() -> None:
    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> int:
        if round:
            await ctx.run("again", one)
            return round
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.run("discarded", one)
        ctx.continue_as(1)

    attempt = attempt_of(program, 0)
    null = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"null"))
    attempt.on_ack(worker_pb2.Ack(index=0))
    attempt.on_completion(worker_pb2.Completion(index=0, outcome=null, completion_number=1))
    assert last_message(attempt).continued.next_index == 2


@pytest.mark.parametrize("seed", range(5))
def test_a_cancellation_reaches_the_next_run(seed: int) -> None:
    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> None:
        try:
            await ctx.sleep(1000)
        except asyncio.CancelledError:
            if round:
                raise
            ctx.continue_as(round + 1)

    world = World(program, 0, seed=seed, cancel_after=1)
    end = world.run()
    assert end.failure is not None
    assert end.failure.type == "durable.Cancelled"
    assert world.the_run is not None
    assert world.the_run.number == 2


def test_arguments_are_checked_where_it_is_called() -> None:
    found: list[BaseException] = []

    @durable.workflow
    async def program(ctx: durable.Context, round: int) -> int:
        calls: list[tuple[Any, ...]] = [(), (1, 2), ("x" * 2_000_000,)]
        for args in calls:
            try:
                ctx.continue_as(*args)
            except Exception as error:  # noqa: BLE001 - whatever it raises
                found.append(error)
        await ctx.run("a step", lambda: ctx.continue_as(1))
        return round

    world = World(program, 0, attempts=1)
    end = world.run()
    assert [type(it) for it in found] == [TypeError, TypeError, durable.TerminalError]
    assert "payload_bytes" in str(found[2])
    assert end.failure is not None
    assert "ctx.continue_as() was used outside" in end.failure.message


def test_a_program_that_continues_too_early_does_not_repeat_its_journal() -> None:
    @durable.workflow(name="changes")
    async def before(ctx: durable.Context) -> None:
        await ctx.run("one", one)
        await ctx.sleep(1000)

    @durable.workflow(name="changes")
    async def after(ctx: durable.Context) -> None:
        await ctx.run("one", one)
        ctx.continue_as()

    world = World(before)
    while len(world.history) < 2:
        world.act()
    world.workflow = after
    failure = last_message(world.replay()).held.failure
    assert failure.type == "durable.DeterminismError"
