"""`durable audit`: the calls that have changed something, or were to, and who has made them."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

import click

from . import output
from .client_command import ClientContext, client_command
from .times import past_option

if TYPE_CHECKING:
    import durable

HEADERS: Final = ("TIME", "IDENTITY", "KIND", "METHOD", "SUBJECT", "RESULT", "FROM", "REASON")
"""The kind stands beside the identity, because a token may have the name of somebody with a JWT."""
_PAGE: Final = 500
_FOLLOW_SECONDS: Final = 1.0
"""How often --follow asks: what is new is kept about as often."""
_LATE: Final = timedelta(seconds=60)
"""How much later than others an entry may come to the list: a node keeps them while NATS is away."""


@click.command()
@click.option("--identity", default="", metavar="NAME", help="Made by this identity.")
@click.option("--method", default="", metavar="RPC", help="Of this RPC, as in Cancel.")
@click.option(
    "--subject", default="", metavar="ID", help="About this invocation, awakeable, node, token..."
)
@click.option(
    "--since", callback=past_option, metavar="TIME", help="Since then, or 2h for so long."
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@click.option("--all", "everything", is_flag=True, help="Without a limit.")
@click.option("--follow", is_flag=True, help="Go on with what is new, until Ctrl-C.")
@client_command
def audit(
    context: ClientContext,
    identity: str,
    method: str,
    subject: str,
    since: datetime | None,
    limit: int,
    everything: bool,
    follow: bool,
) -> None:
    """List the calls that change something, newest first.

    Needs a control plane that keeps an audit (`--audit-log`, or one that authenticates its callers).
    With --follow the oldest is first, and --json writes a document on each line.
    """
    given = {"identity": identity, "method": method, "subject": subject, "time_min": since}
    filters = cast("durable.AuditFilters", {name: it for name, it in given.items() if it})
    with context.client() as client:
        found, more = _up_to(client, filters, None if everything else limit)
        if follow:
            _follow(context, client, filters, found)
            return
    if context.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        output.note("no call matches")
        return
    output.table(HEADERS, map(_row, found))
    if more:
        output.note(output.faint(f"the last {len(found)}; --limit N or --all for more"))


def _up_to(
    client: durable.Client, filters: durable.AuditFilters, count: int | None
) -> tuple[list[durable.AuditEntry], bool]:
    """Returns up to so many entries, all for None, and whether there may be more."""
    found: list[durable.AuditEntry] = []
    size = _PAGE if count is None else min(count, _PAGE)
    asked: durable.AuditFilters = {**filters, "page_size": size}
    while True:
        page = client.list_audit(**asked)
        found += page.entries
        if not page.next_page_token:
            return found[:count], count is not None and len(found) > count
        if count is not None and len(found) >= count:
            return found[:count], True
        asked = {**asked, "page_token": page.next_page_token}


def _follow(
    context: ClientContext,
    client: durable.Client,
    filters: durable.AuditFilters,
    found: list[durable.AuditEntry],
) -> None:
    """Writes entries, the oldest first, and then those that come."""
    oldest = found[-1].time if found else None
    shown = Counter(found)
    new = found
    newest = _newest(client)
    while True:
        for it in reversed(new):
            if context.json:
                output.write_json_line(it.to_dict())
            else:
                output.echo("  ".join(output.clean(cell) or "-" for cell in _row(it)))
        sys.stdout.flush()
        time.sleep(_FOLLOW_SECONDS)
        # So each list is one of about a minute, also where nothing matches.
        recent: durable.AuditFilters = {**filters}
        if newest is not None:
            recent["time_min"] = max(newest - _LATE, filters.get("time_min", newest - _LATE))
        newest = _newest(client)
        listed, _ = _up_to(client, recent, None)
        # Equal entries are told apart by their number only.
        left = Counter(shown)
        new = []
        for it in listed:
            if left[it]:
                left[it] -= 1
            elif oldest is None or it.time is None or it.time >= oldest:
                new.append(it)
        shown = Counter(listed)


def _newest(client: durable.Client) -> datetime | None:
    """Returns when the newest of all calls was answered; None if there is none."""
    entries = client.list_audit(page_size=1).entries
    return entries[0].time if entries else None


def _row(it: durable.AuditEntry) -> tuple[str, ...]:
    result = it.code if it.code == "OK" or not it.error else f"{it.code}/{it.error}"
    subject = f"{it.subject} ({it.handler})" if it.handler not in ("", it.subject) else it.subject
    return (
        output.moment(it.time),
        it.identity,
        it.kind,
        it.method,
        subject,
        result,
        it.source,
        it.reason,
    )
