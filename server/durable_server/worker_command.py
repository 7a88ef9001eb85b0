"""What `durable worker` does. Apart from `commands`, so that it needs no server package."""

from __future__ import annotations

from collections.abc import Sequence

import click


def parse_services(services: Sequence[str]) -> dict[str, str]:
    """Returns NAME=HOST:PORT words as a dict; raises click.UsageError for a malformed one."""
    parsed: dict[str, str] = {}
    for text in services:
        name, separator, address = text.partition("=")
        if not separator or not name or not address:
            raise click.UsageError(f"--service {text!r} is not NAME=HOST:PORT")
        parsed[name] = address
    return parsed


def run_worker(
    modules: Sequence[str],
    address: str,
    max_concurrent: int,
    services: Sequence[str],
    insecure: bool,
) -> None:
    """Runs a worker until a signal."""
    from durable import Worker, load_workflows
    from durable import run_worker as run

    worker = Worker(
        address,
        workflows=load_workflows(modules),
        services=parse_services(services) or None,
        max_concurrent=max_concurrent,
        insecure=insecure,
    )
    run(worker)
