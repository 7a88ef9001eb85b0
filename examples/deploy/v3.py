"""Build v3: a parcel is packed, waits until it is collected, and leaves. It is not pinned."""

import durable
from examples.deploy.effects import write


@durable.workflow
async def parcel(ctx: durable.Context, number: int) -> str:
    """Sends a parcel when it is collected."""
    await ctx.run("pack", write, f"packed {number}")
    await ctx.sleep(0.2)
    await ctx.signal("collected")
    await ctx.run("leave", write, f"left {number}")
    return "without insurance"
