"""The storage of a node's partitions: opens logs and stores, and fetches a store that is lost.

A log is read before the store is opened. If the store is behind the log's beginning, because it is
missing or old and the log was trimmed, a snapshot takes its place (see `snapshots.fetching`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cluster.metadata import Metadata
from ..log.extent import read_extents
from ..log.jetstream import JetStreamLog, log_bytes
from ..nats.endpoint import EndpointSource
from ..snapshots.fetching import fetch_if_needed
from ..snapshots.keeper import Keeper, PartitionSnapshots
from ..store.files import store_path
from ..store.sqlite import CACHE_BYTES, SqliteStore, explain_error


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
    ) -> None:
        """`keeper` is None if there are no snapshots; `budget` is that of the logs, in seconds."""
        self._source = source
        self._metadata = metadata
        self._data_dir = data_dir
        self._keeper = keeper
        self._replicas = replicas
        self._budget = budget

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

        Raises StoreUnusableError and what `read_extents` and `fetch_if_needed` raise.
        """
        path, metadata = self.path(partition), self._metadata
        if self._keeper is not None:
            [extent] = await read_extents(self._source, [partition])
            place = self._keeper.place
            await fetch_if_needed(place, metadata.id, partition, metadata.partitions, path, extent)
        with self.explained(partition):
            return SqliteStore(path, CACHE_BYTES // metadata.partitions)

    async def add_snapshots(self, partition: int) -> PartitionSnapshots | None:
        """Returns the snapshots of a partition that is about to be led here, if any are made.

        Raises what `read_extents` raises.
        """
        if self._keeper is None:
            return None
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
