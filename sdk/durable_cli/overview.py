"""`durable stats`, `handlers`, `workers`: counts and lists of what the control plane knows."""

from __future__ import annotations

import click

from . import output
from .client_command import ClientContext, client_command
from .filters import STATUSES
from .incomplete import warn_missing


@click.command()
@client_command
def stats(context: ClientContext) -> None:
    """Count invocations by handler and status."""
    with context.client() as client:
        found = client.stats()
    warn_missing(found.missing_partitions, "invocations are not counted")
    if context.json:
        output.write_json(found.to_dict())
        return
    # Statuses that this version does not know come last.
    states: list[str] = [it for it in STATUSES if it in found.by_status]
    states += sorted(set(found.by_status) - set(STATUSES))
    rows = [
        (handler, *(str(counts.get(it, "")) for it in states), str(sum(counts.values())))
        for handler, counts in sorted(found.by_handler.items())
    ]
    rows.append(("all", *(str(found.by_status[it]) for it in states), str(found.total)))
    output.table(("HANDLER", *(it.upper() for it in states), "ALL"), rows)
    output.note(f"{found.worker_count} worker{'s' * (found.worker_count != 1)} connected")


@click.command()
@client_command
def handlers(context: ClientContext) -> None:
    """List the handlers that workers have registered."""
    with context.client() as client:
        found = client.list_handlers()
    warn_missing(found.missing_partitions, "invocations are not counted")
    if context.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("no worker has ever registered a handler; start one with `durable worker`")
        return
    output.table(
        (
            "HANDLER",
            "KIND",
            "WORKERS",
            "PENDING",
            "RUNNING",
            "VERSIONING",
            "VERSION",
            "DESCRIPTION",
        ),
        (
            (
                it.name,
                it.kind,
                str(it.worker_count),
                str(it.pending_count),
                str(it.running_count),
                it.versioning,
                it.version,
                it.description.partition("\n")[0],
            )
            for it in found
        ),
    )


@click.command()
@client_command
def workers(context: ClientContext) -> None:
    """List the workers that are connected."""
    with context.client() as client:
        found = client.list_workers()
    if context.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("no worker is connected; start one with `durable worker`")
        return
    output.table(
        ("WORKER", "IDENTITY", "BUILD", "CONNECTED", "RUNNING", "SLOTS", "STATE", "HANDLERS"),
        (
            (
                it.worker_id,
                it.identity,
                it.build_id,
                output.moment(it.connect_time),
                str(it.running_count),
                str(it.slot_count),
                "draining" if it.draining else "serving",
                ", ".join(it.handlers),
            )
            for it in found
        ),
    )
