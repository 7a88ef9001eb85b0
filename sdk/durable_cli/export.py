"""`durable export`: writes invocations to stdout, with all that their replay elsewhere needs.

Each is a line of JSON, so that `durable replay` and `durable preflight --file` can read many from one
file. Values stay encoded unless they are to be decoded, because the file leaves the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from . import output
from .client_command import ClientContext, client_command
from .errors import NOT_FOUND, CommandError
from .filters import filter_options, filters_of
from .incomplete import query_up_to
from .progress import progress

if TYPE_CHECKING:
    import durable

SECONDS: Final = 30.0
"""How long one export may take: a journal has up to 48 MiB."""


@click.command()
@click.argument("invocation_ids", nargs=-1, metavar="[ID]...")
@filter_options
@click.option("--all", "everything", is_flag=True, help="All invocations.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, the newest.")
@click.option("--redact", is_flag=True, help="Take the values out and leave their shape.")
@click.option("--decode", is_flag=True, help="Decode the values by the codec endpoint.")
@client_command
def export(
    context: ClientContext,
    invocation_ids: Sequence[str],
    everything: bool,
    limit: int | None,
    redact: bool,
    decode: bool,
    **options: Any,
) -> None:
    """Write invocations for a replay elsewhere, each as a line of JSON.

    They are given by ID or by filters.
    """
    from durable._client.live_preflight import exported_runs

    filters = filters_of(options)
    if invocation_ids and (filters or everything or limit):
        raise click.UsageError("give ids or filters, not both")
    if not (invocation_ids or filters or everything):
        raise click.UsageError("say what to export: ids, filters such as --handler, or --all")
    if decode and not context.codec_endpoint:
        raise click.UsageError("--decode needs --codec-endpoint URL, which decodes the values")
    if not decode:
        context = replace(context, codec_endpoint="")
    with context.client(SECONDS) as client, progress("export") as bar:
        ids = invocation_ids
        if not ids:
            filters["page_size"] = min(limit or 500, 500)
            ids = [it.invocation_id for it in query_up_to(client, filters, limit)]
            if not ids:
                output.note("no invocation matches")
        for done, (invocation_id, run) in enumerate(
            zip(ids, exported_runs(client, ids), strict=True), start=1
        ):
            if run is None:
                if invocation_ids:
                    raise CommandError(f"no invocation {invocation_id}", NOT_FOUND)
                continue  # removed meanwhile
            if decode:
                _check_decoded(run)
            output.echo((run.redacted() if redact else run).to_json())
            if len(ids) > 1:
                bar(done, len(ids))


def _check_decoded(run: durable.ExportedRun) -> None:
    """Raises CommandError if a value is still encoded."""
    from durable._common.codecs.interface import is_encoded, problem_of
    from durable._common.codecs.messages import payloads_of

    for payload in payloads_of(run.message):
        if is_encoded(payload):
            raise CommandError(str(problem_of(payload, f"a value of {run.invocation_id}")))
