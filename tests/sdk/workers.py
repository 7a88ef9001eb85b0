"""Workers under test, the workflows that they run, and a step that waits for the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import durable

ID = "0" * 31 + "1"
OTHER = "0" * 31 + "2"


@durable.workflow
async def three_steps(ctx: durable.Context, name: str) -> str:
    first = await ctx.run("first", lambda: f"{name}1")

    async def second() -> str:
        return first + "2"

    joined = await ctx.run("second", second)
    return await ctx.run("third", lambda: joined + "3")


@durable.workflow
async def waits(ctx: durable.Context) -> str:
    await ctx.sleep(3600)
    return "slept"


class Gate:
    """A step that reports when it runs, and ends when the test releases it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.left = asyncio.Event()
        self.runs = 0

    async def pass_through(self) -> str:
        self.runs += 1
        self.begun.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        finally:
            self.left.set()
        return "passed"

    def workflow(self) -> Any:
        gate = self

        @durable.workflow
        async def gated(ctx: durable.Context) -> str:
            before = await ctx.run("before", lambda: "before")
            return before + "," + await ctx.run("gate", gate.pass_through)

        return gated


@asynccontextmanager
async def running(address: str, *workflows: Any, **options: Any) -> AsyncIterator[durable.Worker]:
    """Runs a worker for as long as the block lasts."""
    worker = durable.Worker(address, workflows=workflows or [three_steps, waits], **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
