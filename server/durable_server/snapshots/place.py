"""The interface of a place where snapshots are kept: the NATS system, or an object store.

A place belongs to one system. Its methods may be called again after each error.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Protocol

from .manifest import Manifest, SnapshotError


class PlaceError(SnapshotError):
    """The place cannot be read or written now. The message says why, and what to do if it stays so."""


class PlaceUnsuitableError(PlaceError):
    """The place cannot keep snapshots as it is configured; no retry changes that."""


class Place(Protocol):
    """Keeps the snapshots of one system. All methods may raise PlaceError."""

    @property
    def name(self) -> str:
        """The place for people, as in `s3://bucket/prefix`; without credentials."""
        ...

    async def prepare(self) -> None:
        """Makes what is missing, and checks that snapshots can be written.

        Called once, before the first `put` of a process, but not before the other methods. Raises
        PlaceUnsuitableError.
        """
        ...

    async def put(self, manifest: Manifest, chunks: AsyncIterable[bytes]) -> None:
        """Keeps a snapshot: its chunks, and then its manifest.

        Before the manifest is there the snapshot is not listed. What an interrupted put of the same
        partition has left is removed by the next one.
        """
        ...

    async def manifests(self, partition: int) -> list[Manifest]:
        """Returns the manifests of a partition's snapshots, the newest first.

        A manifest that cannot be read is left out, with a warning.
        """
        ...

    def chunks(self, manifest: Manifest) -> AsyncIterator[bytes]:
        """Yields a snapshot's chunks as they are stored.

        Also raises SnapshotDamagedError when one is missing. The caller verifies their digests.
        """
        ...

    async def delete(self, manifest: Manifest) -> None:
        """Removes a snapshot, the manifest first; does nothing when it is not there."""
        ...

    async def close(self) -> None:
        """Releases what the place holds."""
        ...
