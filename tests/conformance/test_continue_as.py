"""Continuing as new: the invocation stays the same for everybody else, and nothing comes twice."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter as Counts

import pytest

import durable
from durable import Context
from tests.support.waiting import eventually

from .conftest import EVERYWHERE
from .effects import calls, effect
from .primitives import Counter
from .system import LocalSystem, System

LAST = 3


@durable.workflow
async def rounds(ctx: Context, left: int, got: list[int]) -> list[int]:
    """In each run it takes a signal, two awakeables and the result of a child."""
    await ctx.run("round", effect, f"round {left}")
    ctx.set("rounds", await ctx.get("rounds", int, 0) + 1)
    got = [*got, await ctx.signal("n", type=int)]
    got.append(await ctx.awakeable(f"tick-{left}", type=int))
    got.append(await ctx.promise("go", type=int))
    got.append(await ctx.options(key=f"key {left % 2}").invoke(Counter.add, 1))
    if left:
        ctx.continue_as(left - 1, got)
    return [*got, await ctx.get("rounds", int)]


@durable.workflow
async def attaches(ctx: Context, invocation_id: str) -> list[int]:
    return await ctx.attach(invocation_id, rounds)


@durable.object("gate")
class Gate:
    """A number that one handler changes over several runs."""

    @durable.handler
    async def grow(self, ctx: Context, left: int) -> int:
        """Adds one in each run, and holds the lock of the key all the time."""
        number = await ctx.get("n", int, 0) + 1
        ctx.set("n", number)
        await ctx.run("grow", effect, f"grow to {number}")
        if left:
            ctx.continue_as(left=left - 1)
        return number


@durable.workflow
async def eager(ctx: Context, round: int) -> int:
    """Starts steps that nobody awaits, and goes on in another run."""
    if round == 5:
        return ctx.journal_length
    for number in range(3):
        ctx.run("step", effect, f"{round}/{number}")
    ctx.continue_as(round + 1)


@durable.workflow
async def draws(ctx: Context, seen: list[float]) -> list[float]:
    seen = [*seen, ctx.random.random()]
    await ctx.sleep(0)
    if len(seen) == 3:
        return seen
    ctx.continue_as(seen)


@durable.workflow
async def swallows(ctx: Context, round: int) -> str:
    """Answers a cancellation with another run."""
    try:
        await ctx.run("begun", effect, f"begun {round}")
        await ctx.signal("never")
    except asyncio.CancelledError:
        if round:
            raise
        ctx.continue_as(1)
    return "never"


@durable.workflow
async def long(ctx: Context, entries: int) -> int:
    for _ in range(entries):
        ctx.set("n", 1)
    await ctx.sleep(0)
    return ctx.journal_length


@durable.workflow
async def inbox(ctx: Context, got: list[int], idle: bool) -> list[int]:
    """Begins a run for each signal, and waits for three of them at once in three ways.

    An idle run sees them come, and reads none. The signal -1 ends the last run.
    """
    if idle:
        first, second, third = (ctx.signal("n", type=int) for _ in range(3))
        watched = asyncio.gather(third, asyncio.Event().wait())
        await ctx.signal("stop")
        assert [it.done() for it in (first, second, third, watched)] == [True, True, True, False]
        ctx.continue_as(got, False)
    waits = [ctx.signal("n", type=int) for _ in range(3)]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    number = next(it for it in waits if it in done).result()
    if number == -1:
        return got
    ctx.continue_as([*got, number], len(got) == 1)


WORKFLOWS = [rounds, attaches, Counter, Gate, eager, draws, swallows, long, inbox]


async def in_run(system: System, invocation_id: str, run: int, entries: int) -> None:
    """Waits until the journal of a run has so many entries."""

    async def is_there() -> bool:
        found = await system.client.get(invocation_id)
        return found.run == run and len(found.journal) >= entries

    await eventually(is_there)


@EVERYWHERE
async def test_nothing_is_lost_or_doubled_over_several_runs(system: System) -> None:
    client = system.client
    named = client.options(idempotency_key="the rounds")
    invocation_id = await named.invoke_async(rounds, LAST, [])
    waiting = await client.invoke_async(attaches, invocation_id)
    for number in range(LAST + 1):
        await client.signal(invocation_id, "n", 100 + number)
    for number in range(LAST + 1):
        left = LAST - number
        await in_run(system, invocation_id, number + 1, 5)
        if number == 1:
            await system.kill()
            await system.employ()
        elif number == 2:
            await system.restart()
        await client.resolve_awakeable(f"tick-{left}", 10 + number)
        await client.resolve_promise(invocation_id, "go", number)
    expected: list[int] = []
    for number in range(LAST + 1):
        expected += [100 + number, 10 + number, number, number // 2 + 1]
    expected.append(LAST + 1)
    assert (await client.get_result(invocation_id, rounds)).value() == expected
    assert (await client.get_result(waiting, attaches)).value() == expected
    # A retry of the first request finds it, although its input is another one now.
    assert await named.invoke_async(rounds, LAST, []) == invocation_id
    with pytest.raises(durable.RpcError, match="input"):
        await named.invoke_async(rounds, 0, [])
    found = await client.get(invocation_id)
    assert (found.run, len(found.journal)) == (LAST + 1, 8)
    assert found.first_index == found.journal[0].step_number
    assert [it for it in found.attempts if it.end == "continued"][-1].run == LAST
    counts = Counts(calls)
    assert [counts[f"round {left}"] for left in range(LAST + 1)] == [1] * (LAST + 1)


@EVERYWHERE
async def test_a_signal_that_no_run_has_read_is_there_for_the_next_one(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(inbox, [], True)
    for number in range(3):
        await client.signal(invocation_id, "n", number)
    await in_run(system, invocation_id, 1, 4)
    await client.signal(invocation_id, "stop")
    await in_run(system, invocation_id, 4, 4)
    for number in (3, 4, -1):
        await client.signal(invocation_id, "n", number)
    await system.kill()
    await system.employ()
    await client.signal(invocation_id, "stop")
    assert (await client.get_result(invocation_id, inbox)).value() == [0, 1, 2, 3, 4]


async def test_a_watch_shows_one_run_after_the_other(system: System) -> None:
    invocation_id = await system.client.invoke_async(rounds, 1, [])

    async def outside() -> None:
        for number in range(2):
            await in_run(system, invocation_id, number + 1, 3)
            await system.client.signal(invocation_id, "n", number)
            await system.client.resolve_awakeable(f"tick-{1 - number}", number)
            await system.client.resolve_promise(invocation_id, "go", number)

    runs: list[int] = []
    last: dict[int, str] = {}
    answering = asyncio.create_task(outside())
    async for shown in system.client.watch(invocation_id):
        runs.append(shown.run)
        assert all(it.step_number >= shown.first_index for it in shown.journal)
        if shown.run == 2:
            last.update({it.step_number: it.kind for it in shown.journal})
    await answering
    assert runs == sorted(runs)
    assert set(runs) == {1, 2}
    found = await system.client.get(invocation_id)
    assert last == {it.step_number: it.kind for it in found.journal}


async def test_an_object_s_key_stays_locked(system: System) -> None:
    client = system.client.options(key="one")
    first = await client.invoke_async(Gate.grow, 4)
    others = [await client.invoke_async(Gate.grow, 0) for _ in range(3)]
    ended = [(await client.get_result(it, Gate.grow)).value() for it in (first, *others)]
    assert ended == [5, 6, 7, 8]


async def test_steps_that_nobody_awaits_run_once_each(system: System) -> None:
    assert await system.client.invoke(eager, 0) == 0
    assert sorted(calls) == sorted(f"{round}/{it}" for round in range(5) for it in range(3))


async def test_each_run_has_other_random_numbers(system: System) -> None:
    assert len(set(await system.client.invoke(draws, []))) == 3


@EVERYWHERE
async def test_a_cancellation_ends_the_next_run(system: System) -> None:
    invocation_id = await system.client.invoke_async(swallows, 0)
    await system.journaled(invocation_id, 2)
    await system.client.cancel(invocation_id)
    assert await system.until(invocation_id, "cancelled") == "cancelled"
    assert calls == ["begun 0"]
    assert (await system.client.get(invocation_id)).run == 2


@pytest.mark.parametrize("system", [(LocalSystem, 5.0)], indirect=True)
async def test_a_worker_warns_before_the_journal_is_full(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "durable.worker"):
        assert await system.client.invoke(long, 7_900) == 7_901
        assert "journal_entries" not in caplog.text
        assert await system.client.invoke(long, 8_500) == 8_501
    (text,) = (it.getMessage() for it in caplog.records if "journal_entries" in it.getMessage())
    assert "journal_entries (10000)" in text
    assert "ctx.continue_as" in text
