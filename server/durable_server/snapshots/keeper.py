"""The keeper: makes the snapshots of the partitions that a process leads, one at a time, and keeps two
of each.

A new snapshot of a partition is due when, since the last one, at least as many bytes were appended to
its log as `trim_bytes` and as the store had then. So no more is copied than is appended, and the log
that is kept is bounded by a multiple of the store. On an idle system nothing happens.

The log is kept from the older of the two snapshots on: if the newer one is damaged, the older one and
the log still give everything. While there is only one, all of the log is kept.

A snapshot that fails is a warning. It is tried again when the partition's trimmer asks the next time,
after `trim_bytes` more; meanwhile the log keeps what it has.

The transaction on the store begins on the event loop, between two batches, because there the number of
bytes that were appended up to it is known. Copying and packing happen in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple

from ..log.extent import Extent
from .manifest import Manifest, SnapshotError
from .packing import Packed, StoreView, check_room, clear_scratch, make_snapshot
from .place import Place, PlaceError, PlaceUnsuitableError

SNAPSHOTS_KEPT: Final = 2

logger = logging.getLogger("durable.snapshots")


class _Kept(NamedTuple):
    """A snapshot that is kept."""

    manifest: Manifest
    appended: int
    """How many bytes had been appended since the start at its position; negative for earlier ones, of
    which it is an estimate.
    """


class PartitionSnapshots:
    """The snapshots of one partition. Implements `processor.trimming.Snapshots`."""

    def __init__(
        self,
        partition: int,
        store: Path,
        extent: Extent,
        trim_bytes: int,
        request: Callable[[PartitionSnapshots], None],
    ) -> None:
        self.partition = partition
        self.store = store
        self.failures = 0
        """How many snapshots could not be made since the start."""
        self.loaded = False
        """Whether it is known which snapshots there are."""
        self.reading = False
        """Whether a snapshot reads the store now."""
        self.appended: Callable[[], int] = lambda: 0
        """Returns how many bytes were appended since the start."""
        self.changed: Callable[[], None] = lambda: None
        self._extent = extent
        self._trim_bytes = trim_bytes
        self._request = request
        self._disabled = False
        self._kept: list[_Kept] = []
        """The newest first."""

    @property
    def latest(self) -> Manifest | None:
        """The newest snapshot; None when there is none or it is not known yet."""
        return self._kept[0].manifest if self._kept else None

    @property
    def kept_sequence(self) -> int:
        """See `trimming.Snapshots`."""
        if self._disabled:
            return sys.maxsize
        if len(self._kept) < SNAPSHOTS_KEPT:
            return 0
        return self._kept[SNAPSHOTS_KEPT - 1].manifest.position.sequence

    @property
    def kept_from(self) -> int:
        """See `trimming.Snapshots`."""
        if self._disabled:
            return self.appended()
        return self._kept[SNAPSHOTS_KEPT - 1].appended if self.kept_sequence else 0

    @property
    def due(self) -> bool:
        """Whether a new snapshot is due."""
        if not self._kept:
            # If the log is not complete, the store is the only place of what is missing there.
            return self._extent.first > 1 or (
                self._extent.size + self.appended() >= self._trim_bytes
            )
        last = self._kept[0]
        wanted = max(self._trim_bytes, last.manifest.store_bytes)
        return self.appended() - last.appended >= wanted

    def attach(self, appended: Callable[[], int], changed: Callable[[], None]) -> None:
        """See `trimming.Snapshots`."""
        self.appended = appended
        self.changed = changed

    def check(self) -> None:
        """See `trimming.Snapshots`."""
        if not self.loaded or self.due:
            self._request(self)

    def disable(self) -> None:
        """Says that no snapshots are made, so that the log need not be kept for any."""
        self._disabled = True

    def load(self, manifests: list[Manifest]) -> list[Manifest]:
        """Takes the snapshots that there are, newest first; returns those that are too many."""
        self._kept = [
            _Kept(it, -self._extent.bytes_after(it.position.sequence)) for it in manifests
        ]
        self.loaded = True
        return self._drop()

    def add(self, manifest: Manifest, appended: int) -> list[Manifest]:
        """Takes a new snapshot; returns those that are too many now."""
        self._kept.insert(0, _Kept(manifest, appended))
        return self._drop()

    def _drop(self) -> list[Manifest]:
        dropped = self._kept[SNAPSHOTS_KEPT:]
        del self._kept[SNAPSHOTS_KEPT:]
        return [it.manifest for it in dropped]


class Keeper:
    """Makes and keeps the snapshots of the partitions that a process leads, out of `count` in all.

    `scratch` is a folder for copies.
    """

    def __init__(
        self, place: Place, system_id: str, count: int, scratch: Path, trim_bytes: int
    ) -> None:
        self.place = place
        self.partitions: list[PartitionSnapshots] = []
        """The snapshots of each partition that is led here."""
        self._system_id = system_id
        self._count = count
        self._scratch = scratch
        self._trim_bytes = trim_bytes
        self._waiting: deque[PartitionSnapshots] = deque()
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._disabled = False
        self._stopped = threading.Event()

    def add(self, partition: int, store: Path, extent: Extent) -> PartitionSnapshots:
        """Adds a partition that is about to be led here; `extent` is its log as it is now."""
        added = PartitionSnapshots(partition, store, extent, self._trim_bytes, self._request)
        self.partitions.append(added)
        if self._disabled:
            added.disable()
        self._request(added)
        return added

    def remove(self, partition: int) -> None:
        """Removes a partition that is not led here any more; a snapshot in progress goes on."""
        removed = [it for it in self.partitions if it.partition == partition]
        self.partitions = [it for it in self.partitions if it not in removed]
        for it in removed:
            if it in self._waiting and self._waiting[0] is not it:
                self._waiting.remove(it)

    async def start(self, *, optional: bool) -> None:
        """Prepares the place, and makes the snapshots that are due without being waited for.

        The logs must exist already, because a place in the cluster takes what room they leave. If the
        place is unsuitable, PlaceUnsuitableError is raised, or with `optional` a warning says so and no
        snapshots are made.
        """
        try:
            await self.place.prepare()
        except PlaceUnsuitableError as error:
            if not optional:
                raise
            logger.warning(
                "no snapshots are made, so what this data directory holds is nowhere else: %s; or keep"
                " them elsewhere with --snapshots URL, or say --snapshots none",
                error,
            )
            self._disabled = True
            for it in self.partitions:
                it.disable()
            return
        except PlaceError as error:
            logger.warning("snapshots are not possible now, and are tried later: %s", error)
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        clear_scratch(self._scratch)
        self._started = True
        for it in self.partitions:
            self._request(it)

    async def close(self) -> None:
        """Gives up the snapshot that is being made."""
        self._stopped.set()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.place.close()

    def _request(self, partition: PartitionSnapshots) -> None:
        if partition in self._waiting or not self._started or self._stopped.is_set():
            return
        self._waiting.append(partition)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="durable-snapshots")

    async def _run(self) -> None:
        while self._waiting:
            partition = self._waiting[0]
            try:
                await self._visit(partition)
            except (SnapshotError, OSError) as error:
                self._failed(partition, error)
            except Exception as error:
                self._failed(partition, error)
                logger.exception("the snapshot has failed unexpectedly")
            finally:
                # Until here, so that it is not requested again meanwhile.
                if self._waiting:
                    self._waiting.popleft()

    def _failed(self, partition: PartitionSnapshots, error: Exception) -> None:
        partition.failures += 1
        logger.warning(
            "no snapshot of partition %d was made: %s; the log is kept, and the next try follows when"
            " more was appended",
            *(partition.partition, error),
        )

    async def _visit(self, partition: PartitionSnapshots) -> None:
        """Loads a partition's snapshots, if that was not done yet, and makes one if it is due."""
        if not partition.loaded:
            found = await self.place.manifests(partition.partition)
            own = [it for it in found if it.system_id == self._system_id]
            await self._delete(partition.load(own))
            partition.changed()
        if partition.due:
            await self._make(partition)

    async def _make(self, partition: PartitionSnapshots) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # The packed file is smaller than the copy, and there beside it.
        needed = 2 * partition.store.stat().st_size
        check_room(self._scratch, needed, f"a copy of {partition.store}")
        view = StoreView(partition.store, timeout_seconds=0)
        appended = partition.appended()
        partition.reading = True
        try:
            copying = asyncio.ensure_future(asyncio.to_thread(self._pack, view, partition))
            try:
                manifest, packed = await asyncio.shield(copying)
            except asyncio.CancelledError:
                # The thread ends soon, because `close` has stopped it; it uses the store until then.
                await asyncio.gather(copying, return_exceptions=True)
                raise
        finally:
            partition.reading = False
        try:
            await self.place.put(manifest, _chunks(packed))
        finally:
            packed.path.unlink(missing_ok=True)
        too_many = partition.add(manifest, appended)
        logger.info(
            "%s at sequence %d: %d MiB of store, %d MiB stored in %s, %.1f s",
            *(manifest, manifest.position.sequence, manifest.store_bytes >> 20),
            *(manifest.stored_bytes >> 20, self.place.name, loop.time() - began),
        )
        partition.changed()
        await self._delete(too_many)

    def _pack(self, view: StoreView, partition: PartitionSnapshots) -> tuple[Manifest, Packed]:
        def progress(_done: int, _total: int) -> None:
            if self._stopped.is_set():
                raise SnapshotError("the control plane stops")

        return make_snapshot(
            view,
            self._system_id,
            partition.partition,
            self._count,
            self._scratch,
            progress,
        )

    async def _delete(self, manifests: list[Manifest]) -> None:
        for manifest in manifests:
            try:
                await self.place.delete(manifest)
            except SnapshotError as error:
                # It is found again at the next start.
                logger.warning("%s was not removed: %s", manifest, error)


async def _chunks(packed: Packed) -> AsyncIterator[bytes]:
    """Yields the chunks of a packed store, read in a thread."""
    chunks = packed.read()
    while chunk := await asyncio.to_thread(next, chunks, b""):
        yield chunk
