"""The workflows of two teams, each with names of its own."""

import durable


@durable.workflow(name="orders.place")
async def place(ctx: durable.Context, item: str) -> str:
    """Places an order, and waits for its payment if it is for a car."""
    number = await ctx.run("reserve", lambda: f"order of {item}")
    if item == "car":
        await ctx.awakeable("payment", type=str)
    return number


@durable.workflow(name="payroll.run")
async def run_payroll(ctx: durable.Context) -> str:
    """Pays everybody."""
    return "paid"
