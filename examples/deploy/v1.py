"""Build v1: an order is reserved, waits for its payment, and is shipped."""

import durable
from examples.deploy.effects import write


@durable.workflow(versioning="pinned")
async def order(ctx: durable.Context, number: int) -> str:
    """Ships an order when it is paid for."""
    await ctx.run("reserve", write, f"reserved {number}")
    await ctx.sleep(0.2)
    await ctx.signal("paid")
    await ctx.run("ship", write, f"shipped {number}")
    return "v1"
