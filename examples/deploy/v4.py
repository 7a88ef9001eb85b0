"""Build v4: parcels are insured, except those that v3 has begun."""

import durable
from examples.deploy.effects import write


@durable.workflow
async def parcel(ctx: durable.Context, number: int) -> str:
    """Sends a parcel when it is collected."""
    await ctx.run("pack", write, f"packed {number}")
    insured = ctx.patched("insure")
    if insured:
        await ctx.run("insure", write, f"insured {number}")
    await ctx.sleep(0.2)
    await ctx.signal("collected")
    await ctx.run("leave", write, f"left {number}")
    return "insured" if insured else "without insurance"
