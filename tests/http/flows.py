"""Workflows that the tests of HTTP run in a real worker."""

from __future__ import annotations

from typing import Any

import durable


@durable.workflow
async def echo(ctx: durable.Context, value: Any = None) -> Any:
    """Returns its input after a step; fails for good when told so."""
    if value == "fail":
        raise durable.TerminalError("as you wish", code=422)
    return await ctx.run("step", lambda: value)


@durable.workflow
async def wait(ctx: durable.Context, awakeable_id: str = "") -> Any:
    """Writes state and waits for an awakeable."""
    ctx.set("cart", ["TICKET-001", "TICKET-002"])
    return await ctx.awakeable(awakeable_id or f"approval-{ctx.invocation_id}")


@durable.object("counter")
class Counter:
    """One number by key."""

    @durable.handler
    async def add(self, ctx: durable.Context, more: Any = 1) -> int:
        """Adds one, whatever is said."""
        total = await ctx.get("n", int, default=0) + 1
        ctx.set("n", total)
        return total
