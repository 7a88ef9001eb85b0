"""`durable repin`: moves invocations to another build, one or many.

A build whose code does not fit a journal would hold the invocation. So the journals are replayed first
with the code of `--module`, without effects, and those that would be held stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from . import bulk
from . import modules as user_modules
from .client_command import ClientContext
from .filters import UNFINISHED
from .preflight import Check

if TYPE_CHECKING:
    import durable

_ANY: Final = "any"


@click.command()
@bulk.bulk_command
@click.option("--to", "build_id", required=True, metavar="BUILD", help="To this build, or 'any'.")
@click.option("--from", "from_build", metavar="BUILD", help="All that are pinned to this build.")
@click.option(
    "--module", "modules", multiple=True, metavar="MODULE", help="The code of that build."
)
@user_modules.CODEC
@click.option("--no-preflight", is_flag=True, help="Do not replay the journals with the new code.")
@click.option("--reason", default="", help="Why, for whoever looks at it later.")
def repin(
    context: ClientContext,
    build_id: str,
    from_build: str | None,
    modules: Sequence[str],
    codec: str,
    no_preflight: bool,
    reason: str,
    **options: Any,
) -> None:
    """Move invocations to another build, by ID or by filters.

    Workers of that build go on with them, whatever their handlers say.
    """
    if not build_id:  # such as an unset variable of a shell: it must not unpin
        raise click.UsageError("--to is empty: give a build, or 'any'")
    if from_build:
        if options["pinned_to"]:
            raise click.UsageError("--from and --pinned-to are the same filter: give one")
        options["pinned_to"] = from_build
    if no_preflight and modules:
        raise click.UsageError("--no-preflight needs no --module: give one of them")
    checked = not (no_preflight or options["dry_run"])
    if checked and not modules:
        raise click.UsageError(
            "give the code of that build with --module, so that the journals are replayed with it"
            " first; or --no-preflight"
        )
    with Check(modules, codec) if checked else nullcontext() as check:

        def change(client: durable.Client, invocation_id: str) -> str:
            if check is not None:
                check(client, invocation_id)
            build = None if build_id == _ANY else build_id
            return client.repin(invocation_id, build, reason=reason)

        bulk.run(context, "repin", UNFINISHED, change, options)
