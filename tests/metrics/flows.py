"""Workflows for the tests of metrics, traces and logs."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import durable
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc

AT_ONCE = durable.RetryPolicy(initial_interval=timedelta(milliseconds=1))
ran: Counter[str] = Counter()
"""How often each step of `journey` has run."""


@durable.workflow
async def child(ctx: durable.Context, name: str) -> str:
    return await ctx.run("shout", name.upper)


@durable.workflow(retry=AT_ONCE)
async def journey(ctx: durable.Context, name: str) -> str:
    """Steps that fail and are repeated, a call, a child, and waits at which it may be suspended."""

    def flaky() -> str:
        ran["flaky"] += 1
        if ran["flaky"] < 3:
            raise ValueError("not yet")
        return "flaky"

    async def late() -> str:
        ran["late"] += 1
        return "late"

    ctx.set("name", name)
    await ctx.run("flaky", flaky)
    stub = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    said = await stub.SayHello(hello_pb2.HelloRequest(name=name))
    shouted = await ctx.invoke(child, said.message)
    await ctx.awakeable(f"go-{ctx.invocation_id}")
    await ctx.run("late", late)
    return shouted


@durable.workflow(
    retry=durable.RetryPolicy(max_attempts=2, initial_interval=0, on_exhausted="fail")
)
async def doomed(ctx: durable.Context) -> None:
    raise ValueError("always")


@durable.workflow
async def talkative(ctx: durable.Context, name: str) -> str:
    """Logs between its entries, and fails once."""
    ctx.logger.info("begins with %s", name, extra={"order": 17})
    ctx.set("name", name)
    ctx.logger.info("has set it")

    def once() -> None:
        if ctx.attempt == 1:
            raise ValueError("the first time")

    await ctx.run("once", once)
    ctx.logger.warning("has run")
    return name


WORKFLOWS = (child, journey, doomed, talkative)
