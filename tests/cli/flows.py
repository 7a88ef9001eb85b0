"""Workflows for the tests of the command line."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import durable


@durable.workflow(versioning="pinned")
async def greet(ctx: durable.Context, name: str = "World") -> str:
    """Greets."""
    return await ctx.run("greeting", lambda: f"Hello, {name}!")


@durable.workflow
async def order(ctx: durable.Context, item: str, count: int = 1) -> dict[str, object]:
    await ctx.run("charge", lambda: 3 * count)
    await ctx.sleep(0.05)
    return {"item": item, "count": count}


@durable.workflow
async def changed(ctx: durable.Context) -> None:
    """Has a patch, and deprecates another one."""
    ctx.deprecate_patch("greeting")
    if ctx.patched("add-tax"):
        await ctx.run("tax", lambda: 1)
    await ctx.signal("go")


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


HOUR = timedelta(hours=1)


@durable.workflow(retry=durable.RetryPolicy(initial_interval=HOUR, max_interval=HOUR))
async def unsteady(ctx: durable.Context, path: str) -> str:
    """Works once a file is there; until then it is tried again every hour."""

    def read() -> str:
        if not Path(path).exists():
            raise ConnectionError("the bank is closed")
        return Path(path).read_text()

    ctx.set("tried", True)
    return await ctx.run("read", read)


@durable.workflow
async def quoted(ctx: durable.Context, item: str = "tea") -> str:
    """Asks for a price, for an approval, and pays; the result says what it was told."""
    asked = await ctx.run("log", lambda: f"asked for {item}")
    try:
        price = await ctx.run("price", lambda: {"amount": 7})
    except durable.StepFailedError as error:
        return f"{item}: {error}"
    luck = ctx.random.randrange(1_000_000)
    paid = await ctx.run("pay", lambda: f"{item} for {price['amount']} with {luck}")
    return f"{asked}, {paid}"


@durable.workflow
async def parent(ctx: durable.Context) -> str:
    return await ctx.invoke(greet, "child")


@durable.workflow
async def approval(ctx: durable.Context) -> object:
    ctx.set("asked", True)
    return await ctx.promise("approved")


@durable.workflow
async def patient(ctx: durable.Context) -> object:
    return [await ctx.signal("price"), await ctx.signal("price")]


@durable.workflow
async def reminder(ctx: durable.Context) -> object:
    """Sends itself a signal."""
    await ctx.send_signal(ctx.invocation_id, "note", "milk")
    return await ctx.signal("note")


@durable.workflow
async def careful(ctx: durable.Context) -> str:
    """Compensates when it is cancelled."""
    try:
        await ctx.sleep(600)
    except asyncio.CancelledError:
        await ctx.run("give back", lambda: "seats")
        raise
    return "never"


@durable.object("cart")
class Cart:
    """A cart that counts."""

    @durable.handler
    async def add(self, ctx: durable.Context, item: str) -> int:
        count = await ctx.get(item, int, 0) + 1
        ctx.set(item, count)
        return count


@durable.workflow
async def shopper(ctx: durable.Context, users: list[str]) -> list[int]:
    """Puts tea into the carts of all users."""
    return [await ctx.options(key=it).invoke(Cart.add, "tea") for it in users]
