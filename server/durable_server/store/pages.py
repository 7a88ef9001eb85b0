"""Which invocations a page holds: filters, orders and places, answered from indexes.

Theory. With a million invocations a page may not read more rows than with a thousand. So a page is the
beginning of a *merge of streams*. A stream is one SELECT on one index that gives its rows in the order
of the list already, beginning anywhere: SQLite reads from it only as much as the merge takes. `state,
handler` is the common index, once for each order; a list without a filter by either is the merge of
all of their pairs that have invocations, which the counts know. Times of creation rise with the
numbers, so a range of them is a range of numbers.

Which index leads. Filters that its streams do not settle are compared with what comes out of the merge,
some rows at a time, and not in the streams: one that has no such row would be read to its end before
the merge gives its first. So the index that leaves the fewest rows should lead. The pairs are counted
exactly; a label (key, service, parent) and a text in the failure are counted up to `PROBE`. These have
only the order of acceptance: for another one, what is rarer than that is read whole and sorted. What
is not is likely found soon among the pairs; if it is not among `PATIENCE` rows, it is sorted after all.

What stays slow: two filters that each hold for many and together for few, if no index has both. It
reads all that the rarer one holds for.

Rules. `INDEXED BY` names each index: a plan that does not exist is an error in the tests and not a
slow page for somebody. Places are keys of rows and not counts of rows, so a page begins where the last
one ended whatever has come or gone in between.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ..core.model import State
from ..core.states import FINAL
from .failures import TEXT, Failures
from .interface import Filter, Order, Place, Sort

PROBE: Final = 2000
"""Rows up to which a label or a text is counted: less than a millisecond."""
PATIENCE: Final = 5000
"""Rows among which a page is looked for, before all of what is not rare is sorted instead."""
_ALL: Final = tuple(State)
_LABELS: Final = ("key", "parent", "service")
_TIMES: Final = {Sort.CREATED: "0", Sort.COMPLETED: "completed_ms", Sort.UPDATED: "updated_ms"}
_COMPARED: Final = 64
"""Rows that are compared at once at first; twice as many each time, up to COMPARED_MAX."""
_COMPARED_MAX: Final = 1024


class _Term(NamedTuple):
    """A condition of a WHERE, with its values."""

    sql: str
    values: tuple[Any, ...] = ()


class _Stream(NamedTuple):
    """Where rows come from."""

    source: str
    term: _Term
    time: str = "0"
    """What the list's time is here."""
    number: str = "number"
    counted: bool = True
    """Whether it has a part in how rare its index is."""


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
    least = _first_since(db, where.created_min_ms) if where.created_min_ms else 0
    most = _first_since(db, where.created_max_ms) if where.created_max_ms else 0
    among = [(bound, number) for bound, number in ((">=", least), ("<", most)) if number]
    lead, other = _choose(db, counts, failures, where, order.sort)
    if other is not None:
        found = _read(db, lead, where, among, order, after, size, PATIENCE)
        if found is not None:
            return found
        lead = other
    return _read(db, lead, where, among, order, after, size, None) or []


def _read(
    db: sqlite3.Connection,
    lead: _Lead,
    where: Filter,
    among: list[tuple[str, int]],
    order: Order,
    after: Place | None,
    size: int,
    patience: int | None,
) -> list[Place] | None:
    """Reads a page; None when it is not full after so many rows."""
    rest = [term for name, term in _terms(where).items() if name not in lead.settles]
    cursors: list[sqlite3.Cursor] = []
    try:
        for stream in lead.streams:
            conditions = [stream.term]
            conditions += [_Term(f"{stream.number} {bound} ?", (it,)) for bound, it in among]
            if after is not None:
                conditions.append(_beyond(stream, order, after))
            by = stream.number if order.sort is Sort.CREATED else f"{stream.time}, {stream.number}"
            sql = (
                f"SELECT {stream.time}, {stream.number} FROM {stream.source} "
                f"WHERE {' AND '.join(term.sql for term in conditions)} "
                f"ORDER BY {by if order.ascending else by.replace(',', ' DESC,') + ' DESC'}"
            )
            cursors.append(db.execute(sql, [it for term in conditions for it in term.values]))
        merged = map(Place._make, heapq.merge(*cursors, reverse=not order.ascending))
        beginning = islice(merged, patience)
        found = list(islice(_compared(db, beginning, rest) if rest else beginning, size))
        if patience is not None and len(found) < size and next(merged, None) is not None:
            return None
        return found
    finally:
        # What is not read to its end would keep the log before the store's file from being cut.
        for cursor in cursors:
            cursor.close()


def _beyond(stream: _Stream, order: Order, after: Place) -> _Term:
    """Returns the condition that a row comes after a place."""
    beyond = ">" if order.ascending else "<"
    if order.sort is Sort.CREATED:
        return _Term(f"{stream.number} {beyond} ?", (after.number,))
    # The first half is what an index can begin at.
    sql = f"{stream.time} {beyond}= ? AND ({stream.time} {beyond} ? OR {stream.number} {beyond} ?)"
    return _Term(sql, (after.ms, *after))


def _compared(
    db: sqlite3.Connection, places: Iterator[Place], rest: list[_Term]
) -> Iterator[Place]:
    """Yields the places whose rows meet all conditions."""
    values = [value for term in rest for value in term.values]
    count = _COMPARED
    while chunk := list(islice(places, count)):
        found = db.execute(
            "SELECT number FROM invocations NOT INDEXED "
            f"WHERE number IN ({', '.join('?' * len(chunk))}) AND "
            + " AND ".join(term.sql for term in rest),
            [place.number for place in chunk] + values,
        )
        numbers = {row[0] for row in found}
        yield from (place for place in chunk if place.number in numbers)
        count = min(2 * count, _COMPARED_MAX)


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
        terms["failure"] = _Term(f"instr({TEXT}, ?) > 0", (where.failure_text,))
    return terms


def _choose(
    db: sqlite3.Connection,
    counts: Mapping[tuple[str, State], int],
    failures: Failures | None,
    where: Filter,
    sort: Sort,
) -> tuple[_Lead, _Lead | None]:
    """Returns the index that leaves the fewest rows to look at, and one for when these are many."""
    pairs = {
        (handler, state): count
        for (handler, state), count in counts.items()
        if count
        and (not where.states or state in where.states)
        and (not where.handler or handler == where.handler)
        and (sort is not Sort.COMPLETED or state in FINAL)
    }
    few, best = sum(pairs.values()), None
    for name, streams in _rarer(failures, where):
        count = min(sum(_probe(db, stream) for stream in streams if stream.counted), PROBE)
        if count <= few:
            few, best = count, _sorted(name, streams, sort)
    if best is not None and (sort is Sort.CREATED or few < PROBE):
        return best, None
    if sort is Sort.CREATED and not where.states and not where.handler:
        everything = _Stream("invocations NOT INDEXED", _Term("number > 0"))
        return _Lead([everything], frozenset()), None
    streams = [_pair(*pair, sort) for pair in pairs]
    return _Lead(streams, frozenset({"states", "handler"})), best


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


def _rarer(failures: Failures | None, where: Filter) -> Iterator[tuple[str, list[_Stream]]]:
    """Yields the other indexes that could lead, in the order of acceptance; the likely rarest last."""
    for name in _LABELS:
        if wanted := getattr(where, name):
            source = f"invocations INDEXED BY invocations_by_{name}"
            sql = f"{name} = ? AND {name} <> '' AND state = ?"
            states = where.states or _ALL
            yield name, [_Stream(source, _Term(sql, (wanted, state))) for state in states]
    if failures is not None and (match := failures.match(where.failure_text)):
        yield (
            "failure",
            [
                _Stream(
                    "failure_texts",
                    _Term("failure_texts MATCH ?", (match,)),
                    number="failure_texts.rowid",
                ),
                _Stream(
                    "invocations INDEXED BY invocations_in_trouble",
                    _Term(
                        f"fault_message IS NOT NULL AND completed_ms = 0 AND instr({TEXT}, ?) > 0",
                        (where.failure_text,),
                    ),
                    counted=False,
                ),
            ],
        )


def _sorted(name: str, streams: list[_Stream], sort: Sort) -> _Lead:
    """Returns the lead of an index that is in the order of acceptance, in any order."""
    # A text is compared again: see `failures`.
    settles = frozenset({name, "states"} if name != "failure" else ())
    if sort is Sort.CREATED:
        return _Lead(streams, settles)
    timed = []
    for stream in streams:
        source, term = stream.source, stream.term
        if source == "failure_texts":
            source += " CROSS JOIN invocations ON number = failure_texts.rowid"
        if sort is Sort.COMPLETED:
            term = term._replace(sql=f"{term.sql} AND completed_ms > 0")
        timed.append(stream._replace(source=source, term=term, time=_TIMES[sort]))
    return _Lead(timed, settles)


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
