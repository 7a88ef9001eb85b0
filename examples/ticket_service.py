"""TicketService: the gRPC service that the ticket examples call, run as a separate server.

    python examples/ticket_service.py               # serves on 127.0.0.1:9091

It is an ordinary gRPC server that knows nothing of Durable. It keeps in memory who has which ticket.
Both methods are idempotent, because a durable call may be sent more than once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.services.ticket_v1 import ticket_pb2, ticket_pb2_grpc
from examples.serving import run

DEFAULT_LISTEN = "127.0.0.1:9091"


class TicketService(ticket_pb2_grpc.TicketServiceServicer):
    """Sells each ticket once."""

    def __init__(self) -> None:
        self._user_of: dict[str, str] = {}

    async def Reserve(
        self,
        request: ticket_pb2.ReserveRequest,
        context: grpc.aio.ServicerContext[ticket_pb2.ReserveRequest, ticket_pb2.ReserveResponse],
    ) -> ticket_pb2.ReserveResponse:
        """Reserves a ticket if it is free or the user has it already."""
        owner = self._user_of.setdefault(request.ticket_id, request.user_id)
        click.echo(f"reserve {request.ticket_id} for {request.user_id}: {owner} has it")
        return ticket_pb2.ReserveResponse(success=owner == request.user_id)

    async def Release(
        self,
        request: ticket_pb2.ReleaseRequest,
        context: grpc.aio.ServicerContext[ticket_pb2.ReleaseRequest, ticket_pb2.ReleaseResponse],
    ) -> ticket_pb2.ReleaseResponse:
        """Releases a ticket if the user has it."""
        if self._user_of.get(request.ticket_id) == request.user_id:
            del self._user_of[request.ticket_id]
            click.echo(f"release {request.ticket_id} of {request.user_id}")
        return ticket_pb2.ReleaseResponse(success=request.ticket_id not in self._user_of)


@click.command()
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Serve here.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the address here.")
def main(listen: str, ready_file: Path | None) -> None:
    """Run TicketService."""
    service = TicketService()
    run(
        "TicketService",
        lambda server: ticket_pb2_grpc.add_TicketServiceServicer_to_server(service, server),
        listen,
        ready_file,
    )


if __name__ == "__main__":
    main()
