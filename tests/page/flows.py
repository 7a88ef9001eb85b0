"""Workflows to look at and to steer."""

from __future__ import annotations

import asyncio
from typing import Any

import durable

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
"""A text that runs where somebody takes it for HTML."""


@durable.workflow
async def greet(ctx: durable.Context, name: str) -> str:
    return await ctx.run("greet", lambda: f"Hello, {name}!")


@durable.workflow
async def expense(ctx: durable.Context, amount: float) -> Any:
    """Asks a person."""
    await ctx.run("check", lambda: amount)
    ctx.set("stage", "asked")
    answer = await ctx.awakeable(f"approval-{ctx.invocation_id}")
    return await ctx.run("pay", lambda: {"paid": amount, "answer": answer})


@durable.workflow
async def trip(ctx: durable.Context) -> list[str]:
    return [await ctx.run(name, str, name) for name in ("flight", "hotel", "car")]


@durable.workflow
async def crossing(ctx: durable.Context) -> None:
    """A short step beside a long one, then one alone."""
    short_is_over = asyncio.Event()

    async def long() -> None:
        await short_is_over.wait()
        await asyncio.sleep(0.2)

    async def short() -> None:
        await asyncio.sleep(0.05)
        short_is_over.set()

    await asyncio.gather(ctx.run("long", long), ctx.run("short", short))
    await ctx.run("last", asyncio.sleep, 0.1)


@durable.workflow
async def parent(ctx: durable.Context, name: str) -> str:
    return await ctx.invoke(greet, name)


@durable.workflow
async def sleeper(ctx: durable.Context) -> None:
    await ctx.sleep(3600)


@durable.workflow
async def refuses(ctx: durable.Context, text: str) -> None:
    raise durable.TerminalError(text, code=409)


@durable.workflow
async def long(ctx: durable.Context, count: int) -> int:
    for number in range(count):
        ctx.set(f"n{number % 3}", number)
    return count


@durable.workflow
async def hostile(ctx: durable.Context, text: str) -> None:
    ctx.set(text, text)
    await ctx.run(text, lambda: text)
    await ctx.awakeable(text)


@durable.object("box")
class Box:
    @durable.handler
    async def put(self, ctx: durable.Context, thing: str) -> None:
        ctx.set(thing, thing)


WORKFLOWS: list[Any] = [
    *(greet, expense, trip, crossing, parent, sleeper, refuses, long, hostile, Box),
]
