"""The simulated disk: what a store loses when its process crashes.

A crash leaves a copy of the store's file: the one of the last complete checkpoint, or a later one that
happened to be written. Other processes also read and write the file, so some checkpoints are
incomplete and some transactions cannot begin.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from durable_server.store.sqlite import SqliteStore


class Disk:
    """The copies of the store's file that a crash may leave, the oldest first."""

    def __init__(self, rng: random.Random, trouble: float) -> None:
        self.rng = rng
        self.trouble = trouble
        self.incomplete = 0
        self.copies: list[bytes] = []
        self.checkpoint = b""
        """The copy of the last complete checkpoint."""
        self.durable = 0
        """The sequence that it holds."""
        self.current: SimStore | None = None
        """The store of the present process; the stores of replaced ones are not on this disk."""
        self._opened: list[SimStore] = []

    def open(self, path: Path) -> SimStore:
        """Opens the store as a crash may have left it."""
        if self.copies:
            path.write_bytes(self.rng.choice(self.copies[-3:]))
        self.current = SimStore(path, self)
        self._opened.append(self.current)
        return self.current

    def close(self) -> None:
        """Closes what crashed processes have left open."""
        self.current = None
        for store in self._opened:
            store.close()

    def add_copy(self) -> None:
        """Makes what is committed now one of the copies that a crash may leave."""
        if self.current is not None:
            self.copies.append(self.current.copy())


class ComparedStore(SqliteStore):
    """A store whose rows can be compared with those of another one."""

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Returns the rows of each table, in an order of their own.

        The index of failure texts is left out, its contents are SQLite's. Of the places in the queues
        for locks only the order is in it: a leader counts on from the largest one that its store has.
        """
        master = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        names = [name for (name,) in self._db.execute(master)]
        found: dict[str, list[tuple[Any, ...]]] = {}
        for name in names:
            if not name.startswith("failure_texts"):
                cursor = self._db.execute(f"SELECT * FROM {name}")
                columns = [it[0] for it in cursor.description]
                rows = cursor.fetchall()
                if "turn" in columns:
                    rows = _ranked(rows, columns.index("turn"))
                found[name] = sorted(rows, key=repr)
        return found


def _ranked(rows: list[tuple[Any, ...]], column: int) -> list[tuple[Any, ...]]:
    """Replaces a column by the rank of its value; 0 stays."""
    ranks = {value: rank for rank, value in enumerate(sorted({0, *(row[column] for row in rows)}))}
    return [(*row[:column], ranks[row[column]], *row[column + 1 :]) for row in rows]


class SimStore(ComparedStore):
    """A store on a simulated disk."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        # No crash of a simulation loses what the real disk has not written.
        self._db.execute("PRAGMA synchronous = OFF")
        self._disk = disk
        self._known = 0

    @property
    def sequence(self) -> int:
        """The sequence of the last batch that it holds."""
        return self._sequence

    def copy(self) -> bytes:
        """Returns the file with everything that is committed."""
        return self._db.serialize()

    def close(self) -> None:
        """See `Store.close`; it is what the next process finds."""
        if self._disk.current is self:
            self._disk.copies = [self.copy()]
            self._disk.current = None
        super().close()

    def begin(self) -> bool:
        """See `Store.begin`."""
        return self._disk.rng.random() >= self._disk.trouble and super().begin()

    def file_users(self) -> str:
        """See `Store.file_users`."""
        return "another process of this world"

    def checkpoint(self) -> int:
        """See `Store.checkpoint`; it is often incomplete, as if another process read an older state."""
        disk = self._disk
        if disk.current is not self or disk.rng.random() < 0.5:
            disk.incomplete += 1
            return self._known
        self._known = super().checkpoint()
        disk.durable, disk.checkpoint = self._known, self.copy()
        disk.copies = [disk.checkpoint]
        return self._known
