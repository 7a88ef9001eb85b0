"""`durable backup`: copies the stores of a data dir to another place, while a control plane may run.

    stores ── one cut ──► copies in the data dir ── compress ──► snapshots in the place ──► backup.json

It needs no lock: other processes may read a store at any time. The cut lasts as long as the stores are
copied locally. Compressing and sending come after that, and may take their time. The copies need as
much room on the data dir's disk as the stores.

It needs neither NATS nor a running control plane: the stores alone are a state of the system. What was
acknowledged before the command began is in it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from . import __version__
from .cluster.identity import Identity, IdentityError, read_identity
from .log.interface import Position
from .snapshots.backups import Backup, BackupPart, Backups, Found, new_backup_id
from .snapshots.cut import open_cut
from .snapshots.manifest import Manifest, SnapshotError, new_snapshot_id
from .snapshots.objects import open_objects
from .snapshots.packing import Packed, Progress, check_room, pack
from .store.files import store_partitions, store_path

_SCRATCH: Final = "backup.tmp-"
"""What the name of a folder with copies begins with. What is left of an interrupted backup is found by
it and removed, so it must be no name that an operator would give to a place for backups.
"""


class BackupError(Exception):
    """There is no backup. The message is one line: what is wrong and what to do."""


class _Copy(NamedTuple):
    """The copy of one store."""

    path: Path
    position: Position
    store_version: int


async def make_backup(url: str, data_dir: Path, progress: Progress) -> Backup:
    """Makes a backup of the stores of a data dir in a folder or an object store.

    `progress` may be called in other threads. Raises BackupError.
    """
    with _errors():
        backups = Backups(open_objects(url))
        identity = _identity(data_dir)
        steps = _Steps(progress)
        with _scratch_folder(data_dir) as scratch, steps:
            time_ms = time.time_ns() // 1_000_000
            backup_id = new_backup_id(time_ms)
            place = backups.place(identity.id, backup_id)
            await place.prepare()
            copies = await asyncio.to_thread(_copy, data_dir, identity, scratch, steps)
            parts: list[BackupPart] = []
            for partition, copy in enumerate(copies):
                packed = await asyncio.to_thread(pack, copy.path, scratch / "packed", steps.within)
                steps.ended(packed.store_bytes)
                copy.path.unlink()
                manifest = Manifest(
                    new_snapshot_id(time_ms),
                    identity.id,
                    partition,
                    identity.partitions,
                    copy.position,
                    time_ms,
                    copy.store_version,
                    packed.store_bytes,
                    packed.store_digest,
                    packed.chunks,
                )
                await place.put(manifest, _counted(packed, steps))
                steps.ended(packed.store_bytes)
                size = manifest.stored_bytes
                part = BackupPart(manifest.snapshot_id, copy.position, packed.store_bytes, size)
                parts.append(part)
        backup = Backup(backup_id, identity.id, time_ms, __version__, tuple(parts))
        await backups.add(backup)
        return backup


async def find_backups(url: str) -> Found:
    """Returns what is in a place. Raises BackupError."""
    with _errors():
        return await Backups(open_objects(url, create=False)).find()


def key_places(data_dir: Path) -> str:
    """Returns where the keys are that sign the URLs of webhooks, which no backup has, for people."""
    own = data_dir / "webhook.key"
    return (
        str(own) if own.exists() else "those of --webhook-key-file or DURABLE_WEBHOOK_KEY, if any"
    )


class _Steps:
    """The progress over all steps: each store is copied, packed and sent.

    A context manager: once it is left, because the command was interrupted, a step in a thread ends.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = 0
        self._before = 0
        self._left = False

    def begin(self, store_bytes: int) -> None:
        """Notes the size of all stores."""
        self._total = 3 * store_bytes
        self.within(0, 0)

    def within(self, done: int, _total: int) -> None:
        """Notes how far a step is."""
        if self._left:
            raise BackupError("the backup was interrupted")
        self._progress(min(self._before + done, self._total), self._total)

    def ended(self, store_bytes: int) -> None:
        """Notes that a step with a store of this size is done."""
        self._before += store_bytes
        self.within(0, 0)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._left = True


def _identity(data_dir: Path) -> Identity:
    stores = store_partitions(data_dir)
    if not stores:
        raise BackupError(f"there is no store in {data_dir}; name the place with --data-dir")
    found = read_identity(data_dir)
    if found is not None:
        return found
    # No control plane has started here since there are identities. The stores are all there is.
    return Identity(secrets.token_hex(16), stores[-1] + 1)


def _copy(data_dir: Path, identity: Identity, scratch: Path, steps: _Steps) -> Sequence[_Copy]:
    """Copies all stores as they are at one moment."""
    copies: list[_Copy] = []
    with open_cut(data_dir, identity.partitions) as views:
        sizes = [store_path(data_dir, it).stat().st_size for it in range(len(views))]
        # The packed files are smaller, and there one at a time.
        check_room(scratch, sum(sizes) + max(sizes), f"a copy of the stores in {data_dir}")
        steps.begin(sum(sizes))
        for partition, (view, size) in enumerate(zip(views, sizes, strict=True)):
            path = scratch / f"partition-{partition}"
            view.copy(path, steps.within)
            copies.append(_Copy(path, view.position, view.version))
            steps.ended(size)
    return copies


async def _counted(packed: Packed, steps: _Steps) -> AsyncIterator[bytes]:
    """Yields the chunks; each counts for its part of the store."""
    stored = sum(it.size for it in packed.chunks)
    sent = 0
    for chunk in packed.read():
        yield chunk
        sent += len(chunk)
        steps.within(packed.store_bytes * sent // stored, packed.store_bytes)


@contextmanager
def _scratch_folder(data_dir: Path) -> Iterator[Path]:
    """Makes a folder for the time of the block; removes those of backups that were interrupted."""
    for old in data_dir.glob(f"{_SCRATCH}*"):
        with _locked(old) as unused:
            if unused:
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=data_dir))
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Locks a folder; says whether that was possible, so that nobody else has it locked."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(opened)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (SnapshotError, IdentityError) as error:
        raise BackupError(str(error)) from error
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise BackupError(f"the backup failed{where}: {error.strerror or error}") from error
