"""Bulk changes: applies one change to many invocations, after a question, and reports what failed.

The user gives either ids or filters; to change everything needs `--all`. Filters are evaluated
before the first change, so that the number in the question is the number of changes. An invocation
whose status has changed since then refuses the change, and is reported at the end. Changes run
concurrently, because a pause waits for steps. Ctrl-C stops after the changes in flight, and reports
what was done.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from . import output
from .client_command import CALL_SECONDS, ClientContext, client_command
from .errors import FAILED, INTERRUPTED, CommandError, exit_code, one_line
from .filters import filter_options, filters_of
from .incomplete import query_up_to
from .listing import write_table

if TYPE_CHECKING:
    import durable

_CONCURRENCY: Final = 8
_PAGE: Final = 500
_REFUSALS_SHOWN: Final = 10

Change = Callable[["durable.Client", str], str]
"""Changes one invocation; returns its status after that, or a new id."""


class _Done(NamedTuple):
    invocation_id: str
    result: str
    error: Exception | None


_OPTIONS: Final = (
    click.option("--all", "everything", is_flag=True, help="All for which it is possible."),
    click.option("--dry-run", is_flag=True, help="Only list what would be changed."),
    click.option("--yes", is_flag=True, help="Do not ask."),
)


def bulk_command(function: Callable[..., None]) -> Callable[..., None]:
    """Adds ids, filters and the common options to a command."""
    decorated = client_command(function)
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    decorated = filter_options(decorated)
    return click.argument("invocation_ids", nargs=-1, metavar="[ID]...")(decorated)


def run(
    context: ClientContext,
    action: str,
    possible: Iterable[str],
    change: Change,
    options: dict[str, Any],
    *,
    timeout: float = CALL_SECONDS,
) -> None:
    """Changes the chosen invocations; filters match only the statuses in `possible`."""
    ids: tuple[str, ...] = options.pop("invocation_ids")
    everything, dry_run, yes = (options.pop(it) for it in ("everything", "dry_run", "yes"))
    filters = filters_of(options)
    if ids and (filters or everything):
        raise click.UsageError("give ids or filters, not both")
    if not (ids or filters or everything):
        raise click.UsageError(f"say what to {action}: ids, filters such as --handler, or --all")
    with context.client(timeout) as client:
        if not ids or dry_run:
            chosen = _chosen(client, ids, filters, possible)
            ids = tuple(it.invocation_id for it in chosen)
            if dry_run:
                _write_plan(context, action, chosen)
                return
            if not yes and ids:
                _ask(action, len(ids))
        done = _change_all(client, action, ids, change)
    _write_done(context, action, done, left=len(ids) - len(done))


def _chosen(
    client: durable.Client,
    ids: tuple[str, ...],
    filters: durable.Filters,
    possible: Iterable[str],
) -> list[durable.Invocation]:
    if ids:
        return [client.get(it) for it in ids]
    filters.setdefault("status", tuple(possible))
    filters["page_size"] = _PAGE
    return query_up_to(client, filters, None)


def _ask(action: str, count: int) -> None:
    what = f"{action} {count} invocation{'s' * (count != 1)}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"would {what}; add --yes, since nobody can be asked here")
    click.confirm(f"{what.capitalize()}?", abort=True, err=True)


def _change_all(
    client: durable.Client, action: str, ids: tuple[str, ...], change: Change
) -> list[_Done]:
    def one(invocation_id: str) -> _Done:
        try:
            return _Done(invocation_id, change(client, invocation_id), None)
        except Exception as error:  # noqa: BLE001  # reported at the end, with the others
            return _Done(invocation_id, "", error)

    if len(ids) == 1:
        return [one(ids[0])]
    progress = (
        click.progressbar(length=len(ids), label=action, file=sys.stderr)
        if sys.stderr.isatty()
        else nullcontext()
    )
    with ThreadPoolExecutor(_CONCURRENCY) as threads, progress as bar:
        changes: list[Future[_Done]] = []
        try:
            changes.extend(threads.submit(one, it) for it in ids)
            for _ in as_completed(changes):
                if bar is not None:
                    bar.update(1)
        except KeyboardInterrupt:
            for pending in changes:
                pending.cancel()
    return [it.result() for it in changes if not it.cancelled()]


def _write_plan(context: ClientContext, action: str, chosen: list[durable.Invocation]) -> None:
    if context.json:
        output.write_json(
            {
                "operation": action,
                "dry_run": True,
                "invocations": [it.to_dict(brief=True) for it in chosen],
            }
        )
        return
    write_table(chosen)
    output.note(f"would {action} {len(chosen)}")


def _write_done(context: ClientContext, action: str, done: list[_Done], left: int) -> None:
    """Writes each result; raises if some were refused, or if `left` were not tried."""
    refused = [(it, it.error) for it in done if it.error is not None]
    if context.json:
        results = [
            {
                "invocation_id": it.invocation_id,
                "result": it.result or None,
                "error": None if it.error is None else one_line(it.error),
            }
            for it in done
        ]
        output.write_json({"operation": action, "dry_run": False, "results": results})
    else:
        for it in done:
            if it.error is None:
                output.echo(f"{it.invocation_id}  {output.coloured(it.result)}")
        if not done:
            output.note("no invocation matches")
    if len(done) == 1 and refused and not left:
        raise refused[0][1]
    for it, error in refused[:_REFUSALS_SHOWN]:
        output.note(output.clean(f"{it.invocation_id}: {one_line(error)}"))
    if left:
        raise CommandError(
            f"{action}: interrupted; {len(done) - len(refused)} are done, {len(refused)} refused,"
            f" {left} as they were",
            INTERRUPTED,
        )
    if refused:
        codes = {exit_code(error) for _, error in refused}
        raise CommandError(
            f"{action}: {len(refused)} of {len(done)} refused",
            codes.pop() if len(codes) == 1 else FAILED,
        )
