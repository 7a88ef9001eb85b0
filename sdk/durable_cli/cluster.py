"""`durable cluster`: the nodes of the control plane, and who leads and follows each partition."""

from __future__ import annotations

import click

from . import output
from .client_command import ClientContext, client_command
from .incomplete import warn_missing


@click.command()
@client_command
def cluster(context: ClientContext) -> None:
    """Show the nodes and the partitions of the control plane."""
    with context.client() as client:
        found = client.cluster()
    if context.json:
        output.write_json(found.to_dict())
        return
    output.table(
        ("NODE", "ADDRESS", "VERSION", "STATE", "LEADS", "FOLLOWS"),
        (
            (
                it.name,
                it.address,
                it.version,
                "draining" if it.draining else "serving",
                str(len(it.led_partitions)),
                str(it.followed_count),
            )
            for it in found.nodes
        ),
    )
    output.echo()
    output.table(
        ("PARTITION", "LEADER", "EPOCH", "POSITION", "FOLLOWERS"),
        (
            (
                str(it.partition),
                "none" if it.leader is None else it.leader,
                str(it.epoch or ""),
                str(it.position or ""),
                ", ".join(f"{one.node} {_lag(one.lag)}" for one in it.followers),
            )
            for it in found.partitions
        ),
    )
    nodes, count = len(found.nodes), len(found.partitions)
    shape = f"{nodes} node{'s' * (nodes != 1)}, {count} partition{'s' * (count != 1)}"
    if found.system_id:
        shape += f"; system {found.system_id}, format level {found.format_level}"
    output.note(shape)
    warn_missing(found.leaderless, "requests for some invocations wait")


def _lag(frames: int) -> str:
    return f"-{frames}" if frames else "in step"
