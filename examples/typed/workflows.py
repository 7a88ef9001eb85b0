"""A workflow with types that its caller sees: it takes a str and returns a str."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def typed_hello(ctx: durable.Context, name: str) -> str:
    """Greets someone, with the generated stub of the service."""
    hello_service = ctx.stub(HelloServiceStub)
    response = await hello_service.SayHello(HelloRequest(name=name))
    return response.message
