"""`durable preflight`: tells which live invocations new code would hold, before it is deployed.

The journals of what has not ended are replayed in this process with the code of some modules. No worker
is involved and nothing is changed. The exit code is 1 if something was found, for CI.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from . import modules as user_modules
from . import output
from .client_command import ClientContext, client_command
from .errors import UNAVAILABLE, CommandError
from .export import SECONDS
from .filters import filter_options, filters_of
from .incomplete import warn_missing
from .progress import progress
from .times import duration_option

if TYPE_CHECKING:
    import durable


@click.command()
@click.argument("modules", nargs=-1, required=True, metavar="MODULE[:NAME,...]...")
@filter_options
@click.option("--id", "ids", multiple=True, metavar="ID", help="This one; may be repeated.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, the newest.")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="So many of them at random.")
@click.option("--only-served", is_flag=True, help="Only of handlers that MODULE... has.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Replay exported invocations instead.",
)
@user_modules.CODEC
@click.option(
    "--replay-timeout",
    default="10s",
    show_default=True,
    callback=duration_option,
    metavar="DURATION",
    help="How long one replay may take.",
)
@client_command
def preflight(
    context: ClientContext,
    modules: Sequence[str],
    ids: Sequence[str],
    limit: int | None,
    sample: int | None,
    only_served: bool,
    file: Path | None,
    codec: str,
    replay_timeout: timedelta,
    **options: Any,
) -> None:
    """Replay live invocations with the code in MODULE..., without effects.

    Tells which it would hold or fail, and where. MODULE is a module's name or a .py file.
    """
    from durable import ExportedRun
    from durable._client.live_preflight import Chosen, choose, preflight_live
    from durable._timetravel.preflight import Preflight

    if not replay_timeout:
        raise click.UsageError("--replay-timeout is 0, and no replay is that fast: give 1s or more")
    filters = filters_of(options)
    if file is not None and (filters or ids or limit or sample):
        raise click.UsageError("--file has its invocations: filters, ids and numbers do not apply")
    if ids and (filters or limit or sample):
        raise click.UsageError("give ids or filters, not both")
    if limit and sample:
        raise click.UsageError("give --limit or --sample, not both")
    workflows = user_modules.load(modules)
    seconds = replay_timeout.total_seconds()
    if file is not None:
        try:
            runs = ExportedRun.read(file)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if only_served:
            runs = [it for it in runs if it.handler in workflows]
        decoding = user_modules.load_codec(codec)
        with (
            progress("preflight") as bar,
            Preflight(workflows, codec=decoding, seconds=seconds) as found,
        ):
            for done, run in enumerate(runs, start=1):
                found.add(run)
                bar(done, len(runs))
        report = found.report
    else:
        if codec:
            context = replace(context, codec_endpoint="")
        with context.client(SECONDS) as client:
            chosen = Chosen(ids)
            if not ids:
                served = workflows if only_served else None
                chosen = choose(client, filters, limit=limit, sample=sample, handlers=served)
                warn_missing(chosen.missing_partitions, "invocations were not looked at")
            with progress("preflight") as bar:
                report = preflight_live(
                    client,
                    workflows,
                    chosen,
                    codec=user_modules.load_codec(codec),
                    seconds=seconds,
                    progress=bar,
                )
    if context.json:
        output.write_json(report.to_dict())
    else:
        output.write_text(str(report))
    if not report.ok:
        bad = sum(it.count for it in report.problems)
        raise CommandError(f"preflight: {bad} of {report.count} would not go on with this code")
    if report.missing_partitions:
        raise CommandError(
            "preflight: nothing was found, and not all invocations were looked at", UNAVAILABLE
        )


class Check:
    """Replays one invocation after another with the code of modules, for a command that moves them.

    A context manager, because code that never comes to rest is given up; see `Preflight`.
    """

    def __init__(self, modules: Sequence[str], codec: str = "") -> None:
        from durable._timetravel.preflight import Preflight

        decoding = user_modules.load_codec(codec)
        self._preflight = Preflight(user_modules.load(modules), codec=decoding)
        self._lock = Lock()

    def __enter__(self) -> Check:
        self._preflight.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._preflight.__exit__()

    def __call__(self, client: durable.Client, invocation_id: str) -> None:
        """Replays an invocation as it is now.

        Raises CommandError if the code would not go on with it.
        """
        run = client.export(invocation_id)
        with self._lock:
            found = self._preflight.replay(run)
        if found.is_problem:
            raise CommandError(f"this code would not go on with it: {found.text}")
