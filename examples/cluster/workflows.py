"""A workflow with two side effects, each of which leaves a line in a file."""

import os

import durable


@durable.workflow
async def cluster_order(ctx: durable.Context, number: int) -> str:
    """Charges and ships one order."""
    await ctx.run("charge", write, f"charged {number}")
    await ctx.run("ship", write, f"shipped {number}")
    return f"order {number} is on its way"


def write(line: str) -> None:
    """Stands for a side effect; the file shows how often it happened."""
    with open(os.environ["EFFECTS_FILE"], "a") as file:
        file.write(f"{line}\n")
