"""The workflows as they were when the invocations of the tests began."""

from __future__ import annotations

import durable


@durable.workflow
async def order(ctx: durable.Context, item: str, count: int = 1) -> str:
    charged = await ctx.run("charge", lambda: f"{count} {item}")
    ctx.set("charged", charged)
    await ctx.sleep(3600)
    await ctx.run("ship", lambda: "shipped")
    return charged


@durable.workflow
async def approval(ctx: durable.Context, amount: dict[str, object]) -> object:
    await ctx.run("ask", lambda: {"to": amount})
    return await ctx.promise("approved")


@durable.object("cart")
class Cart:
    """A cart that counts."""

    @durable.handler
    async def add(self, ctx: durable.Context, item: str) -> int:
        count = await ctx.get("count", int, 0) + 1
        ctx.set("count", count)
        await ctx.signal("go")
        return count


@durable.workflow(retry=durable.RetryPolicy(initial_interval=3600.0, max_interval=3600.0))
async def unlucky(ctx: durable.Context) -> None:
    await ctx.run("try", lambda: 1)
    raise ValueError("the moon is wrong")
