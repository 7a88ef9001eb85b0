"""Logs and stores that earlier versions have written: the present code reads them, and reads the same.

Each recording is read by a processor that takes the partition over: the whole log into an empty store,
the trimmed log into the store of that time, and no more than the last frame into the store at the end.
All three must give the rows that the earlier version had, table by table.
docs/compatibility.md says what to do when a test fails here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durable_server.core.entry_kinds import EntryKind
from durable_server.core.limits import Limits
from durable_server.core.messages import MESSAGE_NUMBERS
from durable_server.core.model import (
    Awakeable,
    Deployment,
    Failure,
    Handler,
    HandlerKind,
    Invocation,
    RetryPolicy,
    Route,
    State,
    StepFailures,
)
from durable_server.core.records import NUMBERS, EntryRecorded, FailedStep
from durable_server.log import batch, frame
from durable_server.log.memory import MemoryLog, MemoryStream
from durable_server.log.message_codec import decode_message
from durable_server.processor.build import build_processor
from durable_server.processor.clock import VirtualClock
from durable_server.processor.workers import Workers
from durable_server.store import rows
from durable_server.store.interface import Filter, Order, Sort
from durable_server.store.sqlite import SqliteStore
from tests.support.outboxes import outbox

from . import recordings
from .facts import fact_differences, log_facts, pages, store_facts
from .record import record
from .recordings import COUNTS, FOLDER, PartitionRecording

NEW = "what this code records"
PARTITIONS = [(count, index) for count in COUNTS for index in range(count)]


@pytest.fixture(scope="session")
def new_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that this code has just made, so that the script works when it is needed."""
    folder = tmp_path_factory.mktemp("recording")
    record(folder)
    return folder


@pytest.fixture(params=[*recordings.names(), NEW])
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a recording."""
    if request.param != NEW:
        return FOLDER / str(request.param)
    made: Path = request.getfixturevalue("new_recording")
    return made


@pytest.fixture(params=PARTITIONS, ids=lambda it: f"partition {it[1]} of {it[0]}")
def partition(request: pytest.FixtureRequest) -> tuple[int, int]:
    """A number of partitions, and a partition of them."""
    found: tuple[int, int] = request.param
    return found


@pytest.fixture
def recorded(folder: Path, partition: tuple[int, int]) -> PartitionRecording:
    """One partition of a recording."""
    return recordings.read(folder, *partition)


# Replay


def take_over(
    path: Path, frames: list[bytes], partition: tuple[int, int], store: bytes = b""
) -> Path:
    """Lets a leader take over, with these frames and a store; returns the store's path.

    The log begins with the last frame that the store holds, as if it was trimmed there.
    """
    if store:
        path.write_bytes(store)
    opened = SqliteStore(path)
    stream = MemoryStream()
    stream.first = max(opened.recover().position.sequence, 1)
    stream.messages = frames[stream.first - 1 :]
    count, index = partition

    async def lead() -> None:
        log, clock = MemoryLog(stream), VirtualClock(0)
        processor = build_processor(
            log, opened, Limits(), clock, Workers(), index=index, count=count
        )
        await processor.start("the present code")
        await processor.stop()

    asyncio.run(lead())
    opened.close()
    return path


def test_the_whole_log_gives_the_recorded_store(
    recorded: PartitionRecording, partition: tuple[int, int], tmp_path: Path
) -> None:
    replayed = take_over(tmp_path / "replayed.db", recorded.frames, partition)
    check_same(recorded.end, replayed)


def test_a_trimmed_log_and_its_store_give_the_recorded_store(
    recorded: PartitionRecording, partition: tuple[int, int], tmp_path: Path
) -> None:
    replayed = take_over(tmp_path / "old.db", recorded.frames, partition, recorded.middle)
    check_same(recorded.end, replayed)


def test_a_leader_goes_on_from_the_recorded_store(
    recorded: PartitionRecording, partition: tuple[int, int], tmp_path: Path
) -> None:
    """Reading everything that a leader keeps in memory changes nothing."""
    led = take_over(tmp_path / "led.db", recorded.frames, partition, recorded.end)
    check_same(recorded.end, led)


# Comparing stores


def upgraded(store: bytes, folder: Path) -> Path:
    """Returns the path of a recorded store after the present migrations."""
    path = folder / "upgraded.db"
    path.write_bytes(store)
    SqliteStore(path).close()
    return path


def check_same(recorded: bytes, replayed: Path) -> None:
    """Fails if a recorded store and a replayed one differ, and says what differs."""
    old, new = contents(upgraded(recorded, replayed.parent)), contents(replayed)
    check_none(differences(old, new))


def check_none(found: list[str]) -> None:
    """Fails if there are differences, and says which."""
    assert not found, "\n".join([f"{len(found)} differences", *found[:30]])


def differences(old: Contents, new: Contents) -> list[str]:
    """Returns in words what differs between two stores.

    The takeover has added one frame, the fence, to the log of the second one.
    """
    found = []
    position = old.tables["position"].rows[1,]
    position |= {"sequence": position["sequence"] + 1, "epoch": position["epoch"] + 1, "frame": 0}
    for kind in sorted(old.schema ^ new.schema):
        where = "a migration has not made" if kind in new.schema else "a new store has not"
        found.append(f"{kind}: {where}")
    for name in sorted(old.tables.keys() & new.tables.keys()):
        found += table_differences(name, old.tables[name], new.tables[name])
    return found


class Table(NamedTuple):
    """The rows of a table by primary key, each by column."""

    key: tuple[str, ...]
    rows: dict[tuple[Any, ...], dict[str, Any]]


class Contents(NamedTuple):
    """What is in a store; the index of failure texts is left out, its contents are SQLite's."""

    schema: set[str]
    """Tables, columns and indexes, in words."""
    tables: dict[str, Table]


def contents(path: Path) -> Contents:
    """Reads a store."""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    schema, tables = set[str](), dict[str, Table]()
    master = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    for kind, name, table in db.execute(master).fetchall():
        if table.startswith("failure_texts"):
            continue
        schema.add(f"{kind} {name}")
        columns = db.execute(f"PRAGMA {kind}_xinfo({name})").fetchall()
        schema |= {f"{kind} {name}, column {it['name']}" for it in columns}
        if kind == "table":
            key = tuple(it["name"] for it in sorted(columns, key=lambda it: it["pk"]) if it["pk"])
            found = [dict(row) for row in db.execute(f"SELECT * FROM {name}")]
            # What has got a field is written with its default.
            for row in found if name == "outbox" else ():
                row["message"] = decode_message(row["message"])
            for row in found if name == "handlers" else ():
                row["spec"] = rows.decode_handler(row["spec"])
            tables[name] = Table(key, {tuple(row[it] for it in key): row for row in found})
    db.close()
    return Contents(schema, tables)


def table_differences(name: str, old: Table, new: Table) -> Iterator[str]:
    """Says in words how the rows of two tables differ."""
    for key in sorted(old.rows.keys() | new.rows.keys()):
        pairs = zip(old.key, key, strict=True)
        where = f"table {name}, {' '.join(f'{column}={value!r}' for column, value in pairs)}"
        recorded, replayed = old.rows.get(key), new.rows.get(key)
        if recorded is None:
            yield f"{where}: the recorded store has no such row"
        elif replayed is None:
            yield f"{where}: the replay has not made this row"
        else:
            for column in sorted(recorded.keys() & replayed.keys()):
                if recorded[column] != replayed[column]:
                    was, became = recorded[column], replayed[column]
                    yield f"{where}, column {column}: recorded {was!r}, replayed {became!r}"


# Reading stores


def test_logs_and_stores_are_read_as_before(recorded: PartitionRecording, tmp_path: Path) -> None:
    """Each value has the name that it had; that the bytes are the same does not show it."""
    facts = recorded.facts
    read = store_facts(upgraded(recorded.end, tmp_path))
    check_none(
        [
            *fact_differences(facts["log"], log_facts(recorded.frames), "log"),
            *fact_differences(facts["store"], read, "store"),
        ]
    )


def test_everything_in_a_recorded_store_is_read(
    recorded: PartitionRecording, tmp_path: Path
) -> None:
    """Lists, invocations with their parts, outboxes and failures are read as the rows say."""
    path = upgraded(recorded.end, tmp_path)
    tables = contents(path).tables
    rows = {row["id"]: row for row in tables["invocations"].rows.values()}
    store = SqliteStore(path)
    ended = {it for it, row in rows.items() if row["completed_ms"]}
    for sort in Sort:
        for ascending in (False, True):
            listed = pages(store, Filter(), Order(sort, ascending))
            expected = ended if sort is Sort.COMPLETED else rows.keys()
            assert len(listed) == len(set(listed))
            assert set(listed) == expected
    for state in State:
        found = pages(store, Filter(states=(state,)), Order())
        assert set(found) == {it for it, row in rows.items() if row["state"] == state}
    for invocation_id, row in rows.items():
        invocation = store.load(invocation_id)
        assert invocation is not None
        assert invocation.state == row["state"]
        journal = store.journal(invocation.number)
        assert {it.entry_index: it.completion for it in journal} == invocation.recorded
        store.awakeables(invocation_id)
        if invocation.failure is not None:
            text = Filter(failure_text=invocation.failure.text)
            assert invocation_id in pages(store, text, Order())
    sent = [(it.destination, it.sequence) for it in outbox(store)]
    assert sent == sorted(tables["outbox"].rows)
    assert {it.name for it, _ in store.handlers()} == {it[0] for it in tables["handlers"].rows}
    store.close()


# What the recordings contain

_ROWS: list[Any] = [Deployment, Handler, RetryPolicy, Route, Failure, FailedStep, StepFailures]
"""Types of which records or rows of a store consist."""


def test_the_recordings_contain_every_format(tmp_path: Path) -> None:
    """What is new is in no recording yet: a new one must be made, as docs/compatibility.md says."""
    seen = Seen(tmp_path)
    for name in recordings.names():
        for partition in PARTITIONS:
            recorded = recordings.read(FOLDER / name, *partition)
            seen.log(recorded.frames)
            seen.store(recorded.middle, len(recorded.frames))
            seen.store(recorded.end, len(recorded.frames))
    missing = expected(tmp_path) - seen.found
    assert not missing, "in no recording: " + ", ".join(sorted(missing))


def expected(folder: Path) -> set[str]:
    """Returns in words what recordings must contain, each field with more than its default."""
    path = folder / "empty.db"
    SqliteStore(path).close()
    wanted = {it for it in contents(path).schema if it.startswith("table ")}
    for enum in (EntryKind, HandlerKind, State):
        wanted |= {f"{enum.__name__} {it.name}" for it in enum}
    for kind in (*NUMBERS, *MESSAGE_NUMBERS, *_ROWS):
        wanted |= {kind.__name__, *(f"{kind.__name__}.{field}" for field in kind._fields)}
    for kind in (Invocation, Awakeable):
        wanted |= {kind.__name__, *(f"{kind.__name__}.{it.name}" for it in fields(kind))}
    wanted |= {f"{it.__name__} in an outbox" for it in MESSAGE_NUMBERS}
    return wanted | {"epoch 2", "a store in the middle of its log"}


class Seen:
    """Collects in `found`, in the words of `expected`, what is in logs and stores."""

    def __init__(self, folder: Path) -> None:
        self.found = set[str]()
        self._folder = folder

    def log(self, frames: list[bytes]) -> None:
        """Adds the records of a log."""
        for data in frames:
            decoded = frame.decode(data)
            self.found.add(f"epoch {decoded.epoch}")
            for it in batch.decode(decoded.body).records:
                self._value(it)
                if isinstance(it, EntryRecorded):
                    self.found.add(f"EntryKind {EntryKind(it.kind).name}")

    def store(self, data: bytes, frames: int) -> None:
        """Adds what a store contains, whose log had this number of frames at the end."""
        path = upgraded(data, self._folder)
        tables = contents(path).tables
        for name, table in tables.items():
            self.found.add(f"table {name}")
            self.found |= {
                f"table {name}, column {column}"
                for row in table.rows.values()
                for column, value in row.items()
                if value
            }
        if 1 < tables["position"].rows[1,]["sequence"] < frames:
            self.found.add("a store in the middle of its log")
        store = SqliteStore(path)
        for handler, _ in store.handlers():
            self._value(handler)
            self.found.add(f"HandlerKind {HandlerKind(handler.kind).name}")
        for row in (*store.deployments(), *store.routes()):
            self._value(row)
        for it in outbox(store):
            self.found.add(f"{type(it.message).__name__} in an outbox")
        for invocation_id in pages(store, Filter(), Order()):
            invocation = store.load(invocation_id)
            assert invocation is not None
            self._value(invocation)
            self.found.add(f"State {invocation.state.name}")
        for (awakeable_id,) in tables["awakeables"].rows:
            self._value(store.awakeable(awakeable_id))
        store.close()

    def _value(self, value: Any) -> None:
        """Adds a value with its fields, and the values in them."""
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            for it in value:
                self._value(it)
            return
        kind: Any = type(value)
        name = kind.__name__
        if is_dataclass(kind):
            names = {it.name: it.default for it in fields(kind)}
        elif hasattr(kind, "_fields"):
            names = {field: kind._field_defaults.get(field) for field in kind._fields}
        else:
            return
        self.found.add(name)
        for field, default in names.items():
            given = getattr(value, field)
            if given != default and (given or default):
                self.found.add(f"{name}.{field}")
            self._value(given)
