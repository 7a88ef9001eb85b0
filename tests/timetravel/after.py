"""Other versions of the workflow `order`, by what has changed in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import durable

Body = Callable[[durable.Context], Awaitable[Any]]


def order_with(body: Body) -> durable.Workflow[..., Any]:
    """Returns a workflow of the name `order` with another body."""

    @durable.workflow(name="order")
    async def order(ctx: durable.Context, item: str, count: int = 1) -> Any:
        return await body(ctx)

    return order


async def same(ctx: durable.Context) -> str:
    await ctx.run("charge", lambda: "not called")
    ctx.set("charged", "another")
    await ctx.sleep(3600)
    await ctx.run("pack", lambda: "changed, and nobody has come so far")
    return "other"


async def renamed(ctx: durable.Context) -> None:
    await ctx.run("bill", lambda: 1)


async def inserted(ctx: durable.Context) -> None:
    await ctx.run("charge", lambda: 1)
    await ctx.run("tax", lambda: 1)


async def swallowed(ctx: durable.Context) -> None:
    try:
        await ctx.run("bill", lambda: 1)
    except BaseException:  # noqa: BLE001  # as careless programs do
        await ctx.run("other", lambda: 1)


async def shortened(ctx: durable.Context) -> str:
    return await ctx.run("charge", lambda: "1")


async def waits_elsewhere(ctx: durable.Context) -> None:
    await asyncio.get_running_loop().create_future()


async def raises(ctx: durable.Context) -> None:
    charged = await ctx.run("charge", lambda: "1")
    raise LookupError(f"no price for {charged}")


async def raises_at_the_end(ctx: durable.Context) -> None:
    await ctx.run("charge", lambda: "1")
    ctx.set("charged", 1)
    sleep = ctx.sleep(3600)
    del sleep
    raise LookupError("no price")


async def retyped(ctx: durable.Context) -> None:
    def charge() -> int:
        return 1

    await ctx.run("charge", charge)
    await same(ctx)


async def in_a_group(ctx: durable.Context) -> None:
    async def one(name: str) -> None:
        await ctx.run(name, lambda: 1)

    async with asyncio.TaskGroup() as group:
        group.create_task(one("charge"))
        group.create_task(one("tax"))


async def spins(ctx: durable.Context) -> None:
    while True:
        pass


async def spins_and_catches(ctx: durable.Context) -> None:
    for _ in range(2):
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001  # as careless programs do
            continue
    while True:
        pass


async def blocks(ctx: durable.Context) -> None:
    time.sleep(30)  # noqa: ASYNC251  # as careless programs do


async def exits(ctx: durable.Context) -> None:
    raise SystemExit(3)
