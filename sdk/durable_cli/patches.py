"""`durable patches`: the patches in journals, and which code the invocations still need.

For each patch one line says who needs which branch, and one what may be done with the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import output
from .client_command import ClientContext, client_command
from .incomplete import warn_missing

if TYPE_CHECKING:
    import durable


@click.command()
@click.option("--handler", default="", help="Only the patches of this handler.")
@client_command
def patches(context: ClientContext, handler: str) -> None:
    """List the patches in journals, and which code is still needed because of each.

    A patch is what ctx.patched(NAME) records. The invocations that may need the code without the change
    are named, up to ten of them.
    """
    with context.client() as client:
        found = client.list_patches(handler)
    warn_missing(found.missing_partitions, "journals are not counted, so do not remove code")
    if context.json:
        output.write_json([it.to_dict() for it in found])
        return
    if not found:
        where = f" of {handler}" if handler else ""
        output.note(f"no journal{where} has a patch; a program records one with ctx.patched(NAME)")
        return
    for it in found:
        builds = ", ".join(it.build_ids)
        about = f"since {output.moment(it.first_time)}, by {builds or 'no build'}"
        output.echo(f"{output.clean(it.handler)}: {output.clean(it.name)}  {output.faint(about)}")
        output.echo(f"  {need(it)}")
        if not found.missing_partitions:
            output.echo(f"  {advice(it)}")


def need(it: durable.Patch) -> str:
    """Returns in words which journals need which code."""
    if not (it.applied_count or it.unapplied_count):
        return "no journal of an invocation that goes on needs either branch"
    words = [
        f"{_journals(it.applied_count, 'needs', 'need')} the code with it",
        f"{_journals(it.unapplied_count, 'may need', 'may need')} the code without it",
    ]
    text = "; ".join(words)
    if it.unapplied_invocation_ids:
        named = ", ".join(it.unapplied_invocation_ids)
        more = ", …" if it.unapplied_count > len(it.unapplied_invocation_ids) else ""
        text += f": {named}{more}"
    return text


def advice(it: durable.Patch) -> str:
    """Returns what may be done with the call in the code."""
    name = output.clean(repr(it.name))
    if it.stage == "both":
        return f"keep both branches of ctx.patched({name})"
    if it.stage == "deprecated":
        return f"ctx.deprecate_patch({name}) may be removed"
    if it.deprecated:
        return f"keep ctx.deprecate_patch({name}) until these have ended"
    return (
        f"the branch without it may be removed: replace ctx.patched({name}) by"
        f" ctx.deprecate_patch({name})"
    )


def _journals(count: int, one: str, many: str) -> str:
    if count == 1:
        return f"1 journal {one}"
    return f"{count or 'no'} journals {many}"
