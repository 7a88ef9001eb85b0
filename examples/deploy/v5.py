"""Build v5: all parcels are insured, because no parcel of v3 is left."""

import durable
from examples.deploy.effects import write


@durable.workflow
async def parcel(ctx: durable.Context, number: int) -> str:
    """Sends a parcel when it is collected."""
    await ctx.run("pack", write, f"packed {number}")
    ctx.deprecate_patch("insure")
    await ctx.run("insure", write, f"insured {number}")
    await ctx.sleep(0.2)
    await ctx.signal("collected")
    await ctx.run("leave", write, f"left {number}")
    return "insured"
