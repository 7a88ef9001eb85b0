"""Pages of lists, against the same lists by the simplest implementation, over random invocations.

Which index drives a query depends on the number of rows, so each list is requested with limits under
which few rows count as many, and with large ones.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from durable_server.core.changes import Changes
from durable_server.core.model import Failure, HandlerKind, Invocation, State
from durable_server.core.states import FINAL
from durable_server.log.interface import Position
from durable_server.store import failure_index, pages
from durable_server.store.failure_index import FailureIndexError
from durable_server.store.interface import Filter, Order, PageCursor, Sort
from durable_server.store.schema import SCHEMA, VERSION
from durable_server.store.sqlite import SqliteStore, StoreVersionError

COUNT = 300
MESSAGES = (
    "no stock",
    'shop "7" is closed',
    "wörld's end",
    "before\0after",
    "ab",
    "stock of 7 shops",
)
LIVE = sorted(set(State) - FINAL)


class World:
    """A store, and what it must hold."""

    def __init__(self, path: Path | str, seed: int = 1) -> None:
        self.store = SqliteStore(path)
        self.known: dict[int, Invocation] = {}
        self.now_ms = 1000
        self._last = 0
        self._random = random.Random(seed)

    def create(self, count: int) -> None:
        """Accepts invocations in batches, some of which end in their first batch."""
        pick = self._random.choice
        for _ in range(0, count, 20):
            changes = Changes()
            for _ in range(20):
                number = self._last = self._last + self._random.choice((1, 1, 1, 3))
                it = Invocation(
                    *(f"id-{number}", number, pick(("a", "b", "c.d")), pick(("", "", "k", "l"))),
                    *(None, (), pick(("", "s")), "", "", pick(("", "", "p")), 0, self.now_ms),
                    *(HandlerKind.WORKFLOW, pick(LIVE)),
                    updated_ms=self.now_ms,
                    build=pick(("", "v1", "v2")),
                    pinned=self._random.random() < 0.5,
                )
                if self._random.random() < 0.1:
                    self.end(it)
                self.known[number] = changes.created[number] = it
            self.commit(changes)

    def end(self, it: Invocation) -> None:
        it.state = self._random.choice(sorted(FINAL))
        it.completed_ms = it.updated_ms = self.now_ms
        if it.state is not State.COMPLETED:
            it.failure = self.fault()

    def fault(self) -> Failure:
        pick = self._random.choice
        return Failure(pick(("shop.SoldOutError", "ValueError")), pick(MESSAGES), b"")

    def change(self, count: int) -> None:
        """Moves, fails, ends and removes some of those that are there."""
        for _ in range(0, count, 10):
            changes = Changes()
            for number in self._random.sample(sorted(self.known), 10):
                it = self.known[number]
                if it.state in FINAL:
                    if self._random.random() < 0.3:
                        changes.removed[it.id] = number
                        del self.known[number]
                    continue
                changes.leaves(it)
                changes.touch(it)
                it.updated_ms = self.now_ms
                if self._random.random() < 0.6:
                    self.end(it)
                else:
                    it.state = self._random.choice(LIVE)
                    it.failure = self.fault() if number % 2 else None
            self.commit(changes)

    def commit(self, changes: Changes) -> None:
        self.store.commit(Position(), self.now_ms, changes)
        self.now_ms += self._random.choice((0, 1, 5))

    def expected(self, where: Filter, order: Order) -> list[int]:
        """Returns the numbers of a whole list."""

        def time(it: Invocation) -> int:
            if order.sort is Sort.CREATED:
                return 0
            return it.completed_ms if order.sort is Sort.COMPLETED else it.updated_ms

        def holds(it: Invocation) -> bool:
            text = "" if it.failure is None else f"{it.failure.type}: {it.failure.message}"
            return (
                (not where.states or it.state in where.states)
                and where.handler in ("", it.handler)
                and where.key in ("", it.key)
                and where.service in ("", it.service)
                and where.parent in ("", it.parent)
                and where.created_min_ms <= it.created_ms
                and (not where.created_max_ms or it.created_ms < where.created_max_ms)
                and where.failure_text in text
                and (
                    not where.pinned_build
                    or (it.pinned and it.build == where.pinned_build and not it.completed_ms)
                )
                and (order.sort is not Sort.COMPLETED or it.completed_ms > 0)
            )

        found = [it for it in self.known.values() if holds(it)]
        found.sort(key=lambda it: (time(it), it.number), reverse=not order.ascending)
        return [it.number for it in found]


def listed(
    store: SqliteStore,
    where: Filter,
    order: Order,
    size: int,
    between: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Yields the numbers of a list, page by page."""
    after: PageCursor | None = None
    while True:
        found = store.page(where, order, after, size)
        yield from (it.number for it in found.invocations)
        if found.end is None:
            return
        after = found.end
        between()


ORDERS = [Order(sort, ascending) for sort in Sort for ascending in (False, True)]


def filters(now_ms: int) -> Iterator[Filter]:
    choices: dict[str, tuple[Any, ...]] = {
        "states": ((), (State.FAILED,), (State.PAUSED, State.COMPLETED), (State.RUNNING,)),
        "handler": ("", "b", "none"),
        "key": ("", "k"),
        "failure_text": (
            *("", "stock", "b", "before\0", "SoldOut", "Error: stock"),
            *('p "7" is', "wörld's", "missing"),
        ),
    }
    for values in itertools.product(*choices.values()):
        yield Filter(**dict(zip(choices, values, strict=True)))
    for build, states in itertools.product(("v1", "none"), choices["states"]):
        for more in ({}, {"handler": "b"}, {"failure_text": "stock"}, {"key": "k"}):
            yield Filter(pinned_build=build, states=states, **more)
    for name, text in (("service", "s"), ("parent", "p"), ("parent", "none")):
        for key in ("", "l"):
            yield Filter(key=key, **{name: text})
    for times in ((0, 1020), (1010, 0), (1010, 1040), (1, now_ms * 2), (now_ms * 2, 0)):
        for more in ({}, {"key": "k"}, {"failure_text": "stock"}, {"states": (State.FAILED,)}):
            yield Filter(created_min_ms=times[0], created_max_ms=times[1], **more)


Opener: TypeAlias = Callable[[Path | str], World]


@pytest.fixture
def open_world() -> Iterator[Opener]:
    """Makes worlds whose stores are closed when the test ends."""
    opened: list[World] = []

    def make(path: Path | str) -> World:
        opened.append(World(path))
        return opened[-1]

    yield make
    for world in opened:
        world.store.close()


@pytest.mark.parametrize("probe", [1, 20, 2000])
@pytest.mark.parametrize("texts", [True, False], ids=["index of texts", "without it"])
def test_every_filter_in_every_order(
    probe: int, texts: bool, open_world: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PROBE_ROWS", probe)
    monkeypatch.setattr(pages, "SCAN_ROWS_MAX", 30)
    if not texts:
        monkeypatch.setattr(failure_index, "CREATE_TABLE", "CREATE VIRTUAL TABLE x USING nothing()")
    world = open_world(":memory:")
    world.create(COUNT)
    world.change(COUNT)
    for where in filters(world.now_ms):
        for order in ORDERS:
            expected = world.expected(where, order)
            assert list(listed(world.store, where, order, 7)) == expected, (where, order)
    counts = Counter((it.handler, it.state) for it in world.known.values())
    assert world.store.counts() == sorted((*pair, count) for pair, count in counts.items())


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "where", [Filter(), Filter(handler="b"), Filter(key="k"), Filter(failure_text="stock")], ids=str
)
def test_pages_stay_stable_while_data_changes(
    where: Filter, order: Order, open_world: Opener
) -> None:
    world = open_world(":memory:")
    world.create(COUNT)
    world.change(COUNT // 2)
    before = {number: repr(world.known[number]) for number in world.expected(where, order)}

    turns = iter(range(20))

    def between() -> None:
        if next(turns, None) is not None:
            world.create(20)
            world.change(20)

    seen = Counter(listed(world.store, where, order, 5, between))
    there = set(world.expected(where, order)) & set(before)
    if order.sort is Sort.UPDATED:
        # What has changed meanwhile has moved to the newest.
        there = {number for number in there if repr(world.known[number]) == before[number]}
    assert there
    assert {number: seen[number] for number in there} == dict.fromkeys(there, 1)


def test_counts_and_texts_outlive_the_process(tmp_path: Path, open_world: Opener) -> None:
    world = open_world(tmp_path / "store.db")
    world.create(COUNT)
    world.change(COUNT)
    counts = world.store.counts()
    world.store.close()
    world.store = SqliteStore(tmp_path / "store.db")
    assert world.store.counts() == counts
    world.change(40)
    where = Filter(failure_text="stock")
    assert list(listed(world.store, where, Order(), 50)) == world.expected(where, Order())


FROM_8_TO_7 = """
DROP INDEX journal_patches;
DROP INDEX invocations_by_pin;
DROP TABLE attempts;
DROP TABLE routes;
DROP TABLE deployments;
ALTER TABLE invocations DROP COLUMN pinned;
ALTER TABLE invocations DROP COLUMN build;
PRAGMA user_version = 7;
"""
FROM_8_TO_6 = f"""
{FROM_8_TO_7}
DROP INDEX awakeables_revoked;
ALTER TABLE awakeables DROP COLUMN revoked;
PRAGMA user_version = 6;
"""
FROM_8_TO_5 = f"""
{FROM_8_TO_6}
ALTER TABLE position DROP COLUMN level;
PRAGMA user_version = 5;
"""
FROM_8_TO_4 = f"""
{FROM_8_TO_5}
DROP TABLE outbox;
DROP TABLE peers;
ALTER TABLE position DROP COLUMN last_number;
ALTER TABLE awakeables DROP COLUMN released;
PRAGMA user_version = 4;
"""
FROM_8_TO_3 = f"""
{FROM_8_TO_4}
ALTER TABLE journal DROP COLUMN signal;
ALTER TABLE journal DROP COLUMN failed_tries;
ALTER TABLE journal DROP COLUMN schema;
ALTER TABLE awakeables DROP COLUMN schema;
ALTER TABLE awakeables DROP COLUMN requests;
PRAGMA user_version = 3;
"""


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6, 7])
def test_a_store_of_an_older_version_is_made_new_in_place(
    tmp_path: Path, version: int, open_world: Opener
) -> None:
    world = open_world(tmp_path / "store.db")
    world.create(COUNT)
    world.change(COUNT)
    world.store.close()
    old = sqlite3.connect(tmp_path / "store.db")
    ways = {7: FROM_8_TO_7, 6: FROM_8_TO_6, 5: FROM_8_TO_5, 4: FROM_8_TO_4}
    old.executescript(ways.get(version, FROM_8_TO_3))
    if version == 2:
        _make_version_2(old)
    youngest = old.execute("SELECT max(number) FROM invocations").fetchone()[0]
    old.close()
    world.store = SqliteStore(tmp_path / "store.db")
    # Older stores do not have that number; this one has what it was told, which is none.
    assert world.store.recover().last_number == (youngest if version < 5 else 0)
    for where in (Filter(key="k"), Filter(failure_text="stock"), Filter(handler="b")):
        for order in ORDERS:
            assert list(listed(world.store, where, order, 50)) == world.expected(where, order)
    world.store.close()
    new = sqlite3.connect(tmp_path / "store.db")
    assert new.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert new.execute("SELECT coalesce(sum(failed_tries), 0) FROM journal").fetchone() == (0,)
    made = sqlite3.connect(tmp_path / "made.db")
    made.executescript(SCHEMA)
    assert _columns(new) == _columns(made)
    made.close()
    new.execute("PRAGMA user_version = 99")
    new.close()
    with pytest.raises(StoreVersionError, match="version 99"):
        SqliteStore(tmp_path / "store.db")


def _columns(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Returns the name and type of each column of each table, without the index of texts."""
    return db.execute(
        'SELECT t.name, c.name, c.type, c."notnull", c.pk '
        "FROM sqlite_master AS t, pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table' AND t.name NOT LIKE 'failure_texts%' ORDER BY 1, 2"
    ).fetchall()


def _make_version_2(old: sqlite3.Connection) -> None:
    for name in ("by_state", "by_end", "by_update", "by_key", "by_service", "by_parent"):
        old.execute(f"DROP INDEX invocations_{name}")
    old.executescript(
        "DROP INDEX invocations_in_trouble; DROP TABLE failure_texts; PRAGMA user_version = 2;"
        "ALTER TABLE position DROP COLUMN time_ms;"
        "CREATE INDEX invocations_by_state ON invocations (state) WHERE state <> 7;"
        "CREATE INDEX invocations_by_handler ON invocations (handler);"
        "CREATE INDEX invocations_by_key ON invocations (key) WHERE key <> '';"
        "CREATE INDEX invocations_by_parent ON invocations (parent) WHERE parent <> '';"
    )


def test_a_store_of_version_3_finds_the_type_of_a_failure_too(
    tmp_path: Path, open_world: Opener
) -> None:
    world = open_world(tmp_path / "store.db")
    world.create(COUNT)
    world.change(COUNT)
    world.store.close()
    old = sqlite3.connect(tmp_path / "store.db")
    old.executescript(
        f"{FROM_8_TO_3} DROP INDEX invocations_in_trouble; DROP TABLE failure_texts;"
        "CREATE INDEX invocations_in_trouble ON invocations (number, fault_message)"
        " WHERE fault_message IS NOT NULL AND completed_ms = 0;"
        "CREATE VIRTUAL TABLE failure_texts USING fts5("
        " message, content='', detail='none', tokenize='trigram case_sensitive 1');"
        "INSERT INTO failure_texts (rowid, message) SELECT number, fault_message FROM invocations"
        " WHERE completed_ms > 0 AND fault_message IS NOT NULL;"
    )
    old.close()
    world.store = SqliteStore(tmp_path / "store.db")
    world.change(40)
    for text in ("SoldOut", "Error: stock", "stock"):
        where = Filter(failure_text=text)
        assert list(listed(world.store, where, Order(), 50)) == world.expected(where, Order())
    world.store.close()


def test_an_index_of_texts_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.close()
    db = sqlite3.connect(tmp_path / "store.db")
    # What a file with the index is to a SQLite without FTS5.
    db.executescript(
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE failure_texts USING fts99(message)' "
        "WHERE name = 'failure_texts';"
    )
    db.close()
    with pytest.raises(FailureIndexError, match="FTS5"):
        SqliteStore(tmp_path / "store.db")


def test_every_trigram_of_a_long_text_need_not_be_asked_for() -> None:
    assert failure_index.FailureIndex.match("ab") == ""
    assert failure_index.FailureIndex.match("a\0bc") == ""
    assert failure_index.FailureIndex.match('say "x"') == '"say" AND " ""x" AND """x"""'
    assert failure_index.FailureIndex.match("x" * 500) == '"xxx"'
    assert failure_index.FailureIndex.match("".join(map(chr, range(97, 200)))).count(" AND ") == 11


def test_the_time_of_the_last_batch_is_kept(tmp_path: Path) -> None:
    """The next leader's time begins there, whatever its clock shows."""
    store = SqliteStore(tmp_path / "store.db")
    store.commit(Position(1, 1, 1), 12_345, Changes())
    store.close()
    store = SqliteStore(tmp_path / "store.db")
    assert store.recover().last_ms == 12_345
    store.close()
