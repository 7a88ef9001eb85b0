"""`durable sql`: SQL queries on a store file, read-only and with limits.

The file belongs to a control plane that may be running: SQLite lets other processes read while one
writes. The file is opened read-only, an authorizer permits nothing but SELECT, and a query is stopped
when its time is up, because a reader that stays keeps the write-ahead log from being truncated.

Queries see views with words and times instead of numbers and bytes. The views have the names of the
store's tables and take precedence over them; `main.invocations` is the table itself, whose columns may
change with any version.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from .display import failure_text, kind_word, payload_text, status_word, timestamp_text, value_text
from .store.schema import VERSION

_VALUE_BYTES: Final = 64 * 1024 * 1024
"""The largest value that a query may produce."""
_STEPS: Final = 10_000
"""How many of SQLite's instructions run between two checks of the time."""

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)

VIEWS: Final = """
CREATE TEMP VIEW invocations AS SELECT
    id, handler, key, status_word(state) AS status, attempt, moment(created_ms) AS created,
    moment(started_ms) AS started, moment(updated_ms) AS updated,
    moment(completed_ms) AS completed, moment(wake_ms) AS wakes, moment(deadline_ms) AS deadline,
    moment(expire_ms) AS expires,
    iif(started_ms > 0 AND completed_ms > 0, completed_ms - started_ms, NULL) AS took_ms,
    payload(input) AS input,
    value(outcome) AS output, fault_type AS failure_type, fault_message AS failure_message,
    service, partition_key, idempotency_key, parent, priority, worker_id, version, pause_reason,
    pause_identity
    FROM main.invocations;
CREATE TEMP VIEW journal AS SELECT
    i.id AS invocation, i.handler AS handler, j.position AS step, kind_word(j.kind) AS kind,
    j.name AS name, payload(j.argument) AS argument, value(j.outcome) AS value,
    failure(j.outcome) AS failure, moment(j.created_ms) AS created,
    moment(j.completed_ms) AS completed, moment(j.due_ms) AS due, j.target AS target,
    j.attempt AS attempt
    FROM main.journal AS j JOIN main.invocations AS i ON i.number = j.number;
CREATE TEMP VIEW awakeables AS SELECT
    id, invocation, moment(created_ms) AS created, moment(resolved_ms) AS resolved,
    value(outcome) AS value, failure(outcome) AS failure
    FROM main.awakeables;
CREATE TEMP VIEW signals AS SELECT
    i.id AS invocation, s.signal AS number, s.name AS name, value(s.outcome) AS value
    FROM main.signals AS s JOIN main.invocations AS i ON i.number = s.number;
CREATE TEMP VIEW state AS SELECT
    owner_part(owner, 0) AS owner, owner_part(owner, 1) AS key, name, payload(value) AS value
    FROM main.state;
"""


class SqlError(Exception):
    """A query is refused, invalid or too slow; the message says which."""


class QueryResult(NamedTuple):
    """The rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    """Whether the limit has cut off rows."""


def query(store: Path, statement: str, limit: int, timeout: timedelta) -> QueryResult:
    """Runs one SELECT and returns at most `limit` rows; raises SqlError."""
    if not store.is_file():
        raise SqlError(f"there is no store at {store}; name the place with --data-dir")
    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as db:
            _check_version(db, store)
            _prepare(db, time.monotonic() + timeout.total_seconds())
            cursor = db.execute(statement)
            if cursor.description is None:
                raise SqlError("only SELECT is possible here")
            rows = cursor.fetchmany(limit + 1)
            columns = tuple(column[0] for column in cursor.description)
            return QueryResult(columns, rows[:limit], len(rows) > limit)
    except sqlite3.Error as error:
        raise SqlError(_explain(error, timeout)) from error


def _explain(error: sqlite3.Error, timeout: timedelta) -> str:
    text = str(error)
    if "interrupted" in text:
        return f"the query took longer than {timeout.total_seconds():g} s; see --timeout"
    if "not authorized" in text or "prohibited" in text:
        return f"{text}: only SELECT is possible here, of the store's tables and views"
    return text


def _check_version(db: sqlite3.Connection, store: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise SqlError(f"{store} has store version {version}, this program reads {VERSION}")


def _prepare(db: sqlite3.Connection, deadline: float) -> None:
    """Creates the views, then permits only reading."""
    functions: tuple[tuple[str, int, Any], ...] = (
        ("status_word", 1, status_word),
        ("kind_word", 1, kind_word),
        ("moment", 1, timestamp_text),
        ("payload", 1, payload_text),
        ("value", 1, value_text),
        ("failure", 1, failure_text),
        ("owner_part", 2, _owner_part),
    )
    for name, count, function in functions:
        db.create_function(name, count, function, deterministic=True)
    db.executescript(VIEWS)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
    db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    db.set_authorizer(_authorize)


def _authorize(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _owner_part(owner: str, part: int) -> str:
    """Returns a state's object or invocation (0), or its key (1)."""
    name, _, key = owner.partition("\0")
    return key if part else name
