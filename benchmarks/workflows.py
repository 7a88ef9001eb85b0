"""The two measured workflows: three steps that compute, and three calls of a real gRPC service."""

from __future__ import annotations

import durable
from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc


async def greet(kind: str, name: str) -> str:
    """Computes what one step journals."""
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
