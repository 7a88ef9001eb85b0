"""Concurrent awaits: any order of completion is possible, and every replay sees the same one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System


@durable.workflow
async def in_order_of_arrival(ctx: Context, count: int) -> list[int]:
    """Returns the order in which its promises were resolved."""
    promises = [ctx.promise(str(number), type=int) for number in range(count)]
    await ctx.run("made", effect, "made")
    waiting = {asyncio.ensure_future(it) for it in promises}
    order: list[int] = []
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        order += sorted(it.result() for it in done)
    return order


@durable.workflow
async def resolver(ctx: Context, other: str, order: list[int]) -> None:
    """Resolves another invocation's promises in an order."""
    for number in order:
        await ctx.resolve_awakeable(f"{other}.{number}", number)


@durable.workflow
async def first_success(ctx: Context) -> str:
    """Gives the first of several that succeeds, however many fail before it."""

    def fail() -> None:
        raise durable.TerminalError("not this one")

    asked: list[Any] = []
    for number in range(3):
        asked += [ctx.promise(str(number)), ctx.run(f"fails {number}", fail)]
    await ctx.run("made", effect, "made")
    for it in asyncio.as_completed(asked):
        try:
            return str(await it)
        except durable.TerminalError:
            continue
    return "none"


@durable.workflow
async def promise_or_timer(ctx: Context, seconds: float) -> str:
    """Races a promise and a timer; the loser is left alone."""
    promise = asyncio.ensure_future(ctx.promise("late"))
    timer = asyncio.ensure_future(ctx.sleep(seconds))
    done, _ = await asyncio.wait({promise, timer}, return_when="FIRST_COMPLETED")
    return await ctx.run("which", effect, "timer" if timer in done else "promise")


@durable.workflow
async def sleeps(ctx: Context, milliseconds: list[int]) -> int:
    await asyncio.gather(*[ctx.sleep(it / 1000) for it in milliseconds])
    return len(milliseconds)


@durable.workflow
async def leaf(ctx: Context, number: int) -> int:
    return number


@durable.workflow
async def thousand(ctx: Context, count: int) -> int:
    async with asyncio.TaskGroup() as group:

        async def one(number: int) -> int:
            return await ctx.invoke(leaf, number)

        tasks = [group.create_task(one(number)) for number in range(count)]
    return sum(it.result() for it in tasks)


@durable.workflow
async def marked(ctx: Context, name: str) -> str:
    await ctx.sleep(0.02)
    return await ctx.run("mark", effect, name)


@durable.workflow
async def leaves_children(ctx: Context) -> str:
    """Returns without a look at what it has started."""
    ctx.invoke(marked, "invoked")
    ctx.send(marked, "sent")
    ctx.options(delay=0.02).send(marked, "sent later")
    return "gone"


@durable.workflow
async def leaves_a_task(ctx: Context) -> str:
    """Returns while a task of its own waits for a child."""

    async def wait() -> None:
        await ctx.invoke(forever)

    task = asyncio.create_task(wait())
    await ctx.sleep(0.02)
    assert not task.done()
    return "gone"


@durable.workflow
async def forever(ctx: Context) -> None:
    await ctx.sleep(3600)


@durable.workflow
async def same_twice(ctx: Context) -> list[Any]:
    """Awaits one future twice, and a completed one late."""
    step = ctx.run("step", effect, "once")
    child = ctx.invoke(leaf, 5)
    await ctx.sleep(0.01)
    return [await step, await step, await child, await asyncio.gather(child, child)]


@durable.workflow
async def flushed(ctx: Context, count: int) -> list[list[str]]:
    """What has happened when each of some steps begins: all steps before it, each once."""

    async def step(number: int) -> list[str]:
        before = list(calls)
        await effect(str(number))
        return before

    return [await ctx.run(f"step {number}", step, number) for number in range(count)]


WORKFLOWS = [
    *(in_order_of_arrival, resolver, first_success, promise_or_timer, sleeps, leaf, thousand),
    *(marked, leaves_children, leaves_a_task, forever, same_twice, flushed),
]


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_of_completion_is_what_the_program_sees(system: System, seed: int) -> None:
    order = random.Random(seed).sample(range(40), 40)
    invocation_id = await system.client.invoke_async(in_order_of_arrival, 40)
    await calls.reached(1)
    await system.client.invoke(resolver, other=invocation_id, order=order)
    assert (await system.client.get_result(invocation_id)).value() == order


async def test_any_order_from_many_sides_is_kept_by_replays(system: System) -> None:
    """Forty clients at once, and the worker dies in the middle of it."""
    invocation_id = await system.client.invoke_async(in_order_of_arrival, 40)
    await calls.reached(1)

    async def resolve(number: int) -> None:
        await system.client.resolve_awakeable(f"{invocation_id}.{number}", number)

    some = asyncio.gather(*[resolve(number) for number in range(20)])
    await resolve(39)
    await system.kill()
    await asyncio.gather(some, *[resolve(number) for number in range(20, 39)])
    await system.employ()
    result = await system.client.get_result(invocation_id, in_order_of_arrival)
    journal = (await system.client.get(invocation_id)).journal
    entries = [it for it in journal if it.kind == "AWAKEABLE"]
    entries.sort(key=lambda it: it.message.completion_number)
    assert result.value() == [int(it.name.rpartition(".")[2]) for it in entries]
    assert sorted(result.value()) == list(range(40))


async def test_the_first_success_among_failures(system: System) -> None:
    invocation_id = await system.client.invoke_async(first_success)
    await calls.reached(1)
    await system.client.reject_awakeable(f"{invocation_id}.2", "nor this one")
    await system.client.resolve_awakeable(f"{invocation_id}.1", "this one")
    assert (await system.client.get_result(invocation_id)).value() == "this one"


async def test_a_race_has_one_winner(system: System) -> None:
    assert await system.client.invoke(promise_or_timer, 0.01) == "timer"
    invocation_id = await system.client.invoke_async(promise_or_timer, 3600)
    await system.journaled(invocation_id, 2)
    await system.client.resolve_awakeable(f"{invocation_id}.late")
    assert (await system.client.get_result(invocation_id)).value() == "promise"
    assert calls == ["timer", "promise"]


async def test_a_thousand_sleeps(system: System) -> None:
    rng = random.Random(1)
    times: list[Sequence[int]] = [[rng.randint(1, 50) for _ in range(20)] for _ in range(50)]
    assert (
        await asyncio.gather(*[system.client.invoke(sleeps, list(it)) for it in times]) == [20] * 50
    )


async def test_a_thousand_children_of_one_parent(system: System) -> None:
    assert await system.client.invoke(thousand, 1000) == sum(range(1000))


async def test_what_was_started_and_not_awaited_is_done(system: System) -> None:
    assert await system.client.invoke(leaves_children) == "gone"
    await calls.reached(3)
    assert sorted(calls) == ["invoked", "sent", "sent later"]


async def test_a_child_outlives_the_task_that_awaited_it(system: System) -> None:
    """The end of a handler cancels nothing; a TaskGroup or a timeout does."""
    assert await system.client.invoke(leaves_a_task) == "gone"
    [child] = (await system.client.query(handler="forever")).invocations
    assert not child.finished
    await system.client.cancel(child.invocation_id)
    await system.until(child.invocation_id, "cancelled")


async def test_a_future_may_be_awaited_again(system: System) -> None:
    assert await system.client.invoke(same_twice) == ["once", "once", 5, [5, 5]]
    assert calls == ["once"]


async def test_each_step_is_done_before_the_next(system: System) -> None:
    seen = await system.client.invoke(flushed, 6)
    assert seen == [[str(it) for it in range(number)] for number in range(6)]
