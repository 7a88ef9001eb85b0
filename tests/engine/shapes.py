"""Workflows of every shape that asyncio offers, for the engine's tests.

Those in STEADY have an outcome that does not depend on the order in which things happen; those in
RACING do, and their outcome must follow from their journal.
"""

from __future__ import annotations

import asyncio
from typing import Any

import durable
from durable import Context


async def double(number: int) -> int:
    """An async step."""
    return number * 2


def shout(text: str) -> str:
    """A sync step."""
    return text.upper()


@durable.workflow
async def sequence(ctx: Context) -> list[int]:
    return [await ctx.run(f"step{number}", double, number) for number in range(4)]


@durable.workflow
async def gathered(ctx: Context) -> list[Any]:
    return await asyncio.gather(
        *[ctx.run(f"a{number}", double, number) for number in range(4)], ctx.run("b", shout, "x")
    )


@durable.workflow
async def grouped(ctx: Context) -> list[int]:
    async def worker(number: int) -> int:
        first = await ctx.run(f"first{number}", double, number)
        return await ctx.run(f"second{number}", double, first)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker(number)) for number in range(3)]
    return [task.result() for task in tasks]


@durable.workflow
async def group_aborts(ctx: Context) -> list[str]:
    """One task fails for good; its siblings are cancelled and clean up durably."""
    seen: list[str] = []

    async def fails() -> None:
        await ctx.run("before", double, 1)
        raise ValueError("child")

    async def waits(name: str) -> None:
        try:
            await ctx.sleep(1000)
        except asyncio.CancelledError:
            seen.append(await ctx.run(f"tidy-{name}", shout, name))
            raise

    try:
        async with asyncio.TaskGroup() as group:
            for name in ("p", "q", "r"):
                group.create_task(waits(name))
            group.create_task(fails())
    except* ValueError as errors:
        seen += [str(error) for error in errors.exceptions]
    return sorted(seen)


@durable.workflow
async def completed_in_turn(ctx: Context) -> list[int]:
    async def branch(number: int) -> int:
        await ctx.run(f"open{number}", double, number)
        return await ctx.run(f"close{number}", double, number)

    found = [await it for it in asyncio.as_completed([branch(number) for number in range(4)])]
    return sorted(found)


@durable.workflow
async def timeout_in_time(ctx: Context) -> str:
    async with asyncio.timeout(1_000_000):
        return await ctx.run("quick", shout, "ok")


@durable.workflow
async def timeout_fires(ctx: Context) -> str:
    began = ctx.now()
    try:
        async with asyncio.timeout(30):
            await asyncio.Event().wait()
    except TimeoutError:
        assert (ctx.now() - began).total_seconds() >= 30
        return await ctx.run("after", shout, "late")
    return "never"


@durable.workflow
async def waited_for(ctx: Context) -> str:
    try:
        await asyncio.wait_for(ctx.sleep(1_000_000), timeout=2)
    except TimeoutError:
        return await asyncio.wait_for(ctx.run("x", shout, "x"), timeout=1_000_000)
    return "never"


@durable.workflow
async def sleeps(ctx: Context) -> float:
    began = ctx.time()
    await asyncio.sleep(5)
    await ctx.sleep(2.5)
    await asyncio.gather(asyncio.sleep(1), ctx.sleep(1))
    assert ctx.time() - began >= 8.5
    return await ctx.run("end", float, "8.5")


@durable.workflow
async def nested(ctx: Context) -> int:
    async def level(depth: int) -> int:
        if depth == 0:
            return await ctx.run("leaf", double, 1)
        tasks = [asyncio.create_task(level(depth - 1)) for _ in range(2)]
        return sum([await task for task in tasks])

    return await level(3)


@durable.workflow
async def queued(ctx: Context) -> int:
    """Tasks that communicate through asyncio's own primitives."""
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    gate = asyncio.Semaphore(2)

    async def produce() -> None:
        for number in range(5):
            await queue.put(await ctx.run(f"make{number}", double, number))

    async def consume() -> int:
        total = 0
        for number in range(5):
            async with gate:
                total += await ctx.run(f"use{number}", double, await queue.get())
        return total

    _, total = await asyncio.gather(produce(), consume())
    return total


@durable.workflow
async def step_fails(ctx: Context) -> str:
    def refuse() -> None:
        raise durable.TerminalError("no", code=409, metadata={"a": "b"})

    try:
        await ctx.run("refuse", refuse)
    except durable.StepFailedError as error:
        return await ctx.run("then", shout, f"{error.code}{error.metadata['a']}")
    return "never"


@durable.workflow
async def chance(ctx: Context) -> list[Any]:
    drawn = [ctx.random.random(), str(ctx.uuid4())]
    await ctx.run("x", double, 1)
    return [*drawn, ctx.random.randrange(1000), str(ctx.uuid4())]


@durable.workflow
async def first_wins(ctx: Context) -> list[Any]:
    tasks = [ctx.run(f"r{number}", double, number) for number in range(3)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    winners = [task.result() for task in done]
    rest = [await task for task in pending]
    return [winners, rest, await ctx.run(f"won{winners}", double, winners[0])]


@durable.workflow
async def turns(ctx: Context) -> list[int]:
    async def branch(number: int) -> int:
        await ctx.run(f"open{number}", double, number)
        return number

    order: list[int] = []
    for it in asyncio.as_completed([branch(number) for number in range(4)]):
        order.append(await it)
        await ctx.run(f"after{order}", double, 0)
    return order


@durable.workflow
async def step_or_timer(ctx: Context) -> str:
    step: asyncio.Future[Any] = ctx.run("step", shout, "step")
    timer: asyncio.Future[Any] = ctx.sleep(0.1)
    done, pending = await asyncio.wait({timer, step}, return_when=asyncio.FIRST_COMPLETED)
    for it in pending:
        it.cancel()
    won = "step" if step in done else "timer"
    return await ctx.run(f"{won} won", shout, won)


@durable.workflow
async def sets_of_tasks(ctx: Context) -> list[str]:
    """Iterates over sets of tasks, whose order must be the same each time."""

    async def branch(number: int) -> str:
        await ctx.run(f"o{number}", double, number)
        return str(number)

    pending = {asyncio.create_task(branch(number)) for number in range(9)}
    order: list[str] = []
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        order += [await ctx.run(f"got{it.result()}", shout, it.result()) for it in done]
        for number, task in enumerate(pending):
            await ctx.run(f"look{number}-{task.get_name()}", double, number)
            break
    return order


@durable.workflow
async def deadlines(ctx: Context) -> list[str]:
    async def branch(number: int) -> str:
        try:
            async with asyncio.timeout(number * 0.4):
                await ctx.run(f"t{number}", double, number)
                return await ctx.run(f"u{number}", shout, "done")
        except TimeoutError:
            return await ctx.run(f"late{number}", shout, "late")

    return await asyncio.gather(*[branch(number) for number in range(1, 5)])


@durable.workflow
async def stateful(ctx: Context) -> list[Any]:
    """State in a sequence, with a step between."""
    ctx.set("n", 1)
    first = await ctx.get("n", int)
    doubled = await ctx.run("double", double, first or 0)
    ctx.set("n", doubled)
    ctx.set("m", "x")
    keys = await ctx.state_keys()
    ctx.clear("m")
    gone = await ctx.get("m", str, "none")
    await ctx.run("again", double, 1)
    last = await ctx.get("n", int)
    ctx.clear_all()
    return [first, doubled, keys, gone, last, await ctx.state_keys()]


@durable.workflow
async def stateful_tasks(ctx: Context) -> int:
    """Tasks that read and write the same name, with steps between."""

    async def add(number: int) -> None:
        more = await ctx.run(f"more{number}", double, number)
        ctx.set("sum", await ctx.get("sum", int, 0) + more)

    await asyncio.gather(*[add(number) for number in range(5)])
    return await ctx.get("sum", int, 0)


@durable.workflow
async def outside(ctx: Context) -> list[Any]:
    """Promises, signals, children and sends."""
    approval, paid = ctx.awakeable("approval-1"), ctx.promise("is-payed")
    child = ctx.invoke("echo", [1, 2])
    sent = ctx.send("echo", 3)
    first, second = await asyncio.gather(ctx.signal("signal-1"), ctx.signal("signal-2"))
    await ctx.run("between", double, 1)
    await ctx.resolve_awakeable("other")
    return [await approval, await paid, await child, await sent, first, second]


@durable.workflow
async def child_fails(ctx: Context) -> str:
    try:
        await ctx.invoke("fails", 1)
    except durable.ChildFailedError as error:
        return await ctx.run("tidy", shout, error.type)
    return "no failure"


@durable.workflow
async def child_given_up(ctx: Context) -> str:
    """A child that takes too long is cancelled."""
    child = ctx.invoke("slow", 1)
    await ctx.sleep(0.1)
    child.cancel()
    try:
        await child
    except asyncio.CancelledError:
        return await ctx.run("tidy", shout, "given up")
    return "in time"


@durable.workflow
async def promise_or_timer(ctx: Context) -> str:
    """A race between something outside and time."""
    try:
        async with asyncio.timeout(0.3):
            return await ctx.awakeable("approval")
    except TimeoutError:
        return await ctx.run("late", shout, "late")


@durable.workflow
async def children_race(ctx: Context) -> list[Any]:
    """The first of three children wins; the others are cancelled."""
    tasks = [asyncio.ensure_future(ctx.invoke(f"echo{number}", number)) for number in range(3)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [await ctx.run("won", double, it.result()) for it in done]


STEADY = {
    sequence: [0, 2, 4, 6],
    gathered: [0, 2, 4, 6, "X"],
    grouped: [0, 4, 8],
    group_aborts: ["P", "Q", "R", "child"],
    completed_in_turn: [0, 2, 4, 6],
    timeout_in_time: "OK",
    timeout_fires: "LATE",
    waited_for: "X",
    sleeps: 8.5,
    nested: 16,
    queued: 40,
    step_fails: "409B",
    stateful: [1, 2, ["m", "n"], "none", 2, []],
    stateful_tasks: 20,
    outside: ["proval-1", "is-payed", [1, 2], "sent-3", "signal-1", "signal-2"],
    child_fails: "VALUEERROR",
}

RACING = (
    *(chance, first_wins, turns, step_or_timer, sets_of_tasks, deadlines),
    *(promise_or_timer, children_race, child_given_up),
)
