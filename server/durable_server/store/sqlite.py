"""The store on SQLite: one file for a partition, in WAL mode.

`synchronous=NORMAL` makes the file consistent after a power loss and perhaps behind; `checkpoint`
is the point from which it is not behind any more, and before which the log may be trimmed. Writes
are grouped by kind with `executemany`, in one transaction for each batch: SQLite's cost is mostly
per statement call.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..core.model import EntryRow, Fault, Handler, Invocation, State
from ..core.partition import Changes
from ..log.interface import Position
from .interface import Filter, Listed, Recovered
from .schema import SCHEMA, VERSION

_STATIC = (
    "number, id, handler, key, input, headers, service, partition_key, idempotency_key, parent, "
    "priority, created_ms"
)
_DYNAMIC = (
    "state, attempt, worker_id, failures, started_ms, updated_ms, completed_ms, wake_ms, "
    "expire_ms, version, outcome, fault_type, fault_message, fault, pause_reason, "
    "pause_identity, pause_ms"
)
_ALL = f"{_STATIC}, {_DYNAMIC}"
_COUNT = _ALL.count(",") + 1
_INSERT = f"INSERT INTO invocations ({_ALL}) VALUES ({', '.join('?' * _COUNT)})"
_UPDATE = (
    "UPDATE invocations SET "
    + ", ".join(f"{name} = ?" for name in _DYNAMIC.split(", "))
    + " WHERE number = ?"
)
_ENTRY = (
    "position, kind, name, argument, outcome, completion, created_ms, completed_ms, due_ms, "
    "target, attempt"
)
_INSERT_ENTRY = f"INSERT INTO journal (number, {_ENTRY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"

_encode = msgspec.msgpack.Encoder().encode
_decode_headers = msgspec.msgpack.Decoder(tuple[tuple[str, str], ...]).decode
_decode_handler = msgspec.msgpack.Decoder(Handler).decode


class StoreVersionError(Exception):
    """The store was written by another version of the software."""


class SqliteStore:
    """A partition's store in one SQLite file, or in memory for the path `:memory:`.

    Raises StoreVersionError when the file is of another version, and `sqlite3.Error` for what the
    disk refuses.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
            "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;"
        )
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            self._db.close()
            raise StoreVersionError(
                f"{path} has store version {version}, this program reads version {VERSION}: "
                "use the program that wrote it, or move the file away to rebuild it from the log"
            )
        if os.fspath(path) != ":memory:":
            os.chmod(path, 0o600)

    def recover(self) -> Recovered:
        """Returns what a leader goes on from."""
        db = self._db
        sequence, epoch, frame = db.execute(
            "SELECT sequence, epoch, frame FROM position"
        ).fetchone()
        last_number = db.execute("SELECT max(number) FROM invocations").fetchone()[0] or 0
        active = self._invocations(
            f"SELECT {_ALL} FROM invocations WHERE state IN (?, ?) ORDER BY number",
            (State.PENDING, State.RUNNING),
        )
        for invocation in active:
            self._load_recorded(invocation)
        timers = db.execute(
            "SELECT wake_ms, id, -1 FROM invocations WHERE wake_ms > 0 AND state IN (?, ?) "
            "UNION ALL SELECT j.due_ms, i.id, j.position FROM journal j "
            "JOIN invocations i ON i.number = j.number "
            "WHERE j.due_ms > 0 AND j.completion = 0 AND i.state NOT IN (?, ?, ?)",
            (State.SCHEDULED, State.BACKING_OFF, State.COMPLETED, State.FAILED, State.CANCELLED),
        ).fetchall()
        handlers = [handler for handler, _ in self.handlers()]
        return Recovered(Position(sequence, epoch, frame), last_number, handlers, active, timers)

    def commit(self, position: Position, changes: Changes) -> None:
        """Writes a batch's changes and its position, in one transaction."""
        db = self._db
        db.execute("BEGIN")
        try:
            if changes.created:
                db.executemany(_INSERT, map(_full_row, changes.created.values()))
            if changes.entries:
                db.executemany(_INSERT_ENTRY, [(number, *row) for number, row in changes.entries])
            if changes.completions:
                db.executemany(
                    "UPDATE journal SET outcome = ?, completion = ?, completed_ms = ? "
                    "WHERE number = ? AND position = ?",
                    changes.completions,
                )
            if changes.changed:
                db.executemany(_UPDATE, map(_changed_row, changes.changed.values()))
            if changes.handlers:
                db.executemany(
                    "INSERT INTO handlers VALUES (?, ?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET spec = excluded.spec",
                    [(handler.name, _encode(handler), ms) for handler, ms in changes.handlers],
                )
            if changes.removed:
                removed = [(number,) for number in changes.removed]
                db.executemany("DELETE FROM journal WHERE number = ?", removed)
                db.executemany("DELETE FROM invocations WHERE number = ?", removed)
            db.execute("UPDATE position SET sequence = ?, epoch = ?, frame = ?", position)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def load(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed."""
        found = self._invocations(f"SELECT {_ALL} FROM invocations WHERE id = ?", (invocation_id,))
        if not found:
            return None
        self._load_recorded(found[0])
        return found[0]

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        rows = self._db.execute(
            f"SELECT {_ENTRY} FROM journal WHERE number = ? ORDER BY position", (number,)
        )
        return [EntryRow._make(row) for row in rows]

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of a journal."""
        row = self._db.execute(
            f"SELECT {_ENTRY} FROM journal WHERE number = ? AND position = ?", (number, index)
        ).fetchone()
        return None if row is None else EntryRow._make(row)

    def page(self, where: Filter, after: int, oldest_first: bool, size: int) -> Listed:
        """Returns a page of invocations beyond number `after` (0: from the start)."""
        terms: list[str] = []
        values: list[Any] = []
        if where.states:
            terms.append(f"state IN ({', '.join('?' * len(where.states))})")
            values += where.states
        for column in ("handler", "key", "service"):
            if wanted := getattr(where, column):
                terms.append(f"{column} = ?")
                values.append(wanted)
        if where.created_min_ms:
            terms.append("created_ms >= ?")
            values.append(where.created_min_ms)
        if where.created_max_ms:
            terms.append("created_ms < ?")
            values.append(where.created_max_ms)
        if where.failure_text:
            terms.append("instr(fault_message, ?) > 0")
            values.append(where.failure_text)
        if after:
            terms.append("number > ?" if oldest_first else "number < ?")
            values.append(after)
        condition = f"WHERE {' AND '.join(terms)}" if terms else ""
        order = "ASC" if oldest_first else "DESC"
        found = self._invocations(
            f"SELECT {_ALL} FROM invocations {condition} ORDER BY number {order} LIMIT ?",
            (*values, size + 1),
        )
        return Listed(found[:size], len(found) > size)

    def counts(self) -> list[tuple[str, State, int]]:
        """Counts invocations by handler and state."""
        rows = self._db.execute(
            "SELECT handler, state, count(*) FROM invocations GROUP BY handler, state"
        )
        return [(handler, State(state), count) for handler, state, count in rows]

    def handlers(self) -> list[tuple[Handler, int]]:
        """Returns all handlers with the time of their first registration, by name."""
        rows = self._db.execute("SELECT spec, created_ms FROM handlers ORDER BY name")
        return [(_decode_handler(spec), created_ms) for spec, created_ms in rows]

    def expired(self, now_ms: int, size: int) -> list[str]:
        """Returns ids of finished invocations whose retention is over."""
        rows = self._db.execute(
            "SELECT id FROM invocations WHERE expire_ms > 0 AND expire_ms <= ? "
            "ORDER BY expire_ms LIMIT ?",
            (now_ms, size),
        )
        return [row[0] for row in rows]

    def next_expiry(self) -> int:
        """Returns when the next retention is over; 0 when there is none."""
        row = self._db.execute(
            "SELECT expire_ms FROM invocations WHERE expire_ms > 0 ORDER BY expire_ms LIMIT 1"
        ).fetchone()
        return int(row[0]) if row else 0

    def checkpoint(self) -> None:
        """Makes everything committed so far survive a power loss before it returns."""
        self._db.execute("PRAGMA wal_checkpoint(FULL)")

    def close(self) -> None:
        """Closes the store."""
        self._db.close()

    def _invocations(self, sql: str, values: Sequence[Any]) -> list[Invocation]:
        return [_invocation(row) for row in self._db.execute(sql, values)]

    def _load_recorded(self, invocation: Invocation) -> None:
        rows: Iterable[tuple[int, int]] = self._db.execute(
            "SELECT position, completion FROM journal WHERE number = ?", (invocation.number,)
        )
        invocation.recorded.update(rows)
        invocation.completions = max(invocation.recorded.values(), default=0)


def _full_row(it: Invocation) -> tuple[Any, ...]:
    return (
        it.number,
        it.id,
        it.handler,
        it.key,
        it.input,
        _encode(it.headers) if it.headers else None,
        it.service,
        it.partition_key,
        it.idempotency_key,
        it.parent,
        it.priority,
        it.created_ms,
        *_changed_row(it)[:-1],
    )


def _changed_row(it: Invocation) -> tuple[Any, ...]:
    fault_type, fault_message, fault = it.fault or (None, None, None)
    return (
        it.state,
        it.attempt,
        it.worker_id,
        it.failures,
        it.started_ms,
        it.updated_ms,
        it.completed_ms,
        it.wake_ms,
        it.expire_ms,
        it.version,
        it.outcome,
        fault_type,
        fault_message,
        fault,
        it.pause_reason,
        it.pause_identity,
        it.pause_ms,
        it.number,
    )


def _invocation(row: Sequence[Any]) -> Invocation:
    fault = None if row[23] is None else Fault(row[23], row[24], row[25])
    return Invocation(
        id=row[1],
        number=row[0],
        handler=row[2],
        key=row[3],
        input=row[4],
        headers=_decode_headers(row[5]) if row[5] else (),
        service=row[6],
        partition_key=row[7],
        idempotency_key=row[8],
        parent=row[9],
        priority=row[10],
        created_ms=row[11],
        state=State(row[12]),
        attempt=row[13],
        worker_id=row[14],
        failures=row[15],
        started_ms=row[16],
        updated_ms=row[17],
        completed_ms=row[18],
        wake_ms=row[19],
        expire_ms=row[20],
        version=row[21],
        outcome=row[22],
        fault=fault,
        pause_reason=row[26],
        pause_identity=row[27],
        pause_ms=row[28],
    )
