"""A saga: when a step fails terminally, the completed steps are compensated in reverse order."""

import durable
from examples.services.ticket_v1.ticket_pb2 import ReleaseRequest, ReserveRequest
from examples.services.ticket_v1.ticket_pb2_grpc import TicketServiceStub


@durable.workflow
async def book_seats(ctx: durable.Context, user: str, tickets: list[str]) -> str:
    """Reserves all the tickets, or none."""
    service = ctx.stub(TicketServiceStub)
    async with durable.saga(ctx) as saga:
        for ticket in tickets:
            # Register the compensation first: a call that fails may still have had its effect.
            saga.undo(service.Release, ReleaseRequest(ticket_id=ticket, user_id=user))
            response = await service.Reserve(ReserveRequest(ticket_id=ticket, user_id=user))
            if not response.success:
                raise durable.TerminalError(f"{ticket} is sold")
    return f"{user} has {', '.join(tickets)}"


@durable.workflow
async def give_back(ctx: durable.Context, user: str, tickets: list[str]) -> None:
    """Gives the tickets back."""
    service = ctx.stub(TicketServiceStub)
    for ticket in tickets:
        await service.Release(ReleaseRequest(ticket_id=ticket, user_id=user))
