"""`durable deployments`: the builds that workers run, and which of them gets new invocations.

The state of a build is told in words, the most urgent first: whether it is needed and has no worker,
whether it gets new invocations, whether it drains, and whether its workers may be stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from . import output
from .client_command import ClientContext, client_command
from .incomplete import warn_missing

if TYPE_CHECKING:
    import durable


@click.command()
@client_command
def deployments(context: ClientContext) -> None:
    """List the builds, what is pinned to each, and which get new invocations."""
    with context.client() as client:
        found = client.list_deployments()
    warn_missing(found.missing_partitions, "invocations are not counted")
    if context.json:
        output.write_json(found.to_dict())
        return
    if not found.deployments:
        output.note("no worker has said which build it runs; see `durable worker --build-id`")
        return
    output.table(
        ("BUILD", "CREATED", "WORKERS", "PINNED", "WAITING", "RUNNING", "STATE", "HANDLERS"),
        (
            (
                it.build_id,
                output.moment(it.create_time),
                str(it.worker_count),
                str(it.pinned_count),
                str(it.waiting_count),
                str(it.running_count),
                state(it, found.routes),
                ", ".join(it.handlers),
            )
            for it in found.deployments
        ),
    )
    if found.routes:
        output.echo()
        output.table(
            ("HANDLER", "CURRENT", "RAMPING", "BEFORE", "CHANGED", "BY", "REASON"),
            (
                (
                    it.handler,
                    it.build_id,
                    f"{it.ramping_build_id} {it.ramping_percent} %" if it.ramping_build_id else "",
                    it.previous_build_id,
                    output.moment(it.update_time),
                    it.identity,
                    it.reason,
                )
                for it in found.routes
            ),
        )


def state(it: durable.Deployment, routes: Iterable[durable.Route]) -> str:
    """Returns the state of a build in words."""
    routes = [*routes]
    named = [route for route in routes if it.build_id in (route.build_id, route.ramping_build_id)]
    current = sum(route.build_id == it.build_id for route in named)
    shares = Counter(
        route.ramping_percent for route in named if route.ramping_build_id == it.build_id
    )
    words: list[str] = []
    if needs_worker(it, named):
        pinned = f"{it.pinned_count} pinned and " if it.pinned_count else ""
        words.append(f"MISSING: {pinned}no worker")
    if current:
        words.append(f"current for {_handlers(current)}")
    for percent, count in sorted(shares.items()):
        words.append(f"ramping {percent} % for {_handlers(count)}")
    stoppable = ": may be stopped" if it.drained and it.worker_count else ""
    if it.draining:
        words.append(("drained" if it.drained else "draining") + stoppable)
    elif not named and it.handlers and {*it.handlers} <= {route.handler for route in routes}:
        words.append(f"gets nothing new{stoppable}")
    if not words:
        words.append("serving" if it.worker_count else "no worker")
    return ", ".join(words)


def needs_worker(it: durable.Deployment, routes: Iterable[durable.Route]) -> bool:
    """Returns whether a build has no worker, and something waits for one or will."""
    if it.worker_count:
        return False
    return it.pinned_count > 0 or any(
        it.build_id in (route.build_id, route.ramping_build_id) for route in routes
    )


def _handlers(count: int) -> str:
    return f"{count} handler{'s' * (count != 1)}"
