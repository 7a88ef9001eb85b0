"""`durable cluster`: the nodes of the control plane, and who leads and follows each partition.

`durable cluster drain NODE` empties a node for a while. The node goes on serving, so the command only
waits for its partitions to leave; it repeats the request, which ends with each one that has left.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from . import output
from .client_command import CALL_SECONDS, ClientContext, client_command
from .errors import STATE, CommandError
from .incomplete import warn_missing
from .progress import progress

if TYPE_CHECKING:
    import durable


@click.group(invoke_without_command=True)
@client_command
def cluster(context: ClientContext) -> None:
    """Show the nodes and the partitions of the control plane."""
    called = click.get_current_context()
    if called.invoked_subcommand is not None:
        # The options may be given before the name of the subcommand, or after it.
        called.default_map = {called.invoked_subcommand: called.params}
        return
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
                it.state,
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
    _warn_versions(found)


def _warn_versions(found: durable.Cluster) -> None:
    """Says which versions the nodes have if they differ, and what keeps the format level."""
    versions = sorted({it.version for it in found.nodes})
    if len(versions) > 1:
        output.note(
            f"warning: the nodes run different versions ({', '.join(versions)}): end the upgrade"
        )
    readable = min((it.format_level for it in found.nodes), default=0)
    if 0 < found.format_level < readable:
        output.note(
            f"warning: all nodes can read format level {readable}, and the system has"
            f" {found.format_level}: it rises by itself within a minute, unless a node holds it"
            " (--format-level)"
        )


def _lag(frames: int) -> str:
    return f"-{frames}" if frames else "in step"


@cluster.command()
@click.argument("node")
@click.option("--undo", is_flag=True, help="Let the node take its share of the partitions again.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the node leads nothing.")
@client_command
def drain(context: ClientContext, node: str, undo: bool, no_wait: bool) -> None:
    """Make a node give its partitions to the others, until --undo or its restart.

    The node goes on serving clients and workers, and passes their requests on.
    """
    with context.client() as client:
        found = client.drain_node(node, undo=undo)
        if not (undo or no_wait):
            found = _until_empty(client, found)
    if context.json:
        output.write_json(asdict(found))
    elif undo:
        output.echo(_undone(found))
    elif found.led_partitions:
        output.echo(f"{_leads(found)}; they leave a few at a time")
    else:
        output.echo(
            f"node {node} leads nothing; to undo: durable cluster drain {output.clean(node)} --undo"
        )


def _until_empty(client: durable.Client, found: durable.ClusterNode) -> durable.ClusterNode:
    """Waits until a node that drains leads nothing; shows each partition that leaves on stderr."""
    total = len(found.led_partitions)
    with progress(f"drain {found.name}") as bar:
        while found.led_partitions:
            if not bar.shown:
                output.note(_leads(found))
            bar(total - len(found.led_partitions), total)
            before = found
            while found.led_partitions == before.led_partitions:
                found = client.drain_node(found.name, wait=CALL_SECONDS)
                if not found.draining:
                    raise CommandError(
                        f"the drain of node {output.clean(found.name)} was undone meanwhile", STATE
                    )
        if total:
            bar(total, total)
    return found


def _leads(node: durable.ClusterNode) -> str:
    numbers = ", ".join(map(str, node.led_partitions))
    plural = "s" * (len(node.led_partitions) != 1)
    return f"node {node.name} still leads partition{plural} {numbers}"


def _undone(node: durable.ClusterNode) -> str:
    if node.stopping:
        return f"node {node.name} stops, so it takes no partitions until it is started again"
    return f"node {node.name} takes its share of the partitions again"
