"""A store whose disk is the world's: what no checkpoint holds may be gone after a crash.

What survives is a copy of the file: the last one that a complete checkpoint has made, or a later one
that happened to be written. Other processes read and write the file too, so that checkpoints
stay incomplete and transactions cannot begin.
"""

from __future__ import annotations

import random
from pathlib import Path

from durable_server.store.sqlite import SqliteStore


class Disk:
    """The copies of the store that a crash may leave behind; the first is the oldest that can."""

    def __init__(self, rng: random.Random, trouble: float) -> None:
        self.rng = rng
        self.trouble = trouble
        self.incomplete = 0
        self.copies: list[bytes] = []
        self.current: SimStore | None = None
        """The store in use; those of leaders that were replaced are not on this disk any more."""

    def open(self, path: Path) -> SimStore:
        """Opens the store as a crash may have left it."""
        if self.copies:
            path.write_bytes(self.rng.choice(self.copies[-3:]))
        self.current = SimStore(path, self)
        return self.current

    def keep(self) -> None:
        """What is committed now may be what a crash leaves behind."""
        assert self.current is not None
        self.copies.append(self.current.copy())


class SimStore(SqliteStore):
    """A store on such a disk."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk
        self._known = 0

    def copy(self) -> bytes:
        """The file as it is when all of it is written."""
        return self._db.serialize()

    def begin(self) -> bool:
        """See `Store.begin`."""
        return self._disk.rng.random() >= self._disk.trouble and super().begin()

    def file_users(self) -> str:
        """See `Store.file_users`."""
        return "another process of this world"

    def checkpoint(self) -> int:
        """See `Store.checkpoint`; often another process reads an older state."""
        disk = self._disk
        if disk.current is not self or disk.rng.random() < 0.5:
            disk.incomplete += 1
            return self._known
        self._known = super().checkpoint()
        disk.copies = [self.copy()]
        return self._known
