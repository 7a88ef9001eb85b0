"""`durable worker`: runs a worker for the workflows of some modules until a signal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Final

import click

from . import output
from .client_command import address_error
from .values import parse_pairs

DEFAULT_ADDRESS = "127.0.0.1:50051"
_SILENT_SECONDS: Final = 2.0
"""How long importing the modules may take before a note says so."""


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option(
    "--address",
    default=lambda: os.environ.get("DURABLE_ADDRESS", DEFAULT_ADDRESS),
    help=f"The control plane.  [default: DURABLE_ADDRESS, or {DEFAULT_ADDRESS}]",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=HOST:PORT",
    help="Where a gRPC service is that workflows call; may be repeated.",
)
@click.option("--metrics", default="", metavar="HOST:PORT", help="Serve /metrics here.")
@click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without TLS.")
def worker(
    modules: Sequence[str],
    address: str,
    services: Sequence[str],
    metrics: str,
    insecure: bool,
    max_concurrent: int,
    max_threads: int,
    drain_timeout: timedelta,
    suspend_after: timedelta | None,
    build_id: str,
) -> None:
    """Run a worker that serves the workflows in MODULE... (a module's name or a .py file)."""
    for text in services:
        if not text.partition("=")[2]:
            raise click.UsageError(f"--service {text!r} is not NAME=HOST:PORT")
    addresses = parse_pairs(services, "--service")
    # Import everything before the modules, because they may hide modules with the same name.
    from durable import Worker, load_workflows, run_worker

    # Needs an extra dependency, prometheus-client.
    measured = import_module("durable_cli.worker_metrics").serving if metrics else None
    with _note_if_slow(modules):
        workflows = load_workflows(modules)
    try:
        made = Worker(
            address,
            workflows=workflows,
            services=addresses or None,
            max_concurrent=max_concurrent,
            max_threads=max_threads,
            drain_timeout=drain_timeout,
            suspend_after=suspend_after,
            build_id=build_id,
            insecure=insecure,
        )
    except ValueError as error:
        raise address_error(error) from error
    with ExitStack() as stack:
        if measured is not None:
            served = stack.enter_context(measured(made, max_concurrent, metrics, insecure=insecure))
            output.echo(f"durable: metrics on http://{served}/metrics")
        run_worker(made)


@contextmanager
def _note_if_slow(modules: Sequence[str]) -> Iterator[None]:
    """Writes a note if the block takes long: an import may load a model, or wait for a network."""
    text = f"durable: importing {', '.join(modules)} takes a while; nothing is served yet"
    timer = threading.Timer(_SILENT_SECONDS, output.note, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
