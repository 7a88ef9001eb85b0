"""The storage of a node's partitions: opens logs and stores, and fetches a store that is lost.

A log is read before the store is opened. If the store is behind the log's beginning, because it is
missing or old and the log was trimmed, a snapshot takes its place (see `snapshots.fetching`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..cluster.metadata import Metadata
from ..log.extent import read_extents
from ..log.jetstream import JetStreamLog, log_bytes
from ..nats.endpoint import EndpointSource
from ..processor.trimming import Snapshots
from ..snapshots.fetching import fetch_if_needed
from ..snapshots.keeper import Keeper
from ..store.files import store_path
from ..store.sqlite import CACHE_BYTES, SqliteStore, explain_error
from .followed import FollowedLog
from .store_lock import StoreLock


class _LockedStore(SqliteStore):
    """A store with the lock that is held while it is open."""

    def __init__(self, path: Path, cache_bytes: int, lock: StoreLock) -> None:
        super().__init__(path, cache_bytes)
        self._lock = lock

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._lock.release()


class Storage:
    """The logs, stores and snapshots of the partitions of one process."""

    def __init__(
        self,
        source: EndpointSource,
        metadata: Metadata,
        data_dir: Path,
        keeper: Keeper | None,
        *,
        replicas: int,
        budget: float,
        shared: bool = False,
    ) -> None:
        """`keeper` is None if there are no snapshots; `budget` is that of the logs, in seconds.
        `shared` says that other processes of this machine use the same data dir.
        """
        self._source = source
        self._metadata = metadata
        self._data_dir = data_dir
        self._keeper = keeper
        self._replicas = replicas
        self._budget = budget
        self._shared = shared
        self.applied_by_followers: Callable[[int], int | None] | None = None
        """Returns the sequence of a partition that each live follower has applied, None without a
        follower. None in a process that is alone.
        """

    def log(self, partition: int) -> JetStreamLog:
        """Returns the log of a partition, not connected yet."""
        return JetStreamLog(
            self._source,
            partition,
            replicas=self._replicas,
            max_bytes=log_bytes(self._metadata.partitions),
            budget=self._budget,
        )

    def path(self, partition: int) -> Path:
        """Returns the file of a partition's store."""
        return store_path(self._data_dir, partition)

    async def open_store(self, partition: int) -> SqliteStore:
        """Opens the store of a partition; fetches it first if its log cannot bring it up to date.

        Raises StoreHeldError when another process has it open, StoreUnusableError, and what
        `read_extents` and `fetch_if_needed` raise.
        """
        path = self.path(partition)
        lock = StoreLock.take(path, make=self._shared)
        try:
            return await self._open(partition, path, lock)
        except BaseException:
            lock.release()
            raise

    async def _open(self, partition: int, path: Path, lock: StoreLock) -> SqliteStore:
        metadata = self._metadata
        if self._keeper is not None:
            [extent] = await read_extents(self._source, [partition])
            place = self._keeper.place
            await fetch_if_needed(place, metadata.id, partition, metadata.partitions, path, extent)
        with self.explained(partition):
            return _LockedStore(path, CACHE_BYTES // metadata.partitions, lock)

    async def add_snapshots(self, partition: int) -> Snapshots | None:
        """Returns the snapshots of a partition that is about to be led here, if any are made.

        Raises what `read_extents` raises.
        """
        if self._keeper is None:
            applied = self.applied_by_followers
            return None if applied is None else FollowedLog(partial(applied, partition))
        [extent] = await read_extents(self._source, [partition])
        return self._keeper.add(partition, self.path(partition), extent)

    def remove_snapshots(self, partition: int) -> None:
        """Makes no more snapshots of a partition that is not led here any more."""
        if self._keeper is not None:
            self._keeper.remove(partition)

    @contextmanager
    def explained(self, partition: int) -> Iterator[None]:
        """Turns errors of SQLite into StoreUnusableError, which names the partition's file."""
        try:
            yield
        except sqlite3.Error as error:
            raise explain_error(self.path(partition), error) from error
