"""`durable worker`: serves the workflows of some modules until a signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

import click

from .session import address_error
from .values import parse_pairs

DEFAULT_ADDRESS = "127.0.0.1:50051"


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE...")
@click.option(
    "--address",
    default=lambda: os.environ.get("DURABLE_ADDRESS", DEFAULT_ADDRESS),
    help=f"The control plane.  [default: DURABLE_ADDRESS, or {DEFAULT_ADDRESS}]",
)
@click.option("--max-concurrent", default=1000, show_default=True, help="Invocations at a time.")
@click.option(
    "--max-threads",
    default=64,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Sync steps at a time.",
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
    max_concurrent: int,
    max_threads: int,
    services: Sequence[str],
    metrics: str,
    insecure: bool,
) -> None:
    """Run a worker that serves the workflows in MODULE... (a module's name or a .py file)."""
    for text in services:
        if not text.partition("=")[2]:
            raise click.UsageError(f"--service {text!r} is not NAME=HOST:PORT")
    addresses = parse_pairs(services, "--service")
    from durable import Worker, load_workflows, run_worker

    workflows = load_workflows(modules)
    try:
        made = Worker(
            address,
            workflows=workflows,
            services=addresses or None,
            max_concurrent=max_concurrent,
            max_threads=max_threads,
            insecure=insecure,
        )
    except ValueError as error:
        raise address_error(error) from error
    with ExitStack() as stack:
        if metrics:
            # Not at the top: it has a need of its own, prometheus-client.
            from .worker_metrics import serving

            served = stack.enter_context(serving(made, max_concurrent, metrics, insecure=insecure))
            click.echo(f"durable: metrics on http://{served}/metrics")
        run_worker(made)
