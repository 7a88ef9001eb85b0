"""The workflow of the simplest examples: one durable call."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest, HelloResponse


@durable.workflow
async def hello_workflow(ctx: durable.Context, name: str = "World") -> str:
    """Greets someone."""
    request = HelloRequest(name=name)
    response = await ctx.durable_call("HelloService", "SayHello", request, HelloResponse)
    return response.message
