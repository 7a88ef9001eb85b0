"""Workflows for worker processes."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import durable

QUICKLY = durable.RetryPolicy(initial_interval=timedelta(milliseconds=20))


@durable.workflow(retry=QUICKLY)
async def all_of_time(ctx: durable.Context) -> list[float]:
    """Uses every primitive that depends on time; returns the times of the journal's clock."""
    times = [ctx.time()]
    await ctx.signal("go")
    await ctx.sleep(0.2)
    times.append(ctx.time())
    try:
        async with asyncio.timeout(0.1):
            await ctx.awakeable()
    except TimeoutError:
        times.append(ctx.time())
    await ctx.attach(await ctx.send_delayed(nothing, None, 0.1))

    def shaky() -> None:
        if ctx.attempt < 3:
            raise RuntimeError("not yet")

    await ctx.run("shaky", shaky)
    return [*times, ctx.time()]


@durable.workflow
async def nothing(ctx: durable.Context) -> None:
    """Does nothing."""


@durable.object("counter")
class Counter:
    """A number for each key."""

    @durable.handler
    async def add(self, ctx: durable.Context, number: int) -> int:
        """Adds to the number, with a step between the read and the write."""
        before = await ctx.get("n", int, 0)
        more = await ctx.run("think", lambda: number)
        ctx.set("n", before + more)
        return before + more


@durable.workflow
async def kills_its_worker(ctx: durable.Context, marker: str) -> str:
    """Kills the process that runs it first, fails once, then sleeps."""

    def crash() -> str:
        if not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    said = await ctx.run("crash", crash)
    if ctx.attempt == 2:
        raise RuntimeError("not yet")
    await ctx.sleep(0.2)
    return said
