"""Orders that end in different ways, for queries to find."""

import durable
from examples.services.hello_v1.hello_pb2 import HelloRequest
from examples.services.hello_v1.hello_pb2_grpc import HelloServiceStub


@durable.workflow
async def order_workflow(ctx: durable.Context, order: str) -> str:
    """Fills the cart and waits for the payment."""
    await ctx.stub(HelloServiceStub).SayHello(HelloRequest(name=order))
    if order.endswith("2"):
        raise durable.TerminalError(f"{order} is out of stock")
    ctx.set("cart", [order])
    await ctx.awakeable(payment_id(ctx.invocation_id))
    return f"{order} is paid"


def payment_id(invocation_id: str) -> str:
    """Returns the id of the awakeable that a payment resolves."""
    return f"payment-{invocation_id}"
