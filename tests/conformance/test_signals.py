"""Signals: a wait that the program gives up consumes none; each signal arrives once and in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import durable
from durable import Context
from durable.testing import Wait, crash_everywhere

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

SOON = 0.01


async def _wait(ctx: Context) -> str:
    return await ctx.signal("msg", type=str)


async def a_timeout(ctx: Context) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            await ctx.signal("msg")


async def wait_for(ctx: Context) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ctx.signal("msg"), SOON)


async def nested_timeouts(ctx: Context) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3600), asyncio.timeout(SOON), asyncio.timeout(60):
            await _wait(ctx)


async def a_cancelled_future(ctx: Context) -> None:
    ctx.signal("msg").cancel()


async def a_cancelled_task(ctx: Context) -> None:
    task = asyncio.create_task(_wait(ctx))
    await ctx.sleep(SOON)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def a_cancelled_task_that_nobody_awaits(ctx: Context) -> None:
    task = asyncio.create_task(_wait(ctx))
    await ctx.sleep(SOON)
    task.cancel()


async def a_failed_task_group(ctx: Context) -> None:
    async def fails() -> None:
        await ctx.sleep(SOON)
        raise KeyError("no")

    with contextlib.suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(_wait(ctx))
            group.create_task(_wait(ctx))
            group.create_task(fails())


async def a_task_group_within_a_timeout(ctx: Context) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            group.create_task(_wait(ctx))
            group.create_task(_wait(ctx))


async def a_lost_race(ctx: Context) -> None:
    waits = {asyncio.ensure_future(ctx.signal("msg")), asyncio.ensure_future(ctx.sleep(SOON))}
    _, losers = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for loser in losers:
        loser.cancel()


async def a_lost_race_with_a_step(ctx: Context) -> None:
    first = asyncio.as_completed([_wait(ctx), ctx.run("step", effect, "step"), _wait(ctx)])
    assert await next(iter(first)) == "step"
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def a_cancelled_gather(ctx: Context) -> None:
    both = asyncio.gather(ctx.signal("msg"), ctx.signal("msg"))
    await ctx.sleep(SOON)
    both.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await both


async def many_in_a_row(ctx: Context) -> None:
    for _ in range(5):
        await a_timeout(ctx)


async def another_name(ctx: Context) -> None:
    """A signal of another name ends the race; the loser's name is the one that matters."""
    waits = {asyncio.ensure_future(ctx.signal("msg")), asyncio.ensure_future(ctx.signal("other"))}
    await ctx.run("step", effect, "step")
    await asyncio.wait(waits, timeout=SOON, return_when=asyncio.FIRST_COMPLETED)
    for it in waits:
        it.cancel()


WAYS: dict[str, Callable[[Context], Awaitable[None]]] = {
    it.__name__: it
    for it in (
        *(a_timeout, wait_for, nested_timeouts, a_cancelled_future, a_cancelled_task),
        *(a_cancelled_task_that_nobody_awaits, a_failed_task_group, a_lost_race),
        *(a_task_group_within_a_timeout, a_lost_race_with_a_step, a_cancelled_gather),
        *(many_in_a_row, another_name),
    )
}


@durable.workflow
async def gives_up(ctx: Context, how: str) -> list[str]:
    """Gives a wait up, and then takes two signals."""
    await WAYS[how](ctx)
    await ctx.run("given up", effect, "given up")
    return [await ctx.signal("msg", type=str) for _ in range(2)]


@durable.workflow
async def impatient(ctx: Context, count: int) -> list[int]:
    """Takes numbered signals with waits that are given up all the time."""
    received: list[int] = []
    while len(received) < count:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.002):
                received.append(await ctx.signal("n", type=int))
    return received


@durable.workflow
async def keeps_the_wait(ctx: Context) -> list[str]:
    """A shielded wait is not given up: it continues, and gets the next signal."""
    kept = ctx.signal("msg", type=str)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SOON):
            await asyncio.shield(kept)
    await ctx.run("given up", effect, "given up")
    return [await ctx.signal("msg", type=str), await kept]


@durable.workflow
async def last_orders(ctx: Context) -> str:
    """Cancelled while it waits, it takes what comes then for its clean-up."""
    try:
        return await ctx.signal("msg", type=str)
    except asyncio.CancelledError:
        await ctx.run("cancelled", effect, "cancelled")
        await ctx.run("last", effect, await ctx.signal("msg", type=str))
        raise


@durable.workflow
async def waits_for_nothing(ctx: Context) -> str:
    """Has given up the only thing that could wake it."""
    wait = ctx.signal("msg")
    wait.cancel()
    await asyncio.Event().wait()
    return "never"


@durable.object("mailbox")
class Mailbox:
    """Has its turn on a key while it waits."""

    @durable.handler
    async def take(self, ctx: Context) -> list[str]:
        await a_timeout(ctx)
        await ctx.run("given up", effect, "given up")
        return [await ctx.signal("msg", type=str)]


WORKFLOWS = [gives_up, impatient, keeps_the_wait, last_orders, waits_for_nothing, Mailbox]


@EVERYWHERE
@pytest.mark.parametrize("how", WAYS)
async def test_a_wait_that_is_given_up_takes_nothing(system: System, how: str) -> None:
    client = system.client
    invocation_id = await client.invoke_async(gives_up, how)
    while "given up" not in calls:
        await calls.reached(len(calls) + 1)
    await client.signal(invocation_id, "msg", "first")
    await client.signal(invocation_id, "msg", "second")
    assert (await client.get_result(invocation_id)).value() == ["first", "second"]


@EVERYWHERE
@pytest.mark.parametrize("how", WAYS)
async def test_what_came_before_is_not_lost_either(system: System, how: str) -> None:
    """Sent at once, they meet the waits that are given up: what those do not take comes next."""
    client = system.client
    invocation_id = await client.invoke_async(gives_up, how)
    with contextlib.suppress(durable.PreconditionError):  # it has ended: it takes two at least
        for number in range(1, 13):
            await client.signal(invocation_id, "msg", str(number))
    await client.get_result(invocation_id)
    journal = (await client.get(invocation_id)).journal
    given_up = {it.name for it in journal if it.kind == "CANCEL"}
    taken = [it for it in journal if it.kind == "SIGNAL" and f"#{it.step_number}" not in given_up]
    values = [it.to_dict()["value"] for it in taken if it.name == "msg"]
    assert values == [str(number) for number in range(1, len(values) + 1)]


@EVERYWHERE
async def test_waits_of_two_milliseconds_lose_none_of_many(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(impatient, 60)
    for number in range(60):
        await client.signal(invocation_id, "n", number)
    assert (await client.get_result(invocation_id)).value() == list(range(60))


@EVERYWHERE
async def test_a_worker_that_dies_between_loses_none(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(impatient, 30)
    for number in range(30):
        await client.signal(invocation_id, "n", number)
        if number % 10 == 5:
            await system.kill()
            await system.employ()
    assert (await client.get_result(invocation_id)).value() == list(range(30))


@EVERYWHERE
async def test_a_shielded_wait_goes_on(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(keeps_the_wait)
    await calls.reached(1)
    await client.signal(invocation_id, "msg", "first")
    await client.signal(invocation_id, "msg", "second")
    assert (await client.get_result(invocation_id)).value() == ["second", "first"]


@EVERYWHERE
async def test_a_cancelled_wait_leaves_the_signal_to_the_clean_up(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(last_orders)
    await system.journaled(invocation_id, 1)
    await client.cancel(invocation_id)
    assert await calls.reached(1) == "cancelled"
    await client.signal(invocation_id, "msg", "one for the road")
    assert await calls.reached(2) == "one for the road"
    assert (await client.get_result(invocation_id)).status == "cancelled"


@EVERYWHERE
async def test_an_object_gives_up_too(system: System) -> None:
    client = system.client
    invocation_id = await client.options(key="k").invoke_async(Mailbox.take)
    await calls.reached(1)
    await client.signal(invocation_id, "msg", "letter")
    assert (await client.get_result(invocation_id)).value() == ["letter"]


@EVERYWHERE
async def test_a_program_that_awaits_an_operation_it_gave_up_gets_an_error(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(waits_for_nothing)
    await system.until(invocation_id, "backing_off", "paused")
    failure = (await client.get(invocation_id)).failure
    assert failure is not None
    assert "nothing durable is open" in failure.message


@EVERYWHERE
async def test_the_journal_shows_what_was_given_up(system: System) -> None:
    client = system.client
    invocation_id = await client.invoke_async(gives_up, "a_timeout")
    await system.journaled(invocation_id, 4)  # the timer, the wait, its end, the step
    journal = (await client.get(invocation_id)).journal
    [wait] = [it for it in journal if it.kind == "SIGNAL"][:1]
    assert wait.outcome is not None
    assert wait.outcome.failure.type == "durable.GivenUp"
    await client.cancel(invocation_id, force=True)


async def _send(client: durable.AsyncClient, wait: Wait) -> None:
    if wait.kind == "signal":
        await client.signal(wait.invocation_id, wait.name, "sent")


@pytest.mark.parametrize("how", ["a_timeout", "a_lost_race", "a_failed_task_group"])
async def test_the_same_wherever_it_crashes(how: str) -> None:
    """The answer comes while it waits, and goes to that wait or to the one after it, never nowhere."""
    report: Any = await crash_everywhere(gives_up, how, before=calls.clear, drive=_send)
    assert report.result.value() == ["sent", "sent"]
