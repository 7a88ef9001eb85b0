"""A workflow of three durable calls, invoked many times concurrently."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def async_workflow(ctx: durable.Context, user_id: str) -> str:
    """Greets, notifies, confirms."""
    hello_service = ctx.stub(HelloServiceStub)
    first = await hello_service.SayHello(HelloRequest(name=f"User:{user_id}"))
    second = await hello_service.SayHello(HelloRequest(name=f"Async:{user_id}"))
    third = await hello_service.SayHello(HelloRequest(name=f"Confirm:{user_id}"))
    return (
        f"AsyncWorkflow[{user_id}] completed:\n"
        f"  Step1: {first.message}\n  Step2: {second.message}\n  Step3: {third.message}"
    )
