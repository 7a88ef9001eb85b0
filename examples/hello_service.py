"""HelloService: the gRPC service that the examples' workflows call, run as a separate server.

    python examples/hello_service.py                # serves on 127.0.0.1:9090

It is an ordinary gRPC server that knows nothing of Durable. With `--call-log` it writes each call to a
file, with the idempotency key that Durable sends: by that key a service can recognise a repeated call.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc
from examples.serving import run

DEFAULT_LISTEN = "127.0.0.1:9090"


class HelloService(hello_pb2_grpc.HelloServiceServicer):
    """Greets."""

    def __init__(self, call_log: Path | None) -> None:
        self._log = None if call_log is None else call_log.open("a", buffering=1)

    async def SayHello(
        self,
        request: hello_pb2.HelloRequest,
        context: grpc.aio.ServicerContext[hello_pb2.HelloRequest, hello_pb2.HelloResponse],
    ) -> hello_pb2.HelloResponse:
        """Says hello."""
        name = request.name or "World"
        if self._log is not None:
            metadata = dict(context.invocation_metadata() or ())
            key = str(metadata.get("durable-idempotency-key", ""))
            self._log.write(f"{name}\t{key}\n")
        return hello_pb2.HelloResponse(
            message=f"Hello, {name}! Welcome to Durable Execution on NATS JetStream."
        )


@click.command()
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Serve here.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the address here.")
@click.option("--call-log", type=click.Path(path_type=Path), help="Append each call to this file.")
def main(listen: str, ready_file: Path | None, call_log: Path | None) -> None:
    """Run HelloService."""
    service = HelloService(call_log)
    run(
        "HelloService",
        lambda server: hello_pb2_grpc.add_HelloServiceServicer_to_server(service, server),
        listen,
        ready_file,
    )


if __name__ == "__main__":
    main()
