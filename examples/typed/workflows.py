"""A workflow whose types reach the caller: a str goes in, a str comes out."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def typed_hello(ctx: durable.Context, name: str) -> str:
    """Greets someone, through the service's own generated stub."""
    hello_service = ctx.stub(HelloServiceStub)
    response = await hello_service.SayHello(HelloRequest(name=name))
    return response.message
