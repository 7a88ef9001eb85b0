"""A workflow, and another one that invokes it as a child."""

import asyncio

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def greeting(ctx: durable.Context, name: str) -> str:
    """Greets someone."""
    response = await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name=name))
    return response.message


@durable.workflow
async def greet_many(ctx: durable.Context, names: list[str]) -> list[str]:
    """Greets everyone concurrently, each in a child invocation."""
    return await asyncio.gather(*(ctx.invoke(greeting, name) for name in names))
