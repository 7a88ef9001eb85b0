"""Workflows that the tests of HTTP run in a real worker."""

from __future__ import annotations

from typing import Any

import durable
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc


@durable.workflow
async def echo(ctx: durable.Context, value: Any = None) -> Any:
    """Returns its input after a step; the input "fail" makes it fail."""
    if value == "fail":
        raise durable.TerminalError("as you wish", code=422)
    return await ctx.run("step", lambda: value)


@durable.workflow
async def wait(ctx: durable.Context, awakeable_id: str = "") -> Any:
    """Writes state and waits for an awakeable."""
    ctx.set("cart", ["TICKET-001", "TICKET-002"])
    return await ctx.awakeable(awakeable_id or f"approval-{ctx.invocation_id}")


@durable.workflow
async def expense_approval(ctx: durable.Context, awakeable_id: str) -> Any:
    """Calls a service, keeps state, waits for a manager."""
    request = hello_pb2.HelloRequest(name="Expense from emp-123")
    await ctx.stub(hello_pb2_grpc.HelloServiceStub).SayHello(request)
    approval = ctx.awakeable(awakeable_id)
    ctx.set("cart", ["TICKET-001", "TICKET-002"])
    return await approval


@durable.workflow(retry=durable.RetryPolicy(initial_interval=0.02, multiplier=1000, jitter=0))
async def charges(ctx: durable.Context, how: str) -> None:
    """Runs a step that fails in the way that the argument names."""

    def charge() -> None:
        if how == "terminal":
            raise durable.TerminalError("no card")
        raise ConnectionError("the bank is closed")

    policy = None
    if how == "used up":
        policy = durable.RetryPolicy(initial_interval=0.01, max_attempts=3)
    elif how == "given up on":
        policy = durable.RetryPolicy(give_up_on=ConnectionError)
    await ctx.run("check", lambda: True)
    await (ctx.options(retry=policy) if policy else ctx).run("charge", charge)


@durable.object("counter")
class Counter:
    """One number by key."""

    @durable.handler
    async def add(self, ctx: durable.Context, more: Any = 1) -> int:
        """Adds one, whatever the argument."""
        total = await ctx.get("n", int, default=0) + 1
        ctx.set("n", total)
        return total
