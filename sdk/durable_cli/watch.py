"""`durable watch`: follows an invocation until it has ended, with a line for each change."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import CommandError
from .journal_lines import ending_text, entry_text
from .times import absolute

if TYPE_CHECKING:
    import durable

_AWAY_SECONDS: Final = 60.0
"""How long the control plane may be away, once it has responded; a restart takes seconds."""


@click.command()
@click.argument("invocation_id", metavar="ID")
@client_command
def watch(context: ClientContext, invocation_id: str) -> None:
    """Follow an invocation until it has ended.

    With --json it is a document for each change, each on a line.
    """
    last = ""
    found: durable.Invocation | None = None
    with context.client() as client:
        client.get_result(
            invocation_id, timeout=0
        )  # fails soon if the control plane is unreachable
        for found in client.options(timeout=_AWAY_SECONDS).watch(invocation_id):
            if context.json:
                output.write_json_line(found.to_dict())
            else:
                last = _write_change(found, last)
    if found is not None and found.status != "completed":
        raise CommandError(ending_text(invocation_id, found.status, found.failure))


def _write_change(found: durable.Invocation, last: str) -> str:
    """Writes a change; returns the status line, which is written only when it is new."""
    for entry in found.journal:
        time = entry.complete_time or entry.create_time
        output.echo(f"{_clock(time)}  {entry_text(entry, None)}")
    head = found.status
    if found.run > 1:
        head += f"  run {found.run}"
    if found.attempt > 1:
        head += f"  attempt {found.attempt}"
    if found.status in ("backing_off", "paused") and found.failure is not None:
        head += f"  {found.failure.type}: {output.clean(found.failure.message)}"
    if found.pause_reason:
        head += f"  {output.clean(found.pause_reason)}"
    if head != last:
        status, space, rest = head.partition(" ")
        output.echo(f"{_clock(found.update_time)}  {output.coloured(status)}{space}{rest}")
    sys.stdout.flush()
    return head


def _clock(time: datetime | None) -> str:
    """Returns the time of a line: time of day on a terminal, absolute in a pipe."""
    if not output.on_terminal():
        return absolute(time)
    here = (time or datetime.now(UTC)).astimezone()
    return output.faint(here.strftime("%H:%M:%S"))
