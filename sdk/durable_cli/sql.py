"""`durable sql`: queries the store files on this machine with SQL.

It reads the files and not the control plane, so it works while that is down, and needs read access
to its data dir. `durable_server.sql` explains how it is limited to reading.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from . import output
from .data_dir import data_dir_option
from .errors import USAGE, CommandError
from .times import duration_option

_ROWS_MAX = 2**31 - 2
"""The most that SQLite's interface can count."""


@click.command()
@click.argument("statement", metavar="SELECT")
@data_dir_option
@click.option(
    "--partition",
    default=None,
    type=click.IntRange(0),
    metavar="N",
    help="Ask only this partition.  [default: all]",
)
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="At most.")
@click.option(
    "--timeout",
    default="10s",
    show_default=True,
    callback=duration_option,
    metavar="DURATION",
    help="Stop the query then.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")
def sql(
    statement: str,
    data_dir: Path,
    partition: int | None,
    limit: int,
    timeout: timedelta,
    as_json: bool,
) -> None:
    """Ask the store files with a SELECT.

    There are invocations, journal, awakeables, signals and state, with statuses as words, times in
    UTC and values as JSON, for SQLite's JSON functions.
    """
    # By name, because this package must not import the control plane.
    engine = import_module("durable_server.sql")
    try:
        answer = engine.query(data_dir, statement, min(limit, _ROWS_MAX), timeout, partition)
    except engine.SqlError as error:
        raise CommandError(str(error), USAGE) from error
    if as_json:
        rows = [map(_plain, row) for row in answer.rows]
        output.write_json([dict(zip(answer.columns, row, strict=True)) for row in rows])
    else:
        output.table(answer.columns, (tuple(map(_cell, row)) for row in answer.rows))
    if answer.more:
        output.note(output.faint(f"the first {limit} rows; --limit N for more"))


def _plain(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"x'{value.hex()}'" if isinstance(value, bytes) else str(value)
