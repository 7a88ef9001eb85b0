"""HelloService: the gRPC service that the examples' workflows call, as a server of its own.

    python examples/hello_service.py                # serves on 127.0.0.1:9090

An ordinary gRPC server that knows nothing of Durable. With `--call-log` it notes each call with the
key that Durable sends along, by which a service can tell a repeated call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import click
import grpc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from examples.services.hello_v1 import hello_pb2, hello_pb2_grpc

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


async def serve(listen: str, ready_file: Path | None, call_log: Path | None) -> None:
    """Serves until SIGINT or SIGTERM."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    hello_pb2_grpc.add_HelloServiceServicer_to_server(HelloService(call_log), server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error}") from error
    await server.start()
    address = f"{listen.rpartition(':')[0]}:{port}"
    click.echo(f"HelloService: ready on {address}")
    if ready_file is not None:
        await asyncio.to_thread(announce, ready_file, address)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(1)


def announce(ready_file: Path, address: str) -> None:
    """Writes the address where a parent process looks for it, all at once."""
    scratch = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
    scratch.write_text(json.dumps({"address": address, "pid": os.getpid()}))
    scratch.replace(ready_file)


@click.command()
@click.option("--listen", default=DEFAULT_LISTEN, show_default=True, help="Serve here.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the address here.")
@click.option("--call-log", type=click.Path(path_type=Path), help="Note each call here.")
def main(listen: str, ready_file: Path | None, call_log: Path | None) -> None:
    """Run HelloService."""
    run = serve(listen, ready_file, call_log)
    try:
        import uvloop
    except ImportError:
        asyncio.run(run)
    else:
        uvloop.run(run)


if __name__ == "__main__":
    main()
