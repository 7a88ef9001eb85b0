"""Workflows with common mistakes, and workflows that fail while an operator is on call."""

from __future__ import annotations

import time

import durable


@durable.workflow
async def flaky(ctx: durable.Context) -> str:
    raise ValueError("the bank is closed")


@durable.workflow
async def refused(ctx: durable.Context) -> str:
    raise durable.TerminalError("a bad day")


@durable.workflow
async def blocking(ctx: durable.Context) -> str:
    time.sleep(1.2)  # noqa: ASYNC251  # the mistake itself
    return "late"


@durable.workflow
async def unawaited(ctx: durable.Context) -> str:
    ctx.sleep(600)
    return "done"


@durable.workflow
async def returned(ctx: durable.Context) -> object:
    return ctx.run("step", lambda: 1)


@durable.workflow
async def thing(ctx: durable.Context) -> object:
    return object()


@durable.workflow
async def fat(ctx: durable.Context, steps: int) -> int:
    """Journals half a megabyte in each step, then waits for the morning."""
    for _ in range(steps):
        await ctx.run("blob", lambda: "x" * 500_000)
    await ctx.signal("morning")
    return steps
