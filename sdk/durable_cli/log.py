"""`durable log`: the records in a partition's log, in words.

It reads the log itself and not the control plane, so it works while that is down.
`durable_server.log_reader` explains how it reads without writing; `durable_server.log_format` puts
records into words.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from . import output
from .data_dir import data_dir_option
from .errors import UNAVAILABLE, CommandError

_LAST: Final = 1000
"""How many batches are shown without --from."""
_VALUE: Final = 100
"""How many characters of a value are shown."""
_POSITION_MAX: Final = 2**63 - 1


@click.command()
@data_dir_option
@click.option(
    "--nats",
    "nats_url",
    default="",
    envvar="DURABLE_NATS_URL",
    metavar="URL",
    help="The NATS system that holds the log, if it is not the embedded.  [env: DURABLE_NATS_URL]",
)
@click.option(
    "--partition",
    default=None,
    type=click.IntRange(0),
    metavar="N",
    help="The log of this partition.  [default: that of --invocation, or 0]",
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
    partition: int | None,
    first: int,
    last: int,
    invocation: str,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the log of a partition.

    The log is the truth: everything that was ever answered was written here first. Each batch has
    its position, the epoch of the leader who wrote it, its number in that epoch and its time, and
    then its records, one a line. A batch that is marked as dead was written by a leader that had
    been replaced; it does not count. What a checkpoint has made superfluous is trimmed, and gone.

    Nothing is written. With a control plane that runs on the data dir its own NATS server is asked,
    with a login that can only look; else one is started for the time of the reading, and no
    control plane can start on the data dir until it is over.

    Each partition has a log of its own, and an invocation is in one of them. What it asks of other
    partitions is in their logs, as messages that they have received.
    """
    import asyncio  # not at the top: help needs none of it

    # By name, because this package must not import the control plane.
    log_reader = import_module("durable_server.log_reader")
    writer = _Writer(invocation, as_json)
    try:
        asyncio.run(_show(log_reader, writer, data_dir, nats_url, partition, first, last, follow))
    except log_reader.LogReadError as error:
        raise CommandError(str(error), UNAVAILABLE) from error


async def _show(
    log_reader: Any,
    writer: _Writer,
    data_dir: Path,
    nats_url: str,
    partition: int | None,
    first: int,
    last: int,
    follow: bool,
) -> None:
    async with log_reader.open_log(
        data_dir, nats_url, partition=partition, invocation_id=writer.invocation, follow=follow
    ) as reader:
        if reader.count > 1 and partition is None:
            output.note(
                output.faint(
                    f"partition {reader.partition} of {reader.count}, which are numbered from 0;"
                    " --partition N for another"
                )
            )
        bounds = await reader.bounds()
        begin = first or (1 if writer.invocation else max((last or bounds.last) - _LAST + 1, 1))
        if begin < bounds.first:
            output.note(output.faint(f"what was before {bounds.first:,} has been trimmed"))
        elif not first and begin > bounds.first:
            output.note(output.faint(f"from {begin:,}; --from {bounds.first} for all that is kept"))
        async for seen in reader.read(begin, last, follow=follow):
            writer.write(seen)
        if writer.invocation and not writer.written:
            output.note(f"nothing here concerns {writer.invocation}: check the id, or --from")


class _Writer:
    """Writes batches as they are read."""

    def __init__(self, invocation: str, as_json: bool) -> None:
        self._format = import_module("durable_server.log_format")
        self._moment = import_module("durable_server.display").timestamp_text
        self.invocation = invocation
        self.written = 0
        """How many batches were written."""
        self._json = as_json

    def write(self, seen: Any) -> None:
        """Writes a batch, or those of its records that concern the invocation."""
        records = [] if seen.batch is None else list(seen.batch.records)
        if self.invocation:
            records = [it for it in records if self._format.is_about(it, self.invocation)]
            if not records:
                return
        self.written += 1
        time = None if seen.batch is None else self._moment(seen.batch.time_ms)
        if self._json:
            place = {"sequence": seen.sequence}
            if seen.position is not None:
                place |= {"epoch": seen.position.epoch, "number": seen.position.number}
            plain = [self._format.to_json(it, self.invocation) for it in records]
            more = {"time": time, "size": seen.size, "trouble": seen.problem, "records": plain}
            output.write_json_line({**place, **more})
            return
        head = [f"#{seen.sequence}"]
        if seen.position is not None:
            head.append(f"epoch {seen.position.epoch} batch {seen.position.number}")
        head += [time] if time else []
        head.append(f"{seen.size:,} bytes")
        output.echo(click.style("  ".join(head), bold=True))
        if seen.problem:
            output.echo(f"  {click.style(output.clean(seen.problem), fg='red')}")
        for record in records:
            output.echo(f"  {output.clean(self._format.to_text(record, _VALUE))}")
            for sequence, message in self._format.messages_about(record, self.invocation):
                text = output.clean(self._format.to_text(message, _VALUE))
                output.echo(f"    {sequence}: {text}")
