"""`durable list`: the invocations that match some filters, ordered by one of their times."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from . import output
from .client_command import ClientContext, client_command
from .filters import filter_options, filters_of
from .incomplete import query_up_to
from .times import length_text
from .wait_reasons import missing_build

if TYPE_CHECKING:
    import durable

HEADERS: Final = ("ID", "HANDLER", "STATUS", "CREATED", "TOOK", "STEPS", "KEY", "FAILURE")
_PAGE: Final = 500
_SORTS: Final = {"created": "create_time", "ended": "complete_time", "updated": "update_time"}


@click.command("list")
@filter_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="At most.")
@click.option("--all", "everything", is_flag=True, help="Without a limit.")
@click.option(
    "--sort",
    default="created",
    show_default=True,
    type=click.Choice(list(_SORTS)),
    help="By this time; 'ended' holds only what has ended.",
)
@click.option("--oldest-first", is_flag=True, help="Oldest first.")
@client_command
def list_(
    context: ClientContext,
    limit: int,
    everything: bool,
    sort: str,
    oldest_first: bool,
    **options: Any,
) -> None:
    """List invocations, newest first."""
    filters = filters_of(options)
    filters["order_by"] = _SORTS[sort] + ("" if oldest_first else " desc")
    filters["page_size"] = _PAGE if everything else min(limit + 1, _PAGE)
    # One more than is shown, to know whether there are more.
    count = None if everything else min(limit + 1, sys.maxsize)
    with context.client() as client:
        found = query_up_to(client, filters, count)
    shown = found if everything else found[:limit]
    if context.json:
        output.write_json([it.to_dict(brief=True) for it in shown])
        return
    write_table(shown)
    if len(found) > len(shown):
        output.note(output.faint(f"the first {len(shown)}; --limit N or --all for more"))


def write_table(found: list[durable.Invocation]) -> None:
    """Writes invocations as rows."""
    if not found:
        output.note("no invocation matches")
        return
    output.table(HEADERS, (_row(it) for it in found))


def took(it: durable.Invocation) -> str:
    """Returns how long an invocation took from its first start to its end; empty before that."""
    if it.start_time is None or it.complete_time is None:
        return ""
    return length_text(it.complete_time - it.start_time)


def _row(it: durable.Invocation) -> tuple[str, ...]:
    failure = "" if it.failure is None else f"{it.failure.type}: {it.failure.message}"
    return (
        it.invocation_id,
        it.handler,
        it.status,
        output.moment(it.create_time),
        took(it),
        str(it.journal_length),
        it.key,
        missing_build(it) or failure,
    )
