"""`durable backup` and `durable restore`: the stores of a data dir to another place, and back.

`durable_server.backup` and `durable_server.restore` do the work and explain it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from . import output
from .data_dir import data_dir_option
from .errors import CommandError
from .progress import progress

_PLACE: Final = "DIR|URL"


def _refuse_secret(context: click.Context, parameter: click.Parameter, url: str) -> str:
    # By name, because this package must not import the control plane.
    refused: str = import_module("durable_server.cli").refuse_secret(context, parameter, url)
    return refused


@click.command()
@click.argument("place", metavar=_PLACE)
@data_dir_option
@click.option("--list", "show", is_flag=True, help="Only list the backups that are there.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")
def backup(place: str, data_dir: Path, show: bool, as_json: bool) -> None:
    """Copy the stores of a data dir to a folder, or to S3, Google Cloud Storage or Azure.

    The control plane may run, or not. All partitions are in it as they were at one moment, so that
    they fit each other; `durable restore` makes a new system of it. A URL is s3://BUCKET/PREFIX,
    gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; credentials come from the environment, as with the
    tools of these services.

    The copies are made in the data dir first, so its disk needs room for them. The keys that sign the
    URLs of webhooks, and the secrets of their senders, are not in it.
    """
    import asyncio  # not at the top: help needs none of it

    engine = import_module("durable_server.backup")
    try:
        if show:
            _write_list(asyncio.run(engine.find_backups(place)), as_json)
            return
        with progress("backup") as bar:
            made = asyncio.run(engine.make_backup(place, data_dir, bar))
    except engine.BackupError as error:
        raise CommandError(str(error)) from error
    keys = engine.key_places(data_dir)
    if as_json:
        output.write_json({**_plain(made), "place": place, "webhook_keys": keys})
        return
    output.fields(
        (
            ("backup", made.backup_id),
            ("system", made.system_id),
            ("place", place),
            ("size", f"{_size(made.store_bytes)}, {_size(made.stored_bytes)} there"),
        )
    )
    output.table(
        ("PARTITION", "POSITION", "SIZE"),
        [
            (str(partition), f"{part.position.sequence:,}", _size(part.store_bytes))
            for partition, part in enumerate(made.parts)
        ],
    )
    output.note(
        output.faint(
            f"not in it: the keys that sign webhooks ({keys}); keep them too, for URLs that were given"
            " out"
        )
    )


@click.command()
@click.argument("place", metavar=_PLACE)
@click.option(
    "--backup", "backup_id", default="", metavar="ID", help="Which backup.  [default: the newest]"
)
@click.option(
    "--data-dir",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The data dir of the restored system; new or empty.",
)
@click.option(
    "--nats",
    "nats_url",
    default="",
    envvar="DURABLE_NATS_URL",
    metavar="URL",
    callback=_refuse_secret,
    help="Put the logs into this NATS system, not the embedded.  [env: DURABLE_NATS_URL]",
)
@click.option(
    "--replicas", default=1, show_default=True, help="Keep the logs on so many NATS servers."
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show where an error came from.")
def restore(
    place: str, backup_id: str, data_dir: Path, nats_url: str, replicas: int, as_json: bool
) -> None:
    """Make a new system of a backup; `durable server` runs it then.

    It has the same partitions and everything that the backup holds, in a new data dir, with the
    embedded NATS or with an external one that holds no system: so this is also the way from one to
    the other. Everything is verified before anything is made. If it is interrupted, run it again.

    The restored system is not the one that was backed up, and has an id of its own: the other one may
    go on beside it.
    """
    import asyncio  # not at the top: help needs none of it

    engine = import_module("durable_server.restore")
    try:
        with progress("restore") as bar:
            made = asyncio.run(
                engine.restore(
                    place,
                    data_dir,
                    backup_id=backup_id,
                    nats_url=nats_url,
                    replicas=replicas,
                    progress=bar,
                )
            )
    except engine.RestoreError as error:
        raise CommandError(str(error)) from error
    if as_json:
        system = {"system_id": made.system_id, "data_dir": str(made.data_dir)}
        output.write_json({**system, "backup": _plain(made.backup)})
        return
    output.fields(
        (
            ("restored", f"backup {made.backup.backup_id} of system {made.backup.system_id}"),
            ("system", made.system_id),
            ("partitions", str(len(made.backup.parts))),
            ("data dir", str(made.data_dir)),
        )
    )
    where = " with the same --nats" if nats_url else ""
    output.note(
        output.faint(
            f"run it: durable server --data-dir {data_dir}{where}; for the old URLs of webhooks, copy"
            " webhook.key of the old data dir into it first"
        )
    )


def _write_list(found: Any, as_json: bool) -> None:
    if as_json:
        backups = [_plain(it) for it in found.backups]
        output.write_json({"backups": backups, "incomplete": found.incomplete})
        return
    output.table(
        ("BACKUP", "SYSTEM", "TIME", "PARTITIONS", "SIZE", "THERE"),
        [
            (
                it.backup_id,
                it.system_id,
                output.moment(datetime.fromtimestamp(it.time_ms / 1000, UTC)),
                str(len(it.parts)),
                _size(it.store_bytes),
                _size(it.stored_bytes),
            )
            for it in found.backups
        ],
    )
    for path in found.incomplete:
        output.note(output.faint(f"{path} is incomplete: under way, or interrupted"))


def _plain(made: Any) -> dict[str, Any]:
    """Returns a backup for JSON."""
    return {
        "backup_id": made.backup_id,
        "system_id": made.system_id,
        "time_ms": made.time_ms,
        "partitions": [
            {
                "partition": partition,
                "position": part.position._asdict(),
                "store_bytes": part.store_bytes,
                "stored_bytes": part.stored_bytes,
            }
            for partition, part in enumerate(made.parts)
        ],
    }


def _size(count: int) -> str:
    """Returns a number of bytes for people."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
