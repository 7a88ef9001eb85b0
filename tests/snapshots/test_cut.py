"""Cuts: states of several stores that fit each other, found in files that others write meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from durable_server.log.interface import Position
from durable_server.snapshots.cut import CutError, Peers, misfit, open_cut
from durable_server.store.files import store_path
from durable_server.store.schema import VERSION
from durable_server.store.sqlite import SqliteStore


def write(data_dir: Path, partition: int, *statements: str) -> None:
    """Changes a store as another process does."""
    with closing(sqlite3.connect(store_path(data_dir, partition), isolation_level=None)) as db:
        db.execute("BEGIN")
        for statement in statements:
            db.execute(statement)
        db.execute("COMMIT")


def send(to: int, sequence: int) -> tuple[str, str]:
    """What a store holds after a message was sent."""
    return (
        f"INSERT INTO outbox VALUES ({to}, {sequence}, x'')",
        f"INSERT INTO peers (partition, sent) VALUES ({to}, {sequence}) "
        "ON CONFLICT (partition) DO UPDATE SET sent = excluded.sent",
    )


def see(source: int, sequence: int) -> str:
    """What a store holds after a message took effect."""
    return (
        f"INSERT INTO peers (partition, seen) VALUES ({source}, {sequence}) "
        "ON CONFLICT (partition) DO UPDATE SET seen = excluded.seen"
    )


def acknowledge(to: int, sequence: int) -> str:
    """What changes in a store when a message has arrived."""
    return f"DELETE FROM outbox WHERE destination = {to} AND sequence <= {sequence}"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Stores of two partitions without messages; partition 0 is at position 7."""
    for partition in range(2):
        SqliteStore(store_path(tmp_path, partition)).close()
    write(tmp_path, 0, "UPDATE position SET sequence = 7, epoch = 2, frame = 3")
    return tmp_path


def unexpected() -> None:
    raise AssertionError("this cut fits, and needs no second try")


def test_stores_that_fit_are_taken_at_once(data_dir: Path) -> None:
    write(data_dir, 0, *send(1, 1), *send(1, 2))
    write(data_dir, 1, see(0, 1))
    with open_cut(data_dir, pause=unexpected) as views:
        assert [it.position for it in views] == [Position(7, 2, 3), Position(0, 0, 0)]


def test_a_cut_that_does_not_fit_is_repeated(data_dir: Path) -> None:
    """Partition 1 has seen a message that this state of partition 0 has not sent yet."""
    write(data_dir, 1, see(0, 1))
    tries = 0

    def then() -> None:
        nonlocal tries
        tries += 1
        write(data_dir, 0, *send(1, 1), "UPDATE position SET sequence = 8")

    with open_cut(data_dir, pause=then) as views:
        assert tries == 1
        assert views[0].position.sequence == 8
        [(sent,)] = views[0].db.execute("SELECT sent FROM peers").fetchall()
        assert sent == 1


def test_a_message_that_was_dropped_and_not_seen_does_not_fit(data_dir: Path) -> None:
    write(data_dir, 0, *send(1, 1), *send(1, 2), acknowledge(1, 1))
    tries = 0

    def then() -> None:
        nonlocal tries
        tries += 1
        write(data_dir, 1, see(0, 1))

    with open_cut(data_dir, pause=then):
        assert tries == 1


def test_what_is_written_after_the_cut_is_not_in_it(data_dir: Path, tmp_path: Path) -> None:
    with open_cut(data_dir) as views:
        write(data_dir, 0, *send(1, 1), "UPDATE position SET sequence = 8")
        write(data_dir, 1, see(0, 1))
        copies = [tmp_path / f"copy-{number}" for number in range(2)]
        for view, copy in zip(views, copies, strict=True):
            view.copy(copy)
        assert views[0].position.sequence == 7
    for copy in copies:
        with closing(sqlite3.connect(copy)) as db:
            assert db.execute("SELECT count(*) FROM peers").fetchone() == (0,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_stores_that_never_fit_are_refused(data_dir: Path) -> None:
    write(data_dir, 1, see(0, 5))
    with (
        pytest.raises(
            CutError, match=r"partition 1 has seen message 5 of partition 0, which has sent 0; was"
        ),
        open_cut(data_dir, pause=lambda: None),
    ):
        pass


def test_a_missing_store_and_another_version_are_named(data_dir: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(CutError, match=r"partition-2\.db is missing, and the system has 3 part"),
        open_cut(data_dir, 3),
    ):
        pass
    with pytest.raises(CutError, match="there is no store in"), open_cut(tmp_path / "none"):
        pass
    write(data_dir, 1, f"PRAGMA user_version = {VERSION + 1}")
    with (
        pytest.raises(CutError, match=rf"partition-1\.db has store version {VERSION + 1}"),
        open_cut(data_dir),
    ):
        pass


@pytest.mark.parametrize(
    ("sender", "receiver", "fits"),
    [
        (Peers({}, {}, {}), Peers({}, {}, {}), True),
        # Sent, with all in the outbox: seen is anything up to sent.
        (Peers({1: 3}, {}, {1: 1}), Peers({}, {}, {}), True),
        (Peers({1: 3}, {}, {1: 1}), Peers({}, {0: 3}, {}), True),
        (Peers({1: 3}, {}, {1: 1}), Peers({}, {0: 4}, {}), False),
        # The first ones have left the outbox: they must have been seen.
        (Peers({1: 3}, {}, {1: 3}), Peers({}, {0: 1}, {}), False),
        (Peers({1: 3}, {}, {1: 3}), Peers({}, {0: 2}, {}), True),
        # An empty outbox: all must have been seen.
        (Peers({1: 3}, {}, {}), Peers({}, {0: 2}, {}), False),
        (Peers({1: 3}, {}, {}), Peers({}, {0: 3}, {}), True),
    ],
)
def test_what_fits(sender: Peers, receiver: Peers, fits: bool) -> None:
    assert (misfit([sender, receiver]) == "") is fits
