"""Questions in SQL to a store file: what `durable sql` does, read-only and bounded.

The file is that of a control plane, which may be running: SQLite lets others read while it writes. It
is opened for reading only, an authorizer allows nothing but SELECT, and a query is stopped when its
time is up, because a reader that stays keeps the write-ahead log from being cut.

What is asked are views with words and times in place of numbers and bytes. They have the names of the
store's tables and stand before them; `main.invocations` is the table itself, whose columns may change
with any version.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from durable_proto.v1 import invocation_pb2, payload_pb2

from .store.schema import VERSION

_VALUE_BYTES: Final = 64 * 1024 * 1024
"""The longest value that a query may build."""
_STEPS: Final = 10_000
"""How many of SQLite's instructions run between two looks at the clock."""

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
    """A query is refused, wrong or too slow; the message says which."""


class Answer(NamedTuple):
    """The rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    """Whether the limit left some out."""


def query(store: Path, statement: str, limit: int, timeout: timedelta) -> Answer:
    """Answers one SELECT with at most `limit` rows; raises SqlError."""
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
            return Answer(columns, rows[:limit], len(rows) > limit)
    except sqlite3.Error as error:
        raise SqlError(_explained(error, timeout)) from error


def _explained(error: sqlite3.Error, timeout: timedelta) -> str:
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
    """Makes the views, then takes everything away but looking."""
    functions: tuple[tuple[str, int, Any], ...] = (
        ("status_word", 1, _status),
        ("kind_word", 1, _kind),
        ("moment", 1, _moment),
        ("payload", 1, _payload),
        ("value", 1, _value),
        ("failure", 1, _failure),
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


def _status(number: int) -> str:
    try:
        name: str = invocation_pb2.InvocationState.Name(number)
    except ValueError:
        return f"state_{number}"
    return name.removeprefix("INVOCATION_STATE_").lower()


def _kind(number: int) -> str:
    try:
        name: str = invocation_pb2.EntryKind.Name(number)
    except ValueError:
        return f"KIND_{number}"
    return name.removeprefix("ENTRY_KIND_")


def _moment(ms: int | None) -> str | None:
    if not ms:
        return None
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _payload(data: bytes | None) -> str | None:
    return None if data is None else _text(payload_pb2.Payload.FromString(data))


def _value(data: bytes | None) -> str | None:
    if data is None:
        return None
    outcome = payload_pb2.Outcome.FromString(data)
    return _text(outcome.value) if outcome.HasField("value") else None


def _failure(data: bytes | None) -> str | None:
    if data is None:
        return None
    outcome = payload_pb2.Outcome.FromString(data)
    if not outcome.HasField("failure"):
        return None
    return f"{outcome.failure.type}: {outcome.failure.message}"


def _text(payload: payload_pb2.Payload) -> str:
    """Returns a value as JSON: it is JSON, or its type and its bytes."""
    if payload.content_type in ("", "application/json"):
        return payload.data.decode(errors="replace")
    text = base64.b64encode(payload.data).decode()
    return json.dumps({"content_type": payload.content_type, "base64": text})


def _owner_part(owner: str, part: int) -> str:
    """Returns a state's object or invocation (0), or its key (1)."""
    name, _, key = owner.partition("\0")
    return key if part else name
