"""Which invocations a page holds: filters, orders and places, answered from indexes.

Theory. With a million invocations a page may not read more rows than with a thousand. So a page is the
beginning of a *merge of streams*. A stream is one SELECT on one index that gives its rows in the order
of the list already, beginning anywhere: SQLite reads from it only as much as the merge takes. `state,
handler` is the common index, once for each order; a list without a filter by either is the merge of
all of their pairs that have invocations, which the counts know. Times of creation rise with the
numbers, so a range of them is a range of numbers.

Which index leads. The other filters are compared row by row, so the one that leaves the fewest rows
should lead. The pairs are counted exactly; a label (key, service, parent) and a text in the failure
are counted up to `PROBE`. What is rarer than that is read whole and sorted, if need be.

What stays slow: two filters that each hold for many and together for few, if no index has both. It
reads all that the rarer one holds for.

Rules. `INDEXED BY` names each index: a plan that does not exist is an error in the tests and not a
slow page for somebody. Places are keys of rows and not counts of rows, so a page begins where the last
one ended whatever has come or gone in between.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from ..core.model import State
from ..core.states import FINAL
from .failures import Failures
from .interface import Filter, Order, Place, Sort

PROBE: Final = 2000
"""Rows up to which a label or a text is counted: about a millisecond."""
_ALL: Final = tuple(State)
_LABELS: Final = ("key", "parent", "service")


class _Term(NamedTuple):
    """A condition of a WHERE, with its values."""

    sql: str
    values: tuple[Any, ...]


class _Stream(NamedTuple):
    """Where rows come from."""

    source: str
    term: _Term
    time: str
    """What the list's time is here."""
    number: str = "number"


class _Lead(NamedTuple):
    """The index that leads, and which filters need no other look."""

    streams: list[_Stream]
    settles: frozenset[str]


def select(
    db: sqlite3.Connection,
    counts: Mapping[tuple[str, State], int],
    failures: Failures | None,
    where: Filter,
    order: Order,
    after: Place | None,
    size: int,
) -> list[Place]:
    """Returns the places of up to `size` invocations beyond `after`."""
    terms = _terms(where)
    lead = _choose(db, counts, failures, where, order.sort)
    rest = [term for name, term in terms.items() if name not in lead.settles]
    least = _first_since(db, where.created_min_ms) if where.created_min_ms else 0
    most = _first_since(db, where.created_max_ms) if where.created_max_ms else 0
    direction = "ASC" if order.ascending else "DESC"
    beyond = ">" if order.ascending else "<"
    cursors: list[sqlite3.Cursor] = []
    try:
        for stream in lead.streams:
            time, number = stream.time, stream.number
            conditions = [stream.term, *rest]
            if least:
                conditions.append(_Term(f"{number} >= ?", (least,)))
            if most:
                conditions.append(_Term(f"{number} < ?", (most,)))
            if after is not None and order.sort is Sort.CREATED:
                conditions.append(_Term(f"{number} {beyond} ?", (after.number,)))
            elif after is not None:
                # The first half is what an index can begin at.
                place = f"{time} {beyond}= ? AND ({time} {beyond} ? OR {number} {beyond} ?)"
                conditions.append(_Term(place, (after.ms, *after)))
            by = number if order.sort is Sort.CREATED else f"{time} {direction}, {number}"
            sql = (
                f"SELECT {time}, {number} FROM {stream.source} "
                f"WHERE {' AND '.join(term.sql for term in conditions)} "
                f"ORDER BY {by} {direction} LIMIT ?"
            )
            values = [value for term in conditions for value in term.values]
            cursors.append(db.execute(sql, (*values, size)))
        merged: Iterator[tuple[int, int]] = heapq.merge(*cursors, reverse=not order.ascending)
        return [Place(*row) for row in islice(merged, size)]
    finally:
        # What is not read to its end would keep the store from being written.
        for cursor in cursors:
            cursor.close()


def _terms(where: Filter) -> dict[str, _Term]:
    """Returns the condition of each filter that is set, but for the times."""
    terms: dict[str, _Term] = {}
    if where.states:
        marks = ", ".join("?" * len(where.states))
        terms["states"] = _Term(f"state IN ({marks})", where.states)
    for name in ("handler", *_LABELS):
        if wanted := getattr(where, name):
            terms[name] = _Term(f"{name} = ?", (wanted,))
    if where.failure_text:
        terms["failure"] = _Term("instr(fault_message, ?) > 0", (where.failure_text,))
    return terms


def _choose(
    db: sqlite3.Connection,
    counts: Mapping[tuple[str, State], int],
    failures: Failures | None,
    where: Filter,
    sort: Sort,
) -> _Lead:
    """Returns the index that leaves the fewest rows to look at."""
    pairs = {
        (handler, state): count
        for (handler, state), count in counts.items()
        if count
        and (not where.states or state in where.states)
        and (not where.handler or handler == where.handler)
        and (sort is not Sort.COMPLETED or state in FINAL)
    }
    few, best = sum(pairs.values()), None
    for lead in _rarer(failures, where, sort):
        count = min(sum(_probe(db, stream) for stream in lead.streams), PROBE)
        # These are in the order of acceptance only: for another one all of them are sorted.
        if count <= few and (sort is Sort.CREATED or count < PROBE):
            few, best = count, lead
    if best is not None:
        return best
    if sort is Sort.CREATED and not where.states and not where.handler:
        return _Lead([_Stream("invocations NOT INDEXED", _Term("number > 0", ()), "0")], frozenset())
    return _Lead([_pair(*pair, sort) for pair in pairs], frozenset({"states", "handler"}))


def _pair(handler: str, state: State, sort: Sort) -> _Stream:
    """Returns the stream of one handler's invocations in one state."""
    index, time, more = "invocations_by_state", "0", ""
    if sort is not Sort.CREATED and state in FINAL:
        # The last change of what has ended is its end.
        index, time, more = "invocations_by_end", "completed_ms", " AND completed_ms > 0"
    elif sort is not Sort.CREATED:
        index, time, more = "invocations_by_update", "updated_ms", " AND completed_ms = 0"
    term = _Term(f"state = ? AND handler = ?{more}", (state, handler))
    return _Stream(f"invocations INDEXED BY {index}", term, time)


def _rarer(failures: Failures | None, where: Filter, sort: Sort) -> Iterator[_Lead]:
    """Yields the other indexes that could lead, the likely rarest last."""
    time = {Sort.CREATED: "0", Sort.COMPLETED: "completed_ms", Sort.UPDATED: "updated_ms"}[sort]
    states: Sequence[State] = where.states or _ALL
    if sort is Sort.COMPLETED:
        states = [state for state in states if state in FINAL]
    for name in _LABELS:
        if wanted := getattr(where, name):
            source = f"invocations INDEXED BY invocations_by_{name}"
            sql = f"{name} = ? AND {name} <> '' AND state = ?"
            streams = [_Stream(source, _Term(sql, (wanted, state)), time) for state in states]
            yield _Lead(streams, frozenset({name, "states"}))
    if failures is not None and (match := failures.match(where.failure_text)):
        ended = _Stream(
            "failures CROSS JOIN invocations ON invocations.number = failures.rowid",
            _Term("failures MATCH ?", (match,)),
            *(time, "failures.rowid"),
        )
        going = _Stream(
            "invocations INDEXED BY invocations_in_trouble",
            _Term("fault_message IS NOT NULL AND completed_ms = 0", ()),
            time,
        )
        # Each message is compared as a whole too: see `failures`.
        yield _Lead([ended] if sort is Sort.COMPLETED else [ended, going], frozenset())


def _probe(db: sqlite3.Connection, stream: _Stream) -> int:
    """Counts a stream up to PROBE."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {stream.source} WHERE {stream.term.sql} LIMIT ?)"
    count: int = db.execute(sql, (*stream.term.values, PROBE)).fetchone()[0]
    return count


def _first_since(db: sqlite3.Connection, ms: int) -> int:
    """Returns the number from which on invocations were accepted at `ms` or later; by halving."""
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
