"""Workflows that the command line's tests run in a real worker."""

from __future__ import annotations

import asyncio

import durable


@durable.workflow
async def greet(ctx: durable.Context, name: str = "World") -> str:
    """Greets."""
    return await ctx.run("greeting", lambda: f"Hello, {name}!")


@durable.workflow
async def order(ctx: durable.Context, item: str, count: int = 1) -> dict[str, object]:
    await ctx.run("charge", lambda: 3 * count)
    await ctx.sleep(0.05)
    return {"item": item, "count": count}


@durable.workflow
async def nap(ctx: durable.Context, seconds: float = 600) -> str:
    await ctx.run("before", lambda: "lie down")
    await ctx.sleep(seconds)
    return "awake"


@durable.workflow
async def slow(ctx: durable.Context, seconds: float) -> str:
    async def work() -> None:
        await asyncio.sleep(seconds)

    await ctx.run("work", work)
    await ctx.sleep(600)
    return "done"


@durable.workflow
async def broken(ctx: durable.Context, message: str = "no stock") -> None:
    def step() -> None:
        raise durable.TerminalError(message, code=409, metadata={"item": "tea"})

    await ctx.run("reserve", step)
