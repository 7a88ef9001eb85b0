"""The place for snapshots in an object store: `--snapshots URL`, and what `durable backup` writes.

    <root>/partition-<k>/<snapshot_id>/chunk-00000
                                       ...
                                       manifest.json    written last: a snapshot without it is not there

The root is the system's id, so that several systems can share a bucket; a backup has a root of its own
below that (`backups`). Several chunks are under way at a time, because each waits for a round trip.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from itertools import islice
from typing import Any, Final

from .manifest import Manifest, SnapshotDamagedError
from .objects import Objects, open_objects

_AT_ONCE: Final = 8
"""Chunks under way at a time."""
_MANIFEST: Final = "manifest.json"
_PROBE: Final = "writable"

logger = logging.getLogger("durable.snapshots")


class ObjectPlace:
    """The snapshots below one root of an object store. Implements `place.Place`."""

    def __init__(self, objects: Objects, root: str) -> None:
        self._objects = objects
        self._root = root

    @property
    def name(self) -> str:
        """See `Place.name`."""
        return f"{self._objects.name}/{self._root}"

    async def prepare(self) -> None:
        """See `Place.prepare`. Writes a file and removes it again."""
        path = f"{self._root}/{_PROBE}"
        await self._objects.put(path, b"")
        await self._objects.delete([path])

    async def put(self, manifest: Manifest, chunks: AsyncIterable[bytes]) -> None:
        """See `Place.put`. Leftovers are older snapshots that have no manifest."""
        await self._remove_leftovers(manifest)
        folder = self._folder(manifest)
        under_way: set[asyncio.Task[None]] = set()
        try:
            number = 0
            async for chunk in chunks:
                if len(under_way) == _AT_ONCE:
                    done, under_way = await asyncio.wait(
                        under_way, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                put = self._objects.put(f"{folder}/{_chunk_name(number)}", chunk)
                under_way.add(asyncio.create_task(put))
                number += 1
            await asyncio.gather(*under_way)
        finally:
            await _cancel(under_way)
        await self._objects.put(f"{folder}/{_MANIFEST}", manifest.to_json())

    async def manifests(self, partition: int) -> list[Manifest]:
        """See `Place.manifests`."""
        root = f"{self._root}/partition-{partition}"
        ids = reversed(await self._objects.folders(root))
        found = await asyncio.gather(*(self._manifest(f"{root}/{it}") for it in ids))
        return [it for it in found if it is not None]

    async def chunks(self, manifest: Manifest) -> AsyncIterator[bytes]:
        """See `Place.chunks`."""
        folder = self._folder(manifest)
        numbers = iter(range(len(manifest.chunks)))
        under_way: deque[tuple[int, asyncio.Task[bytes | None]]] = deque()

        def begin(count: int) -> None:
            for number in islice(numbers, count):
                get = self._objects.get(f"{folder}/{_chunk_name(number)}")
                under_way.append((number, asyncio.create_task(get)))

        try:
            begin(_AT_ONCE)
            while under_way:
                number, task = under_way[0]
                data = await task
                under_way.popleft()
                if data is None:
                    raise SnapshotDamagedError(
                        f"{manifest} is damaged: chunk {number} is missing in {self.name}"
                    )
                begin(1)
                yield data
        finally:
            await _cancel(task for _, task in under_way)

    async def delete(self, manifest: Manifest) -> None:
        """See `Place.delete`."""
        await self._delete(self._folder(manifest))

    async def close(self) -> None:
        """See `Place.close`: there is nothing to release."""

    def _folder(self, manifest: Manifest) -> str:
        return f"{self._root}/partition-{manifest.partition}/{manifest.snapshot_id}"

    async def _manifest(self, folder: str) -> Manifest | None:
        data = await self._objects.get(f"{folder}/{_MANIFEST}")
        if data is None:
            return None
        try:
            return Manifest.from_json(data)
        except SnapshotDamagedError as error:
            logger.warning("%s/%s is left out: %s", self._objects.name, folder, error)
            return None

    async def _remove_leftovers(self, manifest: Manifest) -> None:
        root = f"{self._root}/partition-{manifest.partition}"
        for snapshot_id in await self._objects.folders(root):
            folder = f"{root}/{snapshot_id}"
            if (
                snapshot_id < manifest.snapshot_id
                and await self._objects.get(f"{folder}/{_MANIFEST}") is None
            ):
                await self._delete(folder)

    async def _delete(self, folder: str) -> None:
        await self._objects.delete([f"{folder}/{_MANIFEST}"])
        await self._objects.delete(await self._objects.paths(folder))


def open_place(url: str, system_id: str) -> ObjectPlace:
    """Opens the place of a system's snapshots: see `objects.open_objects` for URLs and errors."""
    return ObjectPlace(open_objects(url), system_id)


def _chunk_name(number: int) -> str:
    return f"chunk-{number:05d}"


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    cancelled = [task for task in tasks if task.cancel()]
    await asyncio.gather(*cancelled, return_exceptions=True)
