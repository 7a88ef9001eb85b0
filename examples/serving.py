"""Runs one of the examples' gRPC services until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import click
import grpc


def run(
    name: str, add_to: Callable[[grpc.aio.Server], None], listen: str, ready_file: Path | None
) -> None:
    """Serves until SIGINT or SIGTERM, on uvloop if it is installed."""
    served = _serve(name, add_to, listen, ready_file)
    try:
        import uvloop
    except ImportError:
        asyncio.run(served)
    else:
        uvloop.run(served)


async def _serve(
    name: str, add_to: Callable[[grpc.aio.Server], None], listen: str, ready_file: Path | None
) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_to(server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error}") from error
    await server.start()
    address = f"{listen.rpartition(':')[0]}:{port}"
    click.echo(f"{name}: ready on {address}")
    if ready_file is not None:
        await asyncio.to_thread(_announce, ready_file, address)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop(1)


def _announce(ready_file: Path, address: str) -> None:
    """Writes the address to the ready file, atomically: a parent process polls for it."""
    scratch = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
    scratch.write_text(json.dumps({"address": address, "pid": os.getpid()}))
    scratch.replace(ready_file)
