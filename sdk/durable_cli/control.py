"""`durable pause`, `resume`, `cancel`, `restart`, `purge`: changes of one invocation or of many."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from . import bulk
from .client_command import CALL_SECONDS, ClientContext
from .filters import FINISHED, UNFINISHED
from .times import duration_option
from .values import INT32_MAX, parse_value

if TYPE_CHECKING:
    import durable

_REASON = click.option("--reason", default="", help="Why, for whoever looks at it later.")


@click.command()
@bulk.bulk_command
@_REASON
@click.option(
    "--wait",
    default="5s",
    show_default=True,
    callback=duration_option,
    metavar="DURATION",
    help="Wait so long for steps that run, at most 50s.",
)
def pause(context: ClientContext, reason: str, wait: timedelta, **options: Any) -> None:
    """Hold invocations at their next step, by ID or by filters."""
    seconds = wait.total_seconds()

    def change(client: durable.Client, invocation_id: str) -> str:
        return client.pause(invocation_id, reason=reason, timeout=seconds)

    possible = [it for it in UNFINISHED if it != "paused"]
    bulk.run(context, "pause", possible, change, options, timeout=CALL_SECONDS + seconds)


@click.command()
@bulk.bulk_command
@_REASON
def resume(context: ClientContext, reason: str, **options: Any) -> None:
    """Resume paused invocations, by ID or by filters.

    Those that wait for their next attempt begin it now.
    """

    def change(client: durable.Client, invocation_id: str) -> str:
        return client.resume(invocation_id, reason=reason)

    bulk.run(context, "resume", ["paused", "backing_off"], change, options)


@click.command()
@bulk.bulk_command
@_REASON
@click.option("--force", is_flag=True, help="At once: the handler cannot compensate.")
def cancel(context: ClientContext, reason: str, force: bool, **options: Any) -> None:
    """Ask invocations to end, by ID or by filters."""

    def change(client: durable.Client, invocation_id: str) -> str:
        return client.cancel(invocation_id, reason=reason, force=force)

    bulk.run(context, "cancel", UNFINISHED, change, options)


@click.command()
@bulk.bulk_command
@_REASON
@click.option(
    "--from-index",
    default=0,
    show_default=True,
    type=click.IntRange(0, INT32_MAX),
    help="Take over the steps before this one.",
)
@click.option("--input", "value", metavar="JSON", help="Another input: JSON, - or @FILE.")
def restart(
    context: ClientContext, reason: str, from_index: int, value: str | None, **options: Any
) -> None:
    """Start new invocations like old ones.

    By ID or by filters; prints the old and the new ids.
    """
    given = {} if value is None else {"input": parse_value(value, "--input")}

    def change(client: durable.Client, invocation_id: str) -> str:
        return client.restart(invocation_id, from_index=from_index, reason=reason, **given)

    bulk.run(context, "restart", (*FINISHED, "paused"), change, options)


@click.command()
@bulk.bulk_command
def purge(context: ClientContext, **options: Any) -> None:
    """Remove invocations that have ended, by ID or by filters."""

    def change(client: durable.Client, invocation_id: str) -> str:
        client.purge(invocation_id)
        return "purged"

    bulk.run(context, "purge", FINISHED, change, options)
