"""Pages of invocation lists: filters, orders and cursors, answered from indexes.

Theory. With a million invocations a page may not read more rows than with a thousand. So a page is the
beginning of a *merge of index scans*. A scan is one SELECT on one index that yields its rows in the
order of the list and can begin anywhere; SQLite reads only as much of it as the merge takes. `state,
handler` is the common index, once for each order. A list without a filter by either is the merge of all
pairs of the two that have invocations, which the counts know. Creation times rise with the numbers, so
a range of times is a range of numbers.

Which index drives the query. Filters that the scans do not cover are checked on the rows that come out
of the merge, in chunks, and not in the scans: a scan without a matching row would be read to its end
before the merge yields its first row. So the driving index should leave the fewest rows. The pairs are
counted exactly; a label (key, service, parent) and a failure text are counted up to `PROBE_ROWS`. These
indexes have only the order of acceptance: for another order, all rows of an index with fewer than
`PROBE_ROWS` are read and sorted. A filter with more matches will probably meet one soon in the merge of
the pairs; if `SCAN_ROWS_MAX` rows do not fill the page, its index is read and sorted after all.

What stays slow: two filters that each match many rows and together few, without an index on both. All
rows that match the rarer one are read.

Rules. `INDEXED BY` names each index, so a missing query plan is an error in the tests and not a slow
page for a user. A cursor is the key of a row and not a count of rows, so a page begins where the last
one ended, whatever was added or removed in between.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ..core.model import State
from ..core.states import FINAL
from .failure_index import TEXT, FailureIndex
from .interface import Filter, Order, PageCursor, Sort

PROBE_ROWS: Final = 2000
"""The number up to which rows of a label or a text are counted; it takes less than a millisecond."""
SCAN_ROWS_MAX: Final = 5000
"""Rows that are read to fill a page before all matches of a frequent filter are sorted instead."""
_ALL: Final = tuple(State)
_LABELS: Final = ("key", "parent", "service")
_TIMES: Final = {Sort.CREATED: "0", Sort.COMPLETED: "completed_ms", Sort.UPDATED: "updated_ms"}
_CHUNK_ROWS: Final = 64
"""The number of rows in the first chunk that is checked; it doubles up to _CHUNK_ROWS_MAX."""
_CHUNK_ROWS_MAX: Final = 1024


class _Condition(NamedTuple):
    """A condition of a WHERE, with its values."""

    sql: str
    values: tuple[Any, ...] = ()


class _IndexScan(NamedTuple):
    """A SELECT on one index."""

    source: str
    condition: _Condition
    time: str = "0"
    """The expression for the time by which the list is sorted."""
    number: str = "number"
    counted: bool = True
    """Whether its rows count when the indexes are compared."""


class _Driver(NamedTuple):
    """The scans of the index that drives a query, and the filters that they cover."""

    scans: list[_IndexScan]
    covered: frozenset[str]


def select(
    db: sqlite3.Connection,
    counts: Mapping[tuple[str, State], int],
    failure_index: FailureIndex | None,
    where: Filter,
    order: Order,
    after: PageCursor | None,
    size: int,
) -> list[PageCursor]:
    """Returns the cursors of up to `size` invocations after `after`."""
    least = _first_since(db, where.created_min_ms) if where.created_min_ms else 0
    most = _first_since(db, where.created_max_ms) if where.created_max_ms else 0
    number_bounds = [(bound, number) for bound, number in ((">=", least), ("<", most)) if number]
    driver, other = _choose_driver(db, counts, failure_index, where, order.sort)
    if other is not None:
        found = _read(db, driver, where, number_bounds, order, after, size, SCAN_ROWS_MAX)
        if found is not None:
            return found
        driver = other
    return _read(db, driver, where, number_bounds, order, after, size, None) or []


def _read(
    db: sqlite3.Connection,
    driver: _Driver,
    where: Filter,
    number_bounds: list[tuple[str, int]],
    order: Order,
    after: PageCursor | None,
    size: int,
    rows_max: int | None,
) -> list[PageCursor] | None:
    """Reads a page; returns None when `rows_max` rows do not fill it and there are more."""
    unchecked = [
        condition for name, condition in _conditions(where).items() if name not in driver.covered
    ]
    cursors: list[sqlite3.Cursor] = []
    try:
        for scan in driver.scans:
            conditions = [scan.condition]
            conditions += [
                _Condition(f"{scan.number} {bound} ?", (it,)) for bound, it in number_bounds
            ]
            if after is not None:
                conditions.append(_after(scan, order, after))
            by = scan.number if order.sort is Sort.CREATED else f"{scan.time}, {scan.number}"
            sql = (
                f"SELECT {scan.time}, {scan.number} FROM {scan.source} "
                f"WHERE {' AND '.join(condition.sql for condition in conditions)} "
                f"ORDER BY {by if order.ascending else by.replace(',', ' DESC,') + ' DESC'}"
            )
            cursors.append(
                db.execute(sql, [it for condition in conditions for it in condition.values])
            )
        merged = map(PageCursor._make, heapq.merge(*cursors, reverse=not order.ascending))
        beginning = islice(merged, rows_max)
        found = list(islice(_matching(db, beginning, unchecked) if unchecked else beginning, size))
        if rows_max is not None and len(found) < size and next(merged, None) is not None:
            return None
        return found
    finally:
        # A cursor that is not read to its end would keep the write-ahead log from being truncated.
        for cursor in cursors:
            cursor.close()


def _after(scan: _IndexScan, order: Order, after: PageCursor) -> _Condition:
    """Returns the condition that a row comes after a cursor."""
    beyond = ">" if order.ascending else "<"
    if order.sort is Sort.CREATED:
        return _Condition(f"{scan.number} {beyond} ?", (after.number,))
    # With the first half SQLite can begin the scan in the middle of the index.
    sql = f"{scan.time} {beyond}= ? AND ({scan.time} {beyond} ? OR {scan.number} {beyond} ?)"
    return _Condition(sql, (after.ms, *after))


def _matching(
    db: sqlite3.Connection, cursors: Iterator[PageCursor], conditions: list[_Condition]
) -> Iterator[PageCursor]:
    """Yields the cursors whose rows meet all conditions."""
    values = [value for condition in conditions for value in condition.values]
    count = _CHUNK_ROWS
    while chunk := list(islice(cursors, count)):
        found = db.execute(
            "SELECT number FROM invocations NOT INDEXED "
            f"WHERE number IN ({', '.join('?' * len(chunk))}) AND "
            + " AND ".join(condition.sql for condition in conditions),
            [it.number for it in chunk] + values,
        )
        numbers = {row[0] for row in found}
        yield from (it for it in chunk if it.number in numbers)
        count = min(2 * count, _CHUNK_ROWS_MAX)


def _conditions(where: Filter) -> dict[str, _Condition]:
    """Returns the condition of each filter that is set, except the times."""
    conditions: dict[str, _Condition] = {}
    if where.states:
        marks = ", ".join("?" * len(where.states))
        conditions["states"] = _Condition(f"state IN ({marks})", where.states)
    for name in ("handler", *_LABELS):
        if wanted := getattr(where, name):
            conditions[name] = _Condition(f"{name} = ?", (wanted,))
    if where.handlers is not None:
        marks = ", ".join("?" * len(where.handlers))
        conditions["handlers"] = _Condition(f"handler IN ({marks})", where.handlers)
    if where.pinned_build:
        sql = "build = ? AND pinned = 1 AND completed_ms = 0"
        conditions["pinned_build"] = _Condition(sql, (where.pinned_build,))
    if where.failure_text:
        conditions["failure"] = _Condition(f"instr({TEXT}, ?) > 0", (where.failure_text,))
    return conditions


def _choose_driver(
    db: sqlite3.Connection,
    counts: Mapping[tuple[str, State], int],
    failure_index: FailureIndex | None,
    where: Filter,
    sort: Sort,
) -> tuple[_Driver, _Driver | None]:
    """Returns the driver with the fewest rows, and another one for when its rows are too many."""
    visible = None if where.handlers is None else frozenset(where.handlers)
    pairs = {
        (handler, state): count
        for (handler, state), count in counts.items()
        if count
        and (not where.states or state in where.states)
        and (not where.handler or handler == where.handler)
        and (visible is None or handler in visible)
        and (sort is not Sort.COMPLETED or state in FINAL)
    }
    few, best = sum(pairs.values()), None
    for name, scans in _other_indexes(failure_index, where, pairs):
        count = min(sum(_probe(db, scan) for scan in scans if scan.counted), PROBE_ROWS)
        if count <= few:
            few, best = count, _in_order(name, scans, sort)
    if best is not None and (sort is Sort.CREATED or few < PROBE_ROWS):
        return best, None
    if sort is Sort.CREATED and not where.states and not where.handler and visible is None:
        everything = _IndexScan("invocations NOT INDEXED", _Condition("number > 0"))
        return _Driver([everything], frozenset()), None
    scans = [_pair(*pair, sort) for pair in pairs]
    return _Driver(scans, frozenset({"states", "handler", "handlers"})), best


def _pair(handler: str, state: State, sort: Sort) -> _IndexScan:
    """Returns the scan of one handler's invocations in one state."""
    index, time, more = "invocations_by_state", "0", ""
    if sort is not Sort.CREATED and state in FINAL:
        # The last change of an invocation that has ended is its end.
        index, time, more = "invocations_by_end", "completed_ms", " AND completed_ms > 0"
    elif sort is not Sort.CREATED:
        index, time, more = "invocations_by_update", "updated_ms", " AND completed_ms = 0"
    condition = _Condition(f"state = ? AND handler = ?{more}", (state, handler))
    return _IndexScan(f"invocations INDEXED BY {index}", condition, time)


def _other_indexes(
    failure_index: FailureIndex | None, where: Filter, pairs: Iterable[tuple[str, State]]
) -> Iterator[tuple[str, list[_IndexScan]]]:
    """Yields the other indexes that could drive the query; the one with probably fewest rows last.

    They have the order of acceptance.
    """
    for name in _LABELS:
        if wanted := getattr(where, name):
            source = f"invocations INDEXED BY invocations_by_{name}"
            sql = f"{name} = ? AND {name} <> '' AND state = ?"
            states = where.states or _ALL
            yield name, [_IndexScan(source, _Condition(sql, (wanted, state))) for state in states]
    if where.pinned_build:
        source = "invocations INDEXED BY invocations_by_pin"
        sql = "build = ? AND handler = ? AND state = ? AND pinned = 1 AND completed_ms = 0"
        yield (
            "pinned_build",
            [_IndexScan(source, _Condition(sql, (where.pinned_build, *pair))) for pair in pairs],
        )
    if failure_index is not None and (match := failure_index.match(where.failure_text)):
        yield (
            "failure",
            [
                _IndexScan(
                    "failure_texts",
                    _Condition("failure_texts MATCH ?", (match,)),
                    number="failure_texts.rowid",
                ),
                _IndexScan(
                    "invocations INDEXED BY invocations_in_trouble",
                    _Condition(
                        f"fault_message IS NOT NULL AND completed_ms = 0 AND instr({TEXT}, ?) > 0",
                        (where.failure_text,),
                    ),
                    counted=False,
                ),
            ],
        )


def _in_order(name: str, scans: list[_IndexScan], sort: Sort) -> _Driver:
    """Returns the driver of an index in the order of acceptance, for any order."""
    # A failure text is compared again: see `failure_index`.
    covered = frozenset({name, "states"} if name != "failure" else ())
    if sort is Sort.CREATED:
        return _Driver(scans, covered)
    timed = []
    for scan in scans:
        source, condition = scan.source, scan.condition
        if source == "failure_texts":
            source += " CROSS JOIN invocations ON number = failure_texts.rowid"
        if sort is Sort.COMPLETED:
            condition = condition._replace(sql=f"{condition.sql} AND completed_ms > 0")
        timed.append(scan._replace(source=source, condition=condition, time=_TIMES[sort]))
    return _Driver(timed, covered)


def _probe(db: sqlite3.Connection, scan: _IndexScan) -> int:
    """Counts the rows of a scan, up to PROBE_ROWS."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {scan.source} WHERE {scan.condition.sql} LIMIT ?)"
    count: int = db.execute(sql, (*scan.condition.values, PROBE_ROWS)).fetchone()[0]
    return count


def _first_since(db: sqlite3.Connection, ms: int) -> int:
    """Returns the first number that was accepted at `ms` or later, by bisection."""
    low = 1
    high = (db.execute("SELECT max(number) FROM invocations").fetchone()[0] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        number, created_ms = db.execute(
            "SELECT number, created_ms FROM invocations WHERE number >= ? ORDER BY number LIMIT 1",
            (middle,),
        ).fetchone()
        if created_ms >= ms:
            high = middle
        else:
            low = number + 1
    return low
