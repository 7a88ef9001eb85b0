"""The packing of snapshots: copies a store that is in use, compresses it, and makes it a store again.

Everything here blocks, and is called in a thread. SQLite, zstd and BLAKE2b release Python's lock while
they work, so the event loop goes on meanwhile.

A `StoreView` is a store as it is at one moment: a read transaction on a connection of its own. While it
is open, checkpoints of the store are incomplete and the write-ahead log grows; it delays no writer.
The store's file is read through SQLite only: to open and close it in the process that has it open would
release SQLite's locks.

What is being made has the name of a scratch file until it is complete, and is removed if it does not
become so. All files are for this user only.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self, cast

import zstandard

from ..files import sync_folder
from ..log.interface import Position
from .manifest import (
    Chunk,
    Digester,
    Manifest,
    SnapshotDamagedError,
    SnapshotError,
    digest,
    new_snapshot_id,
)

CHUNK_BYTES = 384 * 1024
"""The largest chunk. It fits into one message of every NATS system that can hold a log."""
_READ_BYTES = 1 << 20
_COPY_PAGES = 256
"""The pages of one step of a copy, 4 MiB; between two steps the progress is told."""
_LEVEL = 3
"""zstd's default level: the next ones cost twice the time for a few percent."""

_SCRATCH_SUFFIXES = (".copy", ".packed")
FREE_BYTES = 256 << 20
"""What a disk must have beside the copies on it: a full disk would stop the control plane."""

Progress = Callable[[int, int], None]
"""Called now and then with the bytes that are done, and with all. What it raises ends the work."""


def no_progress(_done: int, _total: int) -> None:
    """A `Progress` that does nothing."""


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raises SnapshotError when the disk of a folder has no room for so many bytes more."""
    free = shutil.disk_usage(folder).free
    if free < needed + FREE_BYTES:
        raise SnapshotError(
            f"{what} needs {(needed + FREE_BYTES) >> 20} MiB on the disk of {folder}, and"
            f" {free >> 20} are free"
        )


class StoreView:
    """A store as it is at one moment, for as long as this is open; a context manager.

    `timeout_seconds` is how long it waits for a process that keeps all others from reading. Raises
    SnapshotError when the file is missing or is no store.
    """

    def __init__(self, store: Path, timeout_seconds: float = 5.0) -> None:
        self._path = store
        uri = f"{store.resolve().as_uri()}?mode=ro"
        try:
            self.db = sqlite3.connect(
                uri,
                uri=True,
                timeout=timeout_seconds,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise SnapshotError(f"the store {store} cannot be opened: {error}") from error
        try:
            self.db.execute("BEGIN")
            # The first read begins the transaction.
            self.position = Position(
                *self.db.execute("SELECT sequence, epoch, frame FROM position").fetchone()
            )
            """The position of the log that is in the store."""
            self.version: int = self.db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as error:
            self.db.close()
            raise SnapshotError(f"the store {store} cannot be read: {error}") from error

    def copy(self, target: Path, progress: Progress = no_progress) -> None:
        """Copies the store into a new file, page by page; removes it if that fails.

        The copy is not synced. Raises SnapshotError.
        """
        _create(target)
        try:
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                # An incomplete copy is removed, so it needs neither a journal nor a sync.
                copy.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
                page = self.db.execute("PRAGMA page_size").fetchone()[0]
                self.db.backup(
                    copy,
                    pages=_COPY_PAGES,
                    progress=lambda _, left, total: progress((total - left) * page, total * page),
                )
            finally:
                copy.close()
        except sqlite3.Error as error:
            target.unlink(missing_ok=True)
            raise SnapshotError(f"the store {self._path} cannot be copied: {error}") from error
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Ends the read transaction."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Packed(NamedTuple):
    """A packed store: a file with its chunks one after the other."""

    path: Path
    store_bytes: int
    store_digest: str
    chunks: tuple[Chunk, ...]

    def read(self) -> Iterator[bytes]:
        """Yields the chunks."""
        with self.path.open("rb") as file:
            for chunk in self.chunks:
                yield file.read(chunk.size)


def pack(copy: Path, target: Path, progress: Progress = no_progress) -> Packed:
    """Compresses the copy of a store into a new file, which is removed if that fails."""
    whole = Digester()
    chunks: list[Chunk] = []
    size = copy.stat().st_size
    _create(target)
    try:
        with copy.open("rb") as source, target.open("wb") as file:
            for chunk in _compress(source, whole):
                file.write(chunk)
                chunks.append(Chunk(len(chunk), digest(chunk)))
                progress(whole.size, size)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Packed(target, whole.size, whole.digest(), tuple(chunks))


def _compress(source: BinaryIO, whole: Digester) -> Iterator[bytes]:
    """Yields the chunks of a file, all but the last one of the full size."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    waiting = bytearray()
    while data := source.read(_READ_BYTES):
        whole.add(data)
        waiting += compressor.compress(data)
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    waiting += compressor.flush()
    for start in range(0, len(waiting), CHUNK_BYTES):
        yield bytes(waiting[start : start + CHUNK_BYTES])


class Unpacker:
    """Makes a store of a snapshot's chunks, which are given to it in order; a context manager.

    The store appears at `target` with `finish`, and not at all if that is not called. Raises
    SnapshotDamagedError as soon as something is not what the manifest says.
    """

    def __init__(self, manifest: Manifest, target: Path) -> None:
        self._manifest = manifest
        self._target = target
        self._scratch = target.with_name(f"{target.name}.unpacking")
        self._count = 0
        self._whole = Digester()
        _create(self._scratch)
        self._file = self._scratch.open("wb")
        # It writes in parts, because a small chunk may stand for gigabytes.
        self._decompressor = zstandard.ZstdDecompressor().stream_writer(
            cast(BinaryIO, _Sink(self._write)), write_size=_READ_BYTES, closefd=False
        )

    def feed(self, chunk: bytes) -> None:
        """Takes the next chunk."""
        manifest = self._manifest
        number = self._count
        if number == len(manifest.chunks):
            raise SnapshotDamagedError(f"{manifest} has more than its {number} chunks")
        if (len(chunk), digest(chunk)) != manifest.chunks[number]:
            raise SnapshotDamagedError(
                f"{manifest} is damaged: chunk {number} of {len(manifest.chunks)} has another"
                " checksum than its manifest"
            )
        self._count += 1
        try:
            self._decompressor.write(chunk)
        except zstandard.ZstdError as error:
            raise SnapshotDamagedError(f"{manifest} cannot be unpacked: {error}") from error

    def _write(self, data: bytes) -> None:
        self._whole.add(data)
        if self._whole.size > self._manifest.store_bytes:
            raise SnapshotDamagedError(
                f"{self._manifest} is damaged: its store is larger than its manifest says"
            )
        self._file.write(data)

    def finish(self) -> None:
        """Checks the whole, and makes the store durable at its target."""
        manifest = self._manifest
        if self._count != len(manifest.chunks):
            raise SnapshotDamagedError(
                f"{manifest} is incomplete: {self._count} of {len(manifest.chunks)} chunks are there"
            )
        if (self._whole.size, self._whole.digest()) != (
            manifest.store_bytes,
            manifest.store_digest,
        ):
            raise SnapshotDamagedError(
                f"{manifest} is damaged: the store has another checksum than its manifest"
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._scratch.rename(self._target)
        sync_folder(self._target.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._scratch.unlink(missing_ok=True)


def clear_scratch(scratch: Path) -> None:
    """Removes what an interrupted `make_snapshot` has left in its folder."""
    for suffix in _SCRATCH_SUFFIXES:
        for path in scratch.glob(f"partition-*{suffix}"):
            path.unlink()


def copy_store(store: Path, target: Path) -> Position:
    """Copies a store that may be in use; returns the position in the copy. Raises SnapshotError."""
    with StoreView(store) as view:
        view.copy(target)
        return view.position


def make_snapshot(
    view: StoreView,
    system_id: str,
    partition: int,
    partitions: int,
    scratch: Path,
    progress: Progress = no_progress,
) -> tuple[Manifest, Packed]:
    """Copies and packs a store; returns the manifest and the packed file.

    `scratch` is the folder for the files, which are replaced; the caller removes the packed one.
    `progress` gets what is copied, and then what is packed. Closes the view once the store is copied.
    Raises SnapshotError, OSError, and what `progress` raises.
    """
    time_ms = time.time_ns() // 1_000_000
    copy, packed = (scratch / f"partition-{partition}{it}" for it in _SCRATCH_SUFFIXES)
    try:
        with view:
            view.copy(copy, progress)
        result = pack(copy, packed, progress)
    finally:
        copy.unlink(missing_ok=True)
    manifest = Manifest(
        new_snapshot_id(time_ms),
        system_id,
        partition,
        partitions,
        view.position,
        time_ms,
        view.version,
        result.store_bytes,
        result.store_digest,
        result.chunks,
    )
    return manifest, result


class _Sink:
    """What the decompressor writes to."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def write(self, data: bytes) -> int:
        self._take(data)
        return len(data)


def _create(path: Path) -> None:
    """Makes an empty file that only this user can read, in place of an older one."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
