"""The manifest of a snapshot: what the snapshot is of, and the digests by which it is verified.

A snapshot is a partition's store with the log position that is inside it, compressed and cut into
chunks. The manifest is written after the chunks, so a snapshot that has a manifest is complete. It is
JSON, so that an operator can read it.

A digest is BLAKE2b with 32 bytes, in hexadecimal. The chunks' digests find damage early and name the
chunk; the digest of the whole store is what finally counts.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..log.interface import Position

MANIFEST_VERSION = 1
"""The version of the manifest and of the packing that it describes: one stream of zstd."""
_DIGEST_BYTES = 32
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SNAPSHOT_ID = re.compile(r"[0-9]{13}-[0-9a-f]{8}")


class SnapshotError(Exception):
    """The base class of the errors of snapshots."""


class SnapshotDamagedError(SnapshotError):
    """A snapshot is incomplete or is not what was written."""


class Chunk(NamedTuple):
    """One chunk as it is stored, compressed."""

    size: int
    """In bytes."""
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one snapshot is of, and what it consists of."""

    snapshot_id: str
    """Sorts by age; see `new_snapshot_id`."""
    system_id: str
    """The id in the system's metadata record."""
    partition: int
    partitions: int
    """How many partitions the system has."""
    position: Position
    """The position in the store, up to which the store holds the log."""
    time_ms: int
    """When the store was copied, in milliseconds since 1970."""
    store_version: int
    store_bytes: int
    """The size of the store's file."""
    store_digest: str
    """The digest of the store's file."""
    chunks: tuple[Chunk, ...]

    def __str__(self) -> str:
        """Names the snapshot in messages."""
        return f"snapshot {self.snapshot_id} of partition {self.partition}"

    @property
    def stored_bytes(self) -> int:
        """The size of all chunks."""
        return sum(it.size for it in self.chunks)

    def to_json(self) -> bytes:
        """Returns the manifest as JSON."""
        return json.dumps(
            {
                "manifest_version": MANIFEST_VERSION,
                "snapshot_id": self.snapshot_id,
                "system_id": self.system_id,
                "partition": self.partition,
                "partitions": self.partitions,
                "position": self.position._asdict(),
                "time_ms": self.time_ms,
                "store_version": self.store_version,
                "store_bytes": self.store_bytes,
                "store_digest": self.store_digest,
                # Pairs, because a large store has thousands of chunks.
                "chunks": self.chunks,
            },
            separators=(",", ":"),
        ).encode()

    @staticmethod
    def from_json(data: bytes) -> Manifest:
        """Reads a manifest; raises SnapshotDamagedError."""
        try:
            return _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotDamagedError(
                f"the manifest of a snapshot is damaged ({error!r}): {data[:100]!r}"
            ) from error


def new_snapshot_id(time_ms: int) -> str:
    """Returns a new id for a snapshot that is made at this time, in milliseconds since 1970."""
    return f"{time_ms:013d}-{secrets.token_hex(4)}"


def digest(data: bytes) -> str:
    """Returns the digest of these bytes."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


class Digester:
    """The digest of bytes that come in parts."""

    def __init__(self) -> None:
        self.size = 0
        """How many bytes there were."""
        self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def add(self, data: bytes) -> None:
        """Adds the next bytes."""
        self.size += len(data)
        self._hash.update(data)

    def digest(self) -> str:
        """Returns the digest of all bytes so far."""
        return self._hash.hexdigest()


def _read(record: dict[str, Any]) -> Manifest:
    version = int(record["manifest_version"])
    if version != MANIFEST_VERSION:
        raise SnapshotDamagedError(
            f"the manifest of a snapshot has version {version}, and this program reads"
            f" {MANIFEST_VERSION}: use the program that wrote it, or a newer one"
        )
    position = record["position"]
    return Manifest(
        snapshot_id=_matched(_SNAPSHOT_ID, record["snapshot_id"]),
        system_id=str(record["system_id"]),
        partition=_natural(record["partition"]),
        partitions=_natural(record["partitions"]),
        position=Position(*(_natural(position[it]) for it in Position._fields)),
        time_ms=_natural(record["time_ms"]),
        store_version=_natural(record["store_version"]),
        store_bytes=_natural(record["store_bytes"]),
        store_digest=_matched(_DIGEST, record["store_digest"]),
        chunks=tuple(
            Chunk(_natural(size), _matched(_DIGEST, found)) for size, found in record["chunks"]
        ),
    )


def _natural(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a natural number")
    return value


def _matched(pattern: re.Pattern[str], value: str) -> str:
    if pattern.fullmatch(value) is None:
        raise ValueError(f"{value!r} has another form")
    return value
