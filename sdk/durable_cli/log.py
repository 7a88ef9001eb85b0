"""`durable log`: what the partition's log holds, in plain words, for whoever must know what happened.

It reads the log itself and not the control plane, so it works while that is down. How it is kept from
writing is told in `durable_server.log_reader`, how records are told in `durable_server.log_format`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from . import output
from .errors import UNAVAILABLE, CommandError

_LAST: Final = 1000
"""Frames that are shown without --from."""
_VALUE: Final = 100
"""Characters of a value."""
_POSITION_MAX: Final = 2**63 - 1


@click.command()
@click.option(
    "--data-dir",
    default=".durable",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the control plane keeps its data.",
)
@click.option(
    "--nats",
    "nats_url",
    default="",
    envvar="DURABLE_NATS_URL",
    metavar="URL",
    help="The NATS system that holds the log, if it is not the embedded.  [env: DURABLE_NATS_URL]",
)
@click.option(
    "--from",
    "first",
    default=0,
    type=click.IntRange(0, _POSITION_MAX),
    metavar="N",
    help=f"From this position.  [default: the last {_LAST:,}; all with --invocation]",
)
@click.option(
    "--to",
    "last",
    default=0,
    type=click.IntRange(0, _POSITION_MAX),
    metavar="N",
    help="To this one.",
)
@click.option("--invocation", default="", metavar="ID", help="Only what concerns this invocation.")
@click.option("--follow", is_flag=True, help="Go on with what comes; needs a running server.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, one batch a line, uncut.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")
def log(
    data_dir: Path,
    nats_url: str,
    first: int,
    last: int,
    invocation: str,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the log of a partition.

    The log is the truth: everything that was ever answered was written here first. Each batch has its
    position, the epoch of the leader who wrote it, its number in that epoch and its time, and then its
    records, one a line. A batch that is marked as dead was written by a leader that had been replaced;
    it does not count. What a checkpoint has made superfluous is trimmed, and gone.

    Nothing is written. With a control plane that runs on the data dir its own NATS server is asked,
    with a login that can only look; else one is started for the time of the reading, and no control
    plane can start on the data dir until it is over.
    """
    import asyncio  # not at the top: help needs none of it

    # By name: this package does without the control plane.
    reading = import_module("durable_server.log_reader")
    shown = _Shown(invocation, as_json)
    try:
        asyncio.run(_show(reading, shown, data_dir, nats_url, first, last, follow))
    except reading.LogReadError as error:
        raise CommandError(str(error), UNAVAILABLE) from error


async def _show(
    reading: Any,
    shown: _Shown,
    data_dir: Path,
    nats_url: str,
    first: int,
    last: int,
    follow: bool,
) -> None:
    async with reading.opened(data_dir, nats_url, follow=follow) as reader:
        bounds = await reader.bounds()
        begin = first or (1 if shown.invocation else max((last or bounds.last) - _LAST + 1, 1))
        if begin < bounds.first:
            output.note(output.faint(f"what was before {bounds.first:,} has been trimmed"))
        elif not first and begin > bounds.first:
            output.note(output.faint(f"from {begin:,}; --from {bounds.first} for all that is kept"))
        async for seen in reader.read(begin, last, follow=follow):
            shown.write(seen)


class _Shown:
    """Writes frames as they come."""

    def __init__(self, invocation: str, as_json: bool) -> None:
        self._telling = import_module("durable_server.log_format")
        self._moment = import_module("durable_server.display").moment
        self.invocation = invocation
        self._json = as_json

    def write(self, seen: Any) -> None:
        """Writes a frame, or what of it concerns the invocation."""
        records = [] if seen.batch is None else list(seen.batch.records)
        if self.invocation:
            records = [it for it in records if self._telling.concerns(it, self.invocation)]
            if not records:
                return
        time = None if seen.batch is None else self._moment(seen.batch.time_ms)
        if self._json:
            place = {"sequence": seen.sequence}
            if seen.position is not None:
                place |= {"epoch": seen.position.epoch, "number": seen.position.number}
            told = [self._telling.plain(it) for it in records]
            rest = {"time": time, "size": seen.size, "trouble": seen.trouble, "records": told}
            output.write_json_line({**place, **rest})
            return
        head = [f"#{seen.sequence}"]
        if seen.position is not None:
            head.append(f"epoch {seen.position.epoch} batch {seen.position.number}")
        head += [time] if time else []
        head.append(f"{seen.size:,} bytes")
        output.echo(click.style("  ".join(head), bold=True))
        if seen.trouble:
            output.echo(f"  {click.style(output.clean(seen.trouble), fg='red')}")
        for record in records:
            output.echo(f"  {output.clean(self._telling.line(record, _VALUE))}")
