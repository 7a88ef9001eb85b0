"""Workflow shapes for the engine tests: each uses asyncio in one of the ways in which people do."""

from __future__ import annotations

import asyncio
import contextlib
from contextvars import ContextVar

import durable

PROGRAMS: list[durable.Workflow[[], object]] = []


def shape(function: object) -> durable.Workflow[[], object]:
    made: durable.Workflow[[], object] = durable.workflow(function)  # type: ignore[arg-type]  # any result
    PROGRAMS.append(made)
    return made


def word(text: str) -> str:
    return text.upper()


async def later(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


@shape
async def sequence(ctx: durable.Context) -> list[str]:
    return [await ctx.run(name, word, name) for name in "abc"]


@shape
async def gathered(ctx: durable.Context) -> list[str]:
    return await asyncio.gather(*(ctx.run(name, later, name) for name in "abcd"))


@shape
async def nested(ctx: durable.Context) -> list[list[str]]:
    async def pair(name: str) -> list[str]:
        first = await ctx.run(f"{name}1", word, name)
        await asyncio.sleep(0.5)
        return [first, await ctx.run(f"{name}2", later, name)]

    return await asyncio.gather(*(pair(name) for name in "xyz"))


@shape
async def group(ctx: durable.Context) -> list[str]:
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(_run(ctx, name)) for name in "abc"]
        tasks.create_task(asyncio.sleep(1))
    return [task.result() for task in made]


async def _run(ctx: durable.Context, name: str) -> str:
    return await ctx.run(name, word, name)


@shape
async def failing_group(ctx: durable.Context) -> list[str]:
    seen = []

    async def slow(name: str) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            seen.append(name)

    async def bad() -> None:
        await ctx.run("bad", _refuse)

    try:
        async with asyncio.TaskGroup() as tasks:
            for name in "pqr":
                tasks.create_task(slow(name))
            tasks.create_task(bad())
    except* durable.StepFailedError as errors:
        seen.append(str(len(errors.exceptions)))
    return seen


def _refuse() -> None:
    raise durable.TerminalError("never", code=404)


@shape
async def first_of(ctx: durable.Context) -> list[str]:
    waiting = {asyncio.create_task(_run(ctx, name)) for name in "abcde"}
    order = []
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            order.append(task.result())
            order.append(await ctx.run(f"after-{task.result()}", word, task.result()))
    return order


@shape
async def completed_in_order(ctx: durable.Context) -> list[str]:
    order = []
    for next_one in asyncio.as_completed([_run(ctx, name) for name in "abcdef"]):
        order.append(await next_one)
        await ctx.run(f"note-{len(order)}", word, order[-1])
    return order


@shape
async def raced(ctx: durable.Context) -> str:
    step = ctx.run("step", word, "step")
    timer = asyncio.ensure_future(ctx.sleep(0.001))
    done, _ = await asyncio.wait({step, timer}, return_when=asyncio.FIRST_COMPLETED)
    winner = "step" if step in done else "timer"
    return await ctx.run(f"{winner} won", word, winner)


@shape
async def timed_out(ctx: durable.Context) -> list[str]:
    seen = []
    for limit in (0.001, 1000.0):
        try:
            async with asyncio.timeout(limit):
                seen.append(await ctx.run(f"within-{limit}", word, "in time"))
        except TimeoutError:
            seen.append("too late")
    try:
        await asyncio.wait_for(asyncio.sleep(50), 1)
    except TimeoutError:
        seen.append("slept")
    try:
        seen.append(await asyncio.wait_for(_run(ctx, "last"), 10_000))
    except TimeoutError:
        seen.append("the last was late")
    return seen


@shape
async def queued(ctx: durable.Context) -> list[str]:
    queue: asyncio.Queue[str | None] = asyncio.Queue(2)
    lock, done = asyncio.Lock(), []

    async def produce() -> None:
        for name in "abcd":
            await queue.put(await ctx.run(f"make-{name}", word, name))
        await queue.put(None)

    async def consume() -> None:
        while (item := await queue.get()) is not None:
            async with lock:
                done.append(await ctx.run(f"use-{item}", later, item))

    await asyncio.gather(produce(), consume())
    return done


_variable: ContextVar[str] = ContextVar("variable")


@shape
async def with_variables(ctx: durable.Context) -> list[str]:
    async def inner(name: str) -> str:
        _variable.set(name)
        await ctx.run(name, word, name)
        return f"{_variable.get()} {durable.current_context().invocation_id[:2]}"

    return list(await asyncio.gather(*(inner(name) for name in "ab")))


@shape
async def generated(ctx: durable.Context) -> list[str]:
    async def words():
        for name in "abc":
            yield await ctx.run(name, word, name)

    async with contextlib.aclosing(words()) as made:
        return [it async for it in made]


@shape
async def by_chance_and_time(ctx: durable.Context) -> list[object]:
    seen: list[object] = [ctx.random.random(), str(ctx.uuid4()), ctx.now().isoformat()]
    for name in "ab":
        await ctx.run(f"{name}{ctx.random.randint(0, 9)}", word, name)
        seen.append(ctx.time())
    return seen


@shape
async def compensated(ctx: durable.Context) -> list[str]:
    undo = []
    try:
        undo.append(await ctx.run("do-a", word, "a"))
        undo.append(await ctx.run("do-b", word, "b"))
        await ctx.run("bad", _refuse)
    except durable.TerminalError as error:
        undo.reverse()
        return [await ctx.run(f"undo-{name}", word, f"{name}{error.code}") for name in undo]
    return []
