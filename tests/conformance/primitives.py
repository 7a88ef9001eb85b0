"""Workflows that use every primitive. Each has one right outcome."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import durable
from durable import Context

from .effects import effect


@durable.workflow
async def stateful(ctx: Context, start: int) -> list[Any]:
    ctx.set("n", start)
    more = await ctx.run("more", lambda: 2)
    ctx.set("n", await ctx.get("n", int, 0) + more)
    ctx.set("m", "x")
    keys = await ctx.state_keys()
    ctx.clear("m")
    await ctx.sleep(0.02)
    return [await ctx.get("n", int), keys, await ctx.get("m", str, "none")]


@durable.workflow
async def approved(ctx: Context) -> Any:
    promise = ctx.awakeable(f"approval-{ctx.invocation_id[:8]}")
    await ctx.run("ask", effect, promise.id)
    answer = await promise
    return await ctx.run("act", effect, f"got {answer}")


@durable.workflow
async def named(ctx: Context) -> list[Any]:
    return [await ctx.promise("paid"), await ctx.signal("item"), await ctx.signal("item")]


@durable.workflow
async def in_time(ctx: Context) -> str:
    try:
        async with asyncio.timeout(0.2):
            return str(await ctx.awakeable())
    except TimeoutError:
        return await ctx.run("late", effect, "late")


@durable.workflow
async def square(ctx: Context, number: int) -> int:
    return await ctx.run("square", lambda: number * number)


@durable.workflow
async def fan_out(ctx: Context, count: int) -> int:
    return sum(await asyncio.gather(*[ctx.invoke(square, number) for number in range(count)]))


@durable.workflow
async def fails(ctx: Context) -> None:
    raise durable.TerminalError("not possible", code=409)


@durable.workflow
async def asks_what_fails(ctx: Context) -> str:
    try:
        await ctx.invoke(fails)
    except durable.ChildFailedError as error:
        return f"{error.code} {error.message}"
    return "no failure"


@durable.workflow
async def forever(ctx: Context) -> None:
    await ctx.run("begin", effect, f"begun {ctx.handler}")
    try:
        await ctx.sleep(3600)
    finally:
        await ctx.run("tidy", effect, f"tidied {ctx.handler}")


@durable.workflow
async def parent(ctx: Context) -> None:
    await ctx.invoke(forever)


@durable.workflow
async def impatient(ctx: Context) -> str:
    try:
        async with asyncio.timeout(0.1):
            await ctx.invoke(forever)
    except TimeoutError:
        return "gave up"
    return "no"


@durable.workflow
async def saga(ctx: Context, order: str) -> str:
    """Compensations run in reverse, on a terminal failure and on a cancellation."""
    undo: list[str] = []
    try:
        undo.append(await ctx.run("book a flight", effect, f"flight {order}"))
        undo.append(await ctx.run("book a hotel", effect, f"hotel {order}"))
        await ctx.sleep(3600 if order == "slow" else 0.01)
        raise durable.TerminalError("no car")
    except (durable.TerminalError, asyncio.CancelledError):
        for part in reversed(undo):
            await ctx.run("undo", effect, f"undo {part}")
        raise


@durable.workflow
async def sends(ctx: Context, key: str) -> list[str]:
    first = await ctx.options(key=key).send(Counter.add, 1)
    second = await ctx.options(key=key).send_delayed(Counter.add, 10, 0.05)
    return [first, second]


@durable.workflow(timeout=timedelta(milliseconds=200))
async def timed(ctx: Context) -> None:
    await ctx.sleep(3600)


@durable.workflow
async def stubborn(ctx: Context) -> str:
    """A step with a policy of its own, that is used up and handled."""
    policy = durable.RetryPolicy(
        initial_interval=timedelta(milliseconds=1), max_attempts=3, give_up_on=(KeyError,)
    )

    async def step() -> None:
        await effect("tried")
        raise ValueError("no")

    try:
        await ctx.options(retry=policy).run("step", step)
    except durable.StepFailedError as error:
        return f"{error.type}: {error.message}"
    return "worked"


@durable.workflow
async def patient_for_a_while(ctx: Context) -> str:
    """A step that is tried for some time, and then handled."""
    policy = durable.RetryPolicy(
        initial_interval=timedelta(milliseconds=1),
        max_attempts=None,
        max_duration=timedelta(milliseconds=50),
    )

    async def step() -> None:
        await effect("tried for a while")
        raise ValueError("still not")

    try:
        await ctx.options(retry=policy).run("step", step)
    except durable.StepFailedError as error:
        return f"{error.type}: {error.message}"
    return "worked"


@durable.workflow
async def slow_step(ctx: Context) -> str:
    async def step() -> None:
        await asyncio.sleep(60)

    try:
        policy = durable.RetryPolicy(max_attempts=1)
        await ctx.options(timeout=0.05, retry=policy).run("step", step)
    except durable.StepFailedError as error:
        return error.type
    return "worked"


@durable.workflow
async def mediator(ctx: Context, other: str) -> None:
    await ctx.send_signal(other, "item", "a")
    await ctx.send_signal(other, "item", "b")
    await ctx.resolve_awakeable(f"{other}.paid", 7)


@durable.object("counter")
class Counter:
    """A number for each key."""

    @durable.handler
    async def add(self, ctx: Context, number: int) -> int:
        """Adds to the number; a step between read and write gives others time to spoil it."""
        before = await ctx.get("n", int, 0)
        await ctx.run("think", effect, f"add {number}")
        ctx.set("n", before + number)
        return before + number

    @durable.shared
    async def value(self, ctx: Context) -> int:
        return await ctx.get("n", int, 0)


@durable.object("doubled")
class Doubled(Counter):
    """A counter of its own name, with one handler more."""

    @durable.handler
    async def double(self, ctx: Context) -> int:
        number = 2 * await ctx.get("n", int, 0)
        ctx.set("n", number)
        return number


WORKFLOWS = [
    *(stateful, approved, named, in_time, square, fan_out, fails, asks_what_fails, forever),
    *(parent, impatient, saga, sends, timed, stubborn, slow_step, mediator, Counter),
    *(patient_for_a_while, Doubled),
]
