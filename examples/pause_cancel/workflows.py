"""A workflow that runs for several seconds, long enough to pause or cancel it."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub

STEPS = 6


@durable.workflow
async def slow_workflow(ctx: durable.Context, task: str) -> str:
    """Makes a call and waits, several times."""
    hello_service = ctx.stub(HelloServiceStub)
    for step in range(1, STEPS + 1):
        await hello_service.SayHello(HelloRequest(name=f"{task}, step {step}"))
        await ctx.sleep(0.5)
    return f"{task}: all {STEPS} steps are done"
