"""Backups: sets of snapshots, one of each partition, that fit each other.

    <place>/<system id>/backup-<backup id>/partition-<k>/<snapshot id>/...  as in `object_place`
                                           backup.json     written last: without it, it is incomplete

`backup.json` names the snapshots of one cut (`cut`). Each backup has a folder of its own, which can be
copied, moved and deleted as a whole, and nothing else is removed from the place by this program.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from ..log.interface import Position
from .manifest import Manifest, SnapshotDamagedError, SnapshotError
from .object_place import ObjectPlace
from .objects import Objects

BACKUP_VERSION: Final = 1
"""The version of `backup.json`."""
_FILE: Final = "backup.json"
_PREFIX: Final = "backup-"


class BackupNotFoundError(SnapshotError):
    """There is no such backup. The message says what there is."""


class BackupPart(NamedTuple):
    """The snapshot of one partition in a backup."""

    snapshot_id: str
    position: Position
    store_bytes: int
    stored_bytes: int
    """The size of its chunks, which are compressed."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup."""

    backup_id: str
    """Sorts by age; see `new_backup_id`."""
    system_id: str
    time_ms: int
    """When the stores were as they are in it, in milliseconds since 1970."""
    program: str
    """The version of the program that has made it."""
    parts: tuple[BackupPart, ...]
    """Those of partitions 0, 1, ..."""

    @property
    def store_bytes(self) -> int:
        """The size of all stores."""
        return sum(it.store_bytes for it in self.parts)

    @property
    def stored_bytes(self) -> int:
        """What it takes in its place."""
        return sum(it.stored_bytes for it in self.parts)

    def to_json(self) -> bytes:
        """Returns the backup as JSON."""
        return json.dumps(
            {
                "backup_version": BACKUP_VERSION,
                "backup_id": self.backup_id,
                "system_id": self.system_id,
                "time_ms": self.time_ms,
                "program": self.program,
                "parts": [{**it._asdict(), "position": it.position._asdict()} for it in self.parts],
            },
            indent=2,
        ).encode()

    @staticmethod
    def from_json(data: bytes) -> Backup:
        """Reads a backup; raises SnapshotDamagedError."""
        try:
            record: dict[str, Any] = json.loads(data)
            version = int(record["backup_version"])
            if version != BACKUP_VERSION:
                raise SnapshotDamagedError(
                    f"the backup has version {version}, and this program reads {BACKUP_VERSION}: use"
                    " the program that wrote it, or a newer one"
                )
            return Backup(
                str(record["backup_id"]),
                str(record["system_id"]),
                int(record["time_ms"]),
                str(record["program"]),
                tuple(
                    BackupPart(
                        str(it["snapshot_id"]),
                        Position(*(int(it["position"][name]) for name in Position._fields)),
                        int(it["store_bytes"]),
                        int(it["stored_bytes"]),
                    )
                    for it in record["parts"]
                ),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SnapshotDamagedError(f"{_FILE} is damaged ({error!r}): {data[:100]!r}") from error


class Found(NamedTuple):
    """What is in a place."""

    backups: list[Backup]
    """The complete ones, the newest first."""
    incomplete: list[str]
    """The paths of those that were interrupted, are being made, or cannot be read."""


class Backups:
    """The backups in one place."""

    def __init__(self, objects: Objects) -> None:
        self.name = objects.name
        """The place, for people."""
        self._objects = objects

    def place(self, system_id: str, backup_id: str) -> ObjectPlace:
        """Returns where the snapshots of a backup are."""
        return ObjectPlace(self._objects, f"{system_id}/{_PREFIX}{backup_id}")

    async def add(self, backup: Backup) -> None:
        """Completes a backup whose snapshots are in their place. Raises PlaceError."""
        await self._objects.put(_path(backup.system_id, backup.backup_id), backup.to_json())

    async def find(self) -> Found:
        """Returns the backups of all systems in this place. Raises PlaceError."""
        folders = [
            (system_id, folder)
            for system_id in await self._objects.folders("")
            for folder in await self._objects.folders(system_id)
            if folder.startswith(_PREFIX)
        ]

        async def read(system_id: str, folder: str) -> Backup | None:
            data = await self._objects.get(_path(system_id, folder.removeprefix(_PREFIX)))
            try:
                return None if data is None else Backup.from_json(data)
            except SnapshotDamagedError:
                return None

        read_all = await asyncio.gather(*(read(*it) for it in folders))
        return Found(
            sorted((it for it in read_all if it), key=lambda it: it.backup_id, reverse=True),
            [
                f"{self.name}/{system_id}/{folder}"
                for (system_id, folder), found in zip(folders, read_all, strict=True)
                if found is None
            ],
        )

    async def choose(self, backup_id: str = "") -> Backup:
        """Returns the backup of this id, or the newest one if all are of one system.

        Raises BackupNotFoundError and PlaceError.
        """
        found = await self.find()
        if not found.backups:
            more = f"; {found.incomplete[0]} is incomplete" if found.incomplete else ""
            raise BackupNotFoundError(f"there is no backup in {self.name}{more}")
        chosen = [it for it in found.backups if backup_id in ("", it.backup_id)]
        if not chosen:
            raise BackupNotFoundError(
                f"there is no complete backup {backup_id} in {self.name}; the newest is"
                f" {found.backups[0].backup_id}, and `durable backup {self.name} --list` shows all"
            )
        if len({it.system_id for it in chosen}) > 1:
            raise BackupNotFoundError(
                f"{self.name} has backups of several systems: choose one with --backup ID; `durable"
                f" backup {self.name} --list` shows all"
            )
        return chosen[0]

    async def manifests(self, backup: Backup) -> Sequence[Manifest]:
        """Returns the manifests of a backup's snapshots, those of partitions 0, 1, ...

        Raises SnapshotDamagedError when one is missing or is not that of the backup; PlaceError.
        """
        place = self.place(backup.system_id, backup.backup_id)
        manifests: list[Manifest] = []
        for partition, part in enumerate(backup.parts):
            for it in await place.manifests(partition):
                if (it.snapshot_id, it.position) == (part.snapshot_id, part.position):
                    manifests.append(it)
                    break
            else:
                raise SnapshotDamagedError(
                    f"backup {backup.backup_id} is damaged: the snapshot {part.snapshot_id} of"
                    f" partition {partition} is not in {place.name}"
                )
        return manifests


def new_backup_id(time_ms: int) -> str:
    """Returns a new id for a backup of this time: the time in UTC, and a random part."""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{time:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _path(system_id: str, backup_id: str) -> str:
    return f"{system_id}/{_PREFIX}{backup_id}/{_FILE}"
