"""The way back from a lost store: fetches a snapshot where the log does not suffice for the store.

That is so when the store is behind the beginning of the log: it is missing, or it is an old copy, and
the log was trimmed. The newest snapshot that is whole takes its place, and the log goes on from there.
Nothing is ever skipped: without such a snapshot the start fails.

A store that is replaced is moved aside, never removed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from ..log.extent import Extent
from ..log.interface import LogTrimmedError, Position
from ..log.jetstream import stream_name
from ..store.schema import MIGRATIONS, VERSION
from .manifest import Manifest, SnapshotDamagedError, SnapshotError
from .packing import StoreView, Unpacker
from .place import Place

_NEWS_SECONDS = 5.0
"""Between two log lines about the progress of a fetch."""

logger = logging.getLogger("durable.snapshots")


async def fetch_if_needed(
    place: Place, system_id: str, partition: int, partitions: int, store: Path, extent: Extent
) -> None:
    """Puts a snapshot in the place of a partition's store, if the log does not suffice for the store.

    The store must not be open. Raises LogTrimmedError when there is no snapshot that fits, with the
    reasons, and PlaceError when the place cannot be read.
    """
    position = await asyncio.to_thread(_position, store)
    if position is None or position.sequence >= extent.first - 1:
        return
    state = f"at sequence {position.sequence}" if position.sequence else "missing or empty"
    problem = f"the store {store} is {state}, and the log begins at sequence {extent.first}"
    logger.warning("%s; looking for a snapshot in %s", problem, place.name)
    reasons: list[str] = []
    for manifest in await place.manifests(partition):
        reason = _unfit(manifest, system_id, partition, partitions, extent)
        if not reason:
            try:
                await _fetch(place, manifest, store)
            except SnapshotDamagedError as error:
                reason = str(error)
            else:
                return
        logger.warning("%s", reason)
        reasons.append(reason)
    found = "; ".join(reasons) or f"there is no snapshot of partition {partition} in {place.name}"
    raise LogTrimmedError(
        f"{stream_name(partition)}: {problem}: what is before is lost, because {found}. Bring back the"
        " store, or make a new system of a backup with `durable restore`"
    )


async def fetch(place: Place, manifest: Manifest, target: Path) -> None:
    """Fetches a snapshot, verifies it and writes its store; logs the progress.

    Raises SnapshotDamagedError, PlaceError and OSError; the target is as before then.
    """
    loop = asyncio.get_running_loop()
    done, total, news = 0, manifest.stored_bytes, loop.time() + _NEWS_SECONDS
    logger.info("fetching %s, %d MiB", manifest, total >> 20)
    unpacker = await asyncio.to_thread(Unpacker, manifest, target)
    with unpacker:
        async for chunk in place.chunks(manifest):
            await asyncio.to_thread(unpacker.feed, chunk)
            done += len(chunk)
            if loop.time() > news:
                logger.info("fetched %d of %d MiB of %s", done >> 20, total >> 20, manifest)
                news = loop.time() + _NEWS_SECONDS
        await asyncio.to_thread(unpacker.finish)


async def _fetch(place: Place, manifest: Manifest, store: Path) -> None:
    """Fetches a snapshot and makes it the store."""
    began = asyncio.get_running_loop().time()
    fetched = store.with_name(f"{store.name}.fetched")
    await fetch(place, manifest, fetched)
    await asyncio.to_thread(_set_aside, store)
    fetched.rename(store)
    logger.warning(
        "the store %s is now %s, at sequence %d, fetched in %.1f s; the log goes on from there",
        *(store, manifest, manifest.position.sequence, asyncio.get_running_loop().time() - began),
    )


def _position(store: Path) -> Position | None:
    """Returns the position of a store, 0 for a missing one; None if it cannot be read.

    Opening the store will say why it cannot.
    """
    if not store.exists() or store.stat().st_size == 0:
        return Position()
    try:
        with StoreView(store) as view:
            return view.position
    except SnapshotError:
        return None


def _unfit(
    manifest: Manifest, system_id: str, partition: int, partitions: int, extent: Extent
) -> str:
    """Returns why a snapshot cannot be used; empty when it can."""
    if manifest.system_id != system_id:
        return f"{manifest} is of another system, {manifest.system_id}; this one is {system_id}"
    if (manifest.partition, manifest.partitions) != (partition, partitions):
        return (
            f"{manifest} is of a system of {manifest.partitions} partitions; this one has {partitions},"
            f" and partition {partition} is wanted"
        )
    if manifest.store_version != VERSION and manifest.store_version not in MIGRATIONS:
        return (
            f"{manifest} has store version {manifest.store_version}, and this program reads {VERSION};"
            " start the version that has made it, or a newer one"
        )
    if not extent.first - 1 <= manifest.position.sequence <= extent.last:
        return (
            f"{manifest} is at sequence {manifest.position.sequence}, and the log has"
            f" {extent.first} to {extent.last}"
        )
    return ""


def _set_aside(store: Path) -> None:
    """Moves a store to another name, if there is one."""
    shared_index, wal = (store.with_name(f"{store.name}{it}") for it in ("-shm", "-wal"))
    shared_index.unlink(missing_ok=True)  # It has only what SQLite makes anew.
    aside = store.with_name(f"{store.name}.aside-{time.time_ns() // 1_000_000}")
    # A write-ahead log must never be beside another store than its own, so it goes first.
    if wal.exists():
        wal.rename(aside.with_name(f"{aside.name}-wal"))
    if store.exists():
        store.rename(aside)
        logger.warning("%s was moved to %s; it is not needed any more", store, aside)
