"""Several service calls in one workflow, each with its own journal entry."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def multi_service_demo(ctx: durable.Context, topic: str) -> str:
    """Greets in three languages; after a crash, the calls in the journal are not made again."""
    hello_service = ctx.stub(HelloServiceStub)

    async def greet(name: str) -> str:
        return (await hello_service.SayHello(HelloRequest(name=name))).message

    english = await greet(f"{topic} (English)")
    spanish = await greet(f"{topic} (Spanish)")
    french = await greet(f"{topic} (French)")
    summary = await greet("Summary")
    return f"1️⃣  {english}\n2️⃣  {spanish}\n3️⃣  {french}\n📊 {summary}"
