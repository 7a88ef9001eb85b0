"""The measured workflows: three steps, three calls of a gRPC service, a call of a virtual object, a
sleep, one short step."""

from __future__ import annotations

from datetime import datetime, timedelta

import durable
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc


async def greet(kind: str, name: str) -> str:
    """Computes the result of one step."""
    return f"Hello, {kind}:{name}! Welcome"


@durable.workflow
async def three(ctx: durable.Context, name: str) -> str:
    """Three journaled steps."""
    said = [await ctx.run(kind, greet, kind, name) for kind in ("User", "Async", "Confirm")]
    return f"Completed: {', '.join(said)}"


@durable.workflow
async def grpc3(ctx: durable.Context, name: str) -> str:
    """Three journaled calls of HelloService."""
    service = ctx.stub(hello_pb2_grpc.HelloServiceStub)
    said = []
    for kind in ("User", "Async", "Confirm"):
        response = await service.SayHello(hello_pb2.HelloRequest(name=f"{kind}:{name}"))
        said.append(response.message)
    return f"Completed: {', '.join(said)}"


@durable.object("greeter")
class Greeter:
    """An object whose keys are in all partitions."""

    @durable.handler
    async def greet(self, ctx: durable.Context, name: str) -> str:
        """One journaled step."""
        return await ctx.run("greet", greet, "User", name)


@durable.workflow
async def keyed(ctx: durable.Context, name: str) -> str:
    """Calls a virtual object under a key of its own."""
    return f"Completed: {await ctx.options(key=name).invoke(Greeter.greet, name)}"


@durable.workflow
async def nap(ctx: durable.Context, until: datetime) -> float:
    """Sleeps until a time; returns how many seconds too late it woke."""
    await ctx.sleep(max(timedelta(0), until - ctx.now()))
    return (ctx.now() - until).total_seconds()


@durable.workflow(retention=timedelta(seconds=5))
async def brief(ctx: durable.Context, value: str) -> str:
    """One journaled step, with a short retention."""
    return await ctx.run("step", str.upper, value)
