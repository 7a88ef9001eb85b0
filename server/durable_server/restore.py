"""`durable restore`: makes a new system of a backup, in a new data dir and an empty NATS system.

    choose the backup ─► unpack and verify all stores ─► logs that begin after them ─► metadata ─► done

The restored system has the same partitions, invocations, journals and states, and an id of its own. It
is another system than the one that was backed up, which may go on beside it: from the backup on, each
has a history of its own, so their snapshots must not be mixed, nor a data dir of one be used with the
logs of the other.

Workers of the other system may still hold attempts, with steps that the backup does not have. The
attempts in the restored stores belong to workers that do not exist, so they go to others, from the
journal in the backup on, and those workers are told to abandon theirs.

The data dir is marked (`nats.datadir.RESTORING`) until everything is done, and the NATS system too
(`cluster.restored_system`). A control plane refuses both. An interrupted restore is repeated from its
beginning; if only the mark was left, it is completed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from . import __version__
from .cluster.identity import Identity, write_identity
from .cluster.metadata import PARTITIONS_MAX, Metadata, new_system_id
from .cluster.restored_system import check_free, make_restored_system
from .core.levels import FORMAT_LEVEL
from .core.limits import Limits
from .core.model import State
from .files import sync_folder
from .log.interface import LogError, Position
from .log.preflight import fit_limits
from .nats.binary import NatsBinaryError
from .nats.datadir import RESTORING, DataDir, DataDirError
from .nats.embedded import EmbeddedNats
from .nats.endpoint import EndpointSource, NatsTls, external_source
from .nats.orphans import end_orphan
from .snapshots.backups import Backup, Backups
from .snapshots.manifest import Manifest, SnapshotError
from .snapshots.object_place import ObjectPlace
from .snapshots.objects import open_objects
from .snapshots.packing import Progress, Unpacker
from .store.files import store_path
from .store.schema import MIGRATIONS, VERSION

_KEPT = {"lock", "FORMAT", RESTORING}
"""What a repeated restore leaves in the data dir."""


class RestoreError(Exception):
    """There is no restored system. The message is one line: what is wrong and what to do."""


class Restored(NamedTuple):
    """A system that was restored."""

    system_id: str
    """Its own id."""
    backup: Backup
    data_dir: Path


async def restore(
    url: str,
    data_dir: Path,
    *,
    backup_id: str = "",
    nats_url: str = "",
    replicas: int = 1,
    progress: Progress,
) -> Restored:
    """Restores a backup, by default the newest, from a folder or an object store.

    `data_dir` is new or empty. `nats_url` names an external NATS system, which must hold no system;
    without it there is the embedded one, in the data dir. `replicas` applies to an external one. Raises
    RestoreError.
    """
    with _errors():
        _check_replicas(nats_url, replicas)
        tls = NatsTls.from_environment()
        external = external_source(nats_url, tls) if nats_url else None
        backups = Backups(open_objects(url, create=False))
        backup = await backups.choose(backup_id)
        manifests = await backups.manifests(backup)
        _check(backup, manifests)
        with DataDir(data_dir, restoring=True) as data:
            system_id = _marked_id(data.path)
            if external is not None:
                await fit_limits(Limits(), external)
                if await check_free(external, system_id):
                    _unmark(data.path)
                    return Restored(system_id, backup, data.path)
            system_id = new_system_id()
            await _clear(data.path)
            _mark(data.path, system_id)
            place = backups.place(backup.system_id, backup.backup_id)
            try:
                await _unpack_all(place, manifests, data.path, progress)
            except BaseException:
                await _clear(data.path)
                _unmark(data.path)
                raise
            write_identity(data.path, Identity(system_id, len(manifests)))
            # After an error from here on the mark stays, because the system may be complete in NATS.
            async with _nats(data.path, external) as source:
                await make_restored_system(
                    source,
                    Metadata(system_id, len(manifests), FORMAT_LEVEL, __version__),
                    [it.position.sequence for it in manifests],
                    origin={"backup": backup.backup_id, "of": backup.system_id},
                    replicas=replicas,
                )
            _unmark(data.path)
            return Restored(system_id, backup, data.path)


def _check_replicas(nats_url: str, replicas: int) -> None:
    if replicas not in (1, 3, 5):
        raise RestoreError(f"--replicas {replicas} is not 1, 3 or 5")
    if replicas > 1 and not nats_url:
        raise RestoreError(
            f"--replicas {replicas} needs an external NATS cluster: name it with --nats"
        )


def _check(backup: Backup, manifests: Sequence[Manifest]) -> None:
    """Refuses what this program cannot restore."""
    count = len(manifests)
    if not 1 <= count <= PARTITIONS_MAX or any(
        (it.partition, it.partitions, it.system_id) != (number, count, backup.system_id)
        for number, it in enumerate(manifests)
    ):
        raise RestoreError(
            f"backup {backup.backup_id} is damaged: its snapshots are not those of the {count}"
            f" partitions of system {backup.system_id}"
        )
    for it in manifests:
        if it.store_version != VERSION and it.store_version not in MIGRATIONS:
            raise RestoreError(
                f"{it} has store version {it.store_version}, this program reads up to {VERSION}:"
                f" restore with the version that made the backup ({backup.program}), or a newer one"
            )


def _marked_id(data_dir: Path) -> str:
    """Returns the id of the system that an interrupted restore was making; empty for none."""
    try:
        return str(json.loads((data_dir / RESTORING).read_bytes())["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _mark(data_dir: Path, system_id: str) -> None:
    with (data_dir / RESTORING).open("w") as file:
        file.write(json.dumps({"id": system_id}))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(data_dir)


def _unmark(data_dir: Path) -> None:
    (data_dir / RESTORING).unlink()
    # If the mark came back after a power loss, a repetition would remove a system that is in use.
    sync_folder(data_dir)


async def _clear(data_dir: Path) -> None:
    """Removes what a restore has written."""
    nats = data_dir / "nats"
    await end_orphan(nats / "nats.pid", nats / "nats.conf")
    await asyncio.to_thread(_remove_all, data_dir)


def _remove_all(data_dir: Path) -> None:
    for path in data_dir.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


async def _unpack_all(
    place: ObjectPlace, manifests: Sequence[Manifest], data_dir: Path, progress: Progress
) -> None:
    total = sum(it.stored_bytes for it in manifests)
    done = 0
    progress(done, total)
    for manifest in manifests:
        path = store_path(data_dir, manifest.partition)
        with Unpacker(manifest, path) as unpacker:
            async for chunk in place.chunks(manifest):
                await asyncio.to_thread(unpacker.feed, chunk)
                done += len(chunk)
                progress(done, total)
            await asyncio.to_thread(unpacker.finish)
        await asyncio.to_thread(_prepare, path, manifest.position)


def _prepare(path: Path, position: Position) -> None:
    """Checks a store's position, and takes its attempts from their workers."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            found = Position(*db.execute("SELECT sequence, epoch, frame FROM position").fetchone())
            if found != position:
                raise RestoreError(
                    f"the store of {path.name} is at {found}, and its manifest says {position}; restore"
                    " another backup"
                )
            db.execute(
                "UPDATE invocations SET worker_id = 'before-restore-' || worker_id WHERE state = ?",
                (State.RUNNING,),
            )
    except sqlite3.Error as error:
        raise RestoreError(f"the store of {path.name} in the backup is damaged: {error}") from error


@asynccontextmanager
async def _nats(data_dir: Path, external: EndpointSource | None) -> AsyncIterator[EndpointSource]:
    """Gives the NATS system; runs the embedded one for the time of the block."""
    if external is not None:
        yield external
        return
    embedded = EmbeddedNats(data_dir / "nats")
    try:
        await embedded.start()
        yield embedded.endpoint
    finally:
        await embedded.stop()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (SnapshotError, LogError, DataDirError, NatsBinaryError, ValueError) as error:
        raise RestoreError(str(error)) from error
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise RestoreError(f"the restore failed{where}: {error.strerror or error}") from error
