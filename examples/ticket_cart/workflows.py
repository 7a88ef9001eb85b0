"""A virtual object: a shopping cart per user, with its state stored under the user's key."""

import durable
from examples.services.ticket_v1.ticket_pb2 import ReleaseRequest, ReserveRequest
from examples.services.ticket_v1.ticket_pb2_grpc import TicketServiceStub

HOLD_SECONDS = 15 * 60.0


@durable.object("cart")
class Cart:
    """The tickets that a user has reserved and not bought yet. The key is the user's id."""

    @durable.handler
    async def add(
        self, ctx: durable.Context, ticket: str, hold_seconds: float = HOLD_SECONDS
    ) -> bool:
        """Reserves a ticket, and schedules its release."""
        service = ctx.stub(TicketServiceStub)
        response = await service.Reserve(ReserveRequest(ticket_id=ticket, user_id=ctx.key))
        cart = await ctx.get("cart", list[str], default=[])
        if response.success and ticket not in cart:
            ctx.set("cart", [*cart, ticket])
            ctx.options(key=ctx.key).send_delayed(Cart.expire, ticket, hold_seconds)
        return response.success

    @durable.handler
    async def expire(self, ctx: durable.Context, ticket: str) -> None:
        """Releases a ticket if it is still in the cart."""
        cart = await ctx.get("cart", list[str], default=[])
        if ticket in cart:
            service = ctx.stub(TicketServiceStub)
            await service.Release(ReleaseRequest(ticket_id=ticket, user_id=ctx.key))
            ctx.set("cart", [it for it in cart if it != ticket])

    @durable.shared
    async def tickets(self, ctx: durable.Context) -> list[str]:
        """Returns what is in the cart."""
        return await ctx.get("cart", list[str], default=[])
