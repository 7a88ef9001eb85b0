"""`durable stats`, `handlers`, `workers`: what there is, and how much of it."""

from __future__ import annotations

import click

from . import output
from .selection import STATES
from .session import Session, client_command


@click.command()
@client_command
def stats(session: Session) -> None:
    """Count invocations by handler and status."""
    with session.client() as client:
        found = client.stats()
    if session.json:
        output.write_json(found.to_dict())
        return
    # A status that this version does not know stands after the others.
    states: list[str] = [it for it in STATES if it in found.by_status]
    states += sorted(set(found.by_status) - set(STATES))
    rows = [
        (handler, *(str(counts.get(it, "")) for it in states), str(sum(counts.values())))
        for handler, counts in sorted(found.by_handler.items())
    ]
    rows.append(("all", *(str(found.by_status[it]) for it in states), str(found.total)))
    output.table(("HANDLER", *(it.upper() for it in states), "ALL"), rows)
    output.note(f"{found.worker_count} worker{'s' * (found.worker_count != 1)} connected")


@click.command()
@client_command
def handlers(session: Session) -> None:
    """List the handlers that workers have registered."""
    with session.client() as client:
        found = client.list_handlers()
    if session.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("no worker has ever registered a handler; start one with `durable worker`")
        return
    output.table(
        ("HANDLER", "KIND", "WORKERS", "PENDING", "RUNNING", "VERSION", "DESCRIPTION"),
        (
            (
                it.name,
                it.kind,
                str(it.worker_count),
                str(it.pending_count),
                str(it.running_count),
                it.version,
                it.description.partition("\n")[0],
            )
            for it in found
        ),
    )


@click.command()
@client_command
def workers(session: Session) -> None:
    """List the workers that are connected."""
    with session.client() as client:
        found = client.list_workers()
    if session.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("no worker is connected; start one with `durable worker`")
        return
    output.table(
        ("WORKER", "IDENTITY", "CONNECTED", "RUNNING", "SLOTS", "STATE", "HANDLERS"),
        (
            (
                it.worker_id,
                it.identity,
                output.moment(it.connect_time),
                str(it.running_count),
                str(it.slot_count),
                "draining" if it.draining else "serving",
                ", ".join(it.handlers),
            )
            for it in found
        ),
    )
