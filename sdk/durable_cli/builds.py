"""`durable promote`, `rollback`, `drain`: which build gets new invocations.

`drain --wait` looks at the list of builds every second until nothing needs the build. The drain is in
the log by then, so an interrupted wait changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import INTERRUPTED, STATE, CommandError
from .incomplete import warn_missing

if TYPE_CHECKING:
    import durable

_SECONDS: Final = 1.0
_SHOWN: Final = 5
_STILL: Final = "so it gets those still"
_REASON: Final = click.option("--reason", default="", help="Why, for whoever looks at it later.")
_HANDLERS: Final = click.option(
    "--handler", "handlers", multiple=True, help="Only for this handler; may be repeated."
)


@click.command()
@click.argument("build_id", metavar="BUILD")
@click.option(
    "--percent",
    type=click.IntRange(1, 100),
    help="Give it this share of new invocations.  [default: 100]",
)
@_HANDLERS
@click.option("--automatic", is_flag=True, help="Forget the promotions of its handlers instead.")
@_REASON
@client_command
def promote(
    context: ClientContext,
    build_id: str,
    percent: int | None,
    handlers: tuple[str, ...],
    automatic: bool,
    reason: str,
) -> None:
    """Give a build all new invocations of its handlers, or a share of them."""
    if automatic and percent is not None:
        raise click.UsageError("--automatic and --percent exclude each other")
    with context.client() as client:
        routes = client.promote_build(
            build_id,
            percent=100 if percent is None else percent,
            handlers=handlers,
            automatic=automatic,
            reason=reason,
        )
        _warn_of_waits(client, routes)
    if percent is not None and percent < 100:
        for it in routes:
            if not it.ramping_build_id:
                handler = output.clean(it.handler)
                output.note(f"{handler}: there is no other build, so this one gets all of them")
    _write_routes(context, routes)


@click.command()
@click.argument("build_id", metavar="[BUILD]", required=False)
@_HANDLERS
@_REASON
@client_command
def rollback(
    context: ClientContext, build_id: str | None, handlers: tuple[str, ...], reason: str
) -> None:
    """Take the last promotion of a build back.

    Without BUILD it is the build that was promoted last.
    """
    with context.client() as client:
        if build_id is None:
            build_id = _promoted_last(client, handlers)
            output.note(f"rolling back build {output.clean(build_id)}")
        routes = client.roll_back_build(build_id, handlers=handlers, reason=reason)
        _warn_of_waits(client, routes)
    _write_routes(context, routes)


def _promoted_last(client: durable.Client, handlers: Sequence[str]) -> str:
    """Returns the build of the newest promotion. Raises CommandError when there is none."""
    found = client.list_deployments()
    if found.missing_partitions and not found.routes:
        warn_missing(found.missing_partitions, "routes may be missing")
    routes = [it for it in found.routes if not handlers or it.handler in handlers]
    if not routes:
        raise CommandError("no build was promoted, so there is nothing to roll back", STATE)
    last = max(routes, key=lambda it: it.update_time or datetime.min.replace(tzinfo=UTC))
    return last.ramping_build_id or last.build_id


def _warn_of_waits(client: durable.Client, routes: Sequence[durable.Route]) -> None:
    """Warns of builds that get new invocations and have no worker."""
    named = {build for it in routes for build in (it.build_id, it.ramping_build_id)}
    for it in client.list_deployments().deployments:
        if it.build_id in named and not it.worker_count:
            build = output.clean(it.build_id)
            output.note(f"warning: build {build} has no worker, so new invocations wait for one")


def _write_routes(context: ClientContext, routes: Sequence[durable.Route]) -> None:
    if context.json:
        output.write_json([it.to_dict() for it in routes])
        return
    for it in routes:
        output.echo(output.clean(f"{it.handler}: {_route(it)}"))


def _route(it: durable.Route) -> str:
    if not it.build_id:
        return "automatic again"
    if it.ramping_build_id:
        share = f"{it.ramping_percent} % of new invocations go to {it.ramping_build_id}"
        return f"{share}, the others to {it.build_id}"
    before = f" (before: {it.previous_build_id})" if it.previous_build_id else ""
    return f"new invocations go to {it.build_id}{before}"


@click.command()
@click.argument("build_id", metavar="BUILD")
@click.option("--undo", is_flag=True, help="Let it have new invocations again.")
@click.option("--wait", is_flag=True, help="Wait until its workers can be stopped.")
@_REASON
@client_command
def drain(context: ClientContext, build_id: str, undo: bool, wait: bool, reason: str) -> None:
    """Give a build no new invocations, and see when its workers can be stopped."""
    if undo and wait:
        raise click.UsageError("--undo and --wait exclude each other")
    with context.client() as client:
        client.drain_build(build_id, undo=undo, reason=reason)
        found, needs = _until_drained(client, build_id) if wait else _build(client, build_id)
    if context.json:
        output.write_json(found.to_dict())
    elif undo:
        output.echo(f"build {output.clean(build_id)} may have new invocations again")
    elif found.drained:
        stop = ": its workers may be stopped" if found.worker_count else ""
        output.echo(f"build {output.clean(build_id)} is drained{stop}")
    else:
        gets = "drains" if _STILL in needs else "gets no new invocations"
        output.echo(
            output.clean(
                f"build {build_id} {gets}; {needs}; to wait: durable drain {build_id} --wait"
            )
        )


def _build(client: durable.Client, build_id: str) -> tuple[durable.Deployment, str]:
    """Returns a build, and what needs it.

    Raises CommandError if it is not known any more, or partition 0 is away.
    """
    found = client.list_deployments()
    build = found.get(build_id)
    if build is None:
        warn_missing(found.missing_partitions, "builds are missing")
        raise CommandError(f"build {output.clean(build_id)} is not listed any more", STATE)
    return build, _needs(build, found)


def _until_drained(client: durable.Client, build_id: str) -> tuple[durable.Deployment, str]:
    """Waits until nothing needs a build; tells on stderr what still does, when that changes."""
    told = ""
    try:
        while True:
            found, needs = _look(client, build_id)
            if found is not None:
                return found, ""
            if needs != told:
                told = needs
                output.note(output.clean(f"build {build_id}: {needs}"))
            time.sleep(_SECONDS)
    except KeyboardInterrupt:
        text = f"build {build_id} goes on draining; {told or 'see `durable deployments`'}"
        raise CommandError(output.clean(text), INTERRUPTED) from None


def _look(client: durable.Client, build_id: str) -> tuple[durable.Deployment | None, str]:
    """Returns the build once nothing needs it, else None and what does. Raises CommandError."""
    found = client.list_deployments()
    if found.missing_partitions:
        return None, "not all partitions have a leader now"
    build = found.get(build_id)
    if build is None:
        raise CommandError(f"build {output.clean(build_id)} is not listed any more", STATE)
    if build.drained:
        return build, ""
    if not build.draining:
        raise CommandError(
            f"the drain of build {output.clean(build_id)} was undone meanwhile", STATE
        )
    if not (build.pinned_count or build.running_count or _only_there(build, found)):
        raise CommandError(
            f"nothing that you may see needs build {output.clean(build_id)}, but it has other handlers:"
            " ask somebody who may see them",
            STATE,
        )
    return None, _needs(build, found)


def _needs(it: durable.Deployment, found: durable.Deployments) -> str:
    """Returns in words what needs a build, and what it lacks."""
    parts: list[str] = []
    if it.pinned_count:
        parts.append(f"{it.pinned_count} pinned")
    if it.waiting_count:
        parts.append(f"{it.waiting_count} waiting")
    if it.running_count:
        parts.append(f"{it.running_count} running")
    if it.pinned_count and not it.worker_count:
        parts.append("and no worker: start one, or `durable repin`")
    if alone := _only_there(it, found):
        names = ", ".join(alone[:_SHOWN]) + (", …" if len(alone) > _SHOWN else "")
        parts.append(f"no other build has workers for {names}, {_STILL}")
    return ", ".join(parts) or "nothing is pinned to it or runs there"


def _only_there(it: durable.Deployment, found: durable.Deployments) -> list[str]:
    """Returns the handlers whose new invocations go to a build although it drains."""
    if not it.worker_count:
        return []
    routed = {route.handler for route in found.routes}
    served = {
        name
        for other in found.deployments
        if other.worker_count and not other.draining
        for name in other.handlers
    }
    return [name for name in it.handlers if name not in routed | served]
