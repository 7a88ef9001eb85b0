"""`durable sql`: SQL queries on the store files of a data dir, read-only and with limits.

The files belong to a control plane that may be running: SQLite lets other processes read while one
writes. They are opened read-only, an authorizer permits nothing but SELECT, and a query is stopped
when its time is up, because a reader that stays keeps the write-ahead log from being truncated.

Queries see views with words and times instead of numbers and bytes. The views have the names of the
store's tables and take precedence over them; `main.invocations` is the table itself, whose columns may
change with any version. Each partition has a file. The first one is `main`, another one is attached as
`p` and its number, and the views are over all of them; their last column is the partition. Views over
one file have that column too, so that a query is right for every system. SQLite limits the number of
files.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from .display import (
    end_word,
    failure_text,
    kind_word,
    payload_text,
    status_word,
    timestamp_text,
    value_text,
)
from .store.files import store_partitions, store_path
from .store.rows import decode_extra, encode
from .store.schema import VERSION

_VALUE_BYTES: Final = 64 * 1024 * 1024
"""The largest value that a query may produce."""
_STEPS: Final = 10_000
"""How many of SQLite's instructions run between two checks of the time."""

_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)

_VIEWS: Final = {
    "invocations": """
    SELECT id, handler, key, status_word(state) AS status, attempt, moment(created_ms) AS created,
    moment(started_ms) AS started, moment(updated_ms) AS updated,
    moment(completed_ms) AS completed, moment(wake_ms) AS wakes, moment(deadline_ms) AS deadline,
    moment(expire_ms) AS expires,
    iif(started_ms > 0 AND completed_ms > 0, completed_ms - started_ms, NULL) AS took_ms,
    payload(input) AS input,
    value(outcome) AS output, fault_type AS failure_type, fault_message AS failure_message,
    service, partition_key, idempotency_key, parent, priority, worker_id, version, build, pinned,
    pause_reason, pause_identity, {partition} AS partition
    FROM {schema}.invocations
    """,
    "journal": """
    SELECT i.id AS invocation, i.handler AS handler, j.position AS step, kind_word(j.kind) AS kind,
    j.name AS name, payload(j.argument) AS argument, value(j.outcome) AS value,
    failure(j.outcome) AS failure, moment(j.created_ms) AS created,
    moment(j.completed_ms) AS completed, moment(j.due_ms) AS due, j.target AS target,
    j.attempt AS attempt, {partition} AS partition
    FROM {schema}.journal AS j JOIN {schema}.invocations AS i ON i.number = j.number
    """,
    # The attempt that runs, or that has ended the invocation, has no row: see `core.attempts`.
    "attempts": """
    SELECT i.id AS invocation, i.handler AS handler, a.attempt AS attempt, a.run AS run,
    a.worker_id AS worker_id, a.build_id AS build, a.version AS version,
    moment(a.started_ms) AS started, moment(a.ended_ms) AS ended, end_word(a.ended) AS why,
    a.ended_ms - a.started_ms AS took_ms, nullif(a.failure_type, '') AS failure_type,
    nullif(a.failure_message, '') AS failure_message, {partition} AS partition
    FROM {schema}.attempts AS a JOIN {schema}.invocations AS i ON i.number = a.number
    UNION ALL
    SELECT id, handler, attempt, rest_value(rest, 'run'), worker_id,
    coalesce(rest_value(rest, 'attempt_build'), build), version,
    moment(began_ms), moment(completed_ms), iif(completed_ms, status_word(state), NULL),
    iif(completed_ms, completed_ms - began_ms, NULL),
    iif(completed_ms, fault_type, NULL), iif(completed_ms, fault_message, NULL), {partition}
    FROM (
        SELECT *, iif(rest_value(rest, 'attempt_ms'), rest_value(rest, 'attempt_ms'), started_ms)
        AS began_ms FROM {schema}.invocations
    ) AS i
    WHERE (state = 3 OR completed_ms) AND attempt > coalesce(
        (SELECT max(a.attempt) FROM {schema}.attempts AS a WHERE a.number = i.number), 0)
    """,
    "awakeables": """
    SELECT id, invocation, moment(created_ms) AS created, moment(resolved_ms) AS resolved,
    value(outcome) AS value, failure(outcome) AS failure, {partition} AS partition
    FROM {schema}.awakeables
    """,
    "signals": """
    SELECT i.id AS invocation, s.signal AS number, s.name AS name, value(s.outcome) AS value,
    {partition} AS partition
    FROM {schema}.signals AS s JOIN {schema}.invocations AS i ON i.number = s.number
    """,
    "state": """
    SELECT owner_part(owner, 0) AS owner, owner_part(owner, 1) AS key, name,
    payload(value) AS value, {partition} AS partition
    FROM {schema}.state
    """,
}
"""The part of each view that comes from one partition."""


class SqlError(Exception):
    """A query is refused, invalid or too slow; the message says which."""


class QueryResult(NamedTuple):
    """The rows of a query."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool
    """Whether the limit has cut off rows."""


def query(
    data_dir: Path, statement: str, limit: int, timeout: timedelta, partition: int | None = None
) -> QueryResult:
    """Runs one SELECT over the stores of a data dir, or over that of one partition.

    Returns at most `limit` rows; raises SqlError.
    """
    partitions = _chosen(data_dir, partition)
    first, *others = [_uri(data_dir, it) for it in partitions]
    try:
        with closing(sqlite3.connect(first, uri=True)) as db:
            _check_count(db, len(others))
            for number, uri in zip(partitions[1:], others, strict=True):
                db.execute(f"ATTACH ? AS p{number}", (uri,))
            schemas = dict(
                zip(("main", *(f"p{it}" for it in partitions[1:])), partitions, strict=True)
            )
            for schema, number in schemas.items():
                _check_version(db, schema, store_path(data_dir, number))
            _prepare(db, schemas, time.monotonic() + timeout.total_seconds())
            cursor = db.execute(statement)
            if cursor.description is None:
                raise SqlError("only SELECT is possible here")
            rows = cursor.fetchmany(limit + 1)
            columns = tuple(column[0] for column in cursor.description)
            return QueryResult(columns, rows[:limit], len(rows) > limit)
    except sqlite3.Error as error:
        raise SqlError(_explain(error, timeout)) from error


def _chosen(data_dir: Path, partition: int | None) -> list[int]:
    """Returns the partitions to query."""
    found = store_partitions(data_dir)
    if not found:
        raise SqlError(f"there is no store in {data_dir}; name the place with --data-dir")
    if partition is not None:
        if partition not in found:
            has = f"0 to {found[-1]}" if len(found) > 1 else str(found[0])
            raise SqlError(
                f"--partition {partition}: there is no such store in {data_dir}; it has {has}"
            )
        return [partition]
    missing = set(range(found[-1])) - set(found)
    if missing:
        raise SqlError(
            f"{store_path(data_dir, min(missing))} is missing; start the control plane, which makes"
            " it anew from the log, or choose one of the others with --partition N"
        )
    return found


def _uri(data_dir: Path, partition: int) -> str:
    return f"{store_path(data_dir, partition).resolve().as_uri()}?mode=ro"


def _check_count(db: sqlite3.Connection, others: int) -> None:
    most = db.getlimit(sqlite3.SQLITE_LIMIT_ATTACHED)
    if others > most:
        raise SqlError(
            f"this system has {others + 1} partitions, and SQLite reads {most + 1} files at a time;"
            " choose one with --partition N"
        )


def _explain(error: sqlite3.Error, timeout: timedelta) -> str:
    text = str(error)
    if "interrupted" in text:
        return f"the query took longer than {timeout.total_seconds():g} s; see --timeout"
    if "not authorized" in text or "prohibited" in text:
        return f"{text}: only SELECT is possible here, of the store's tables and views"
    return text


def _check_version(db: sqlite3.Connection, schema: str, store: Path) -> None:
    version = db.execute(f"PRAGMA {schema}.user_version").fetchone()[0]
    if version != VERSION:
        raise SqlError(f"{store} has store version {version}, this program reads {VERSION}")


def _prepare(db: sqlite3.Connection, schemas: Mapping[str, int], deadline: float) -> None:
    """Creates the views over these schemas with their partitions, then permits only reading."""
    functions: tuple[tuple[str, int, Any], ...] = (
        ("status_word", 1, status_word),
        ("kind_word", 1, kind_word),
        ("moment", 1, timestamp_text),
        ("payload", 1, payload_text),
        ("value", 1, value_text),
        ("failure", 1, failure_text),
        ("owner_part", 2, _owner_part),
        ("end_word", 1, end_word),
        ("rest_value", 2, _rest_value),
    )
    for name, count, function in functions:
        db.create_function(name, count, function, deterministic=True)
    for name, select in _VIEWS.items():
        parts = [select.format(schema=it, partition=schemas[it]) for it in schemas]
        db.execute(f"CREATE TEMP VIEW {name} AS {' UNION ALL '.join(parts)}")
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)
    db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    db.set_authorizer(_authorize)


def _authorize(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _rest_value(rest: bytes | None, name: str) -> Any:
    """Returns a field of the blob in the column `rest`, or its default."""
    return getattr(decode_extra(rest or encode(())), name)


def _owner_part(owner: str, part: int) -> str:
    """Returns a state's object or invocation (0), or its key (1)."""
    name, _, key = owner.partition("\0")
    return key if part else name
