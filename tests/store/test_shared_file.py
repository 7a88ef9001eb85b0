"""A store whose file other processes have open: it never waits, and knows what is durable."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from durable_server.core.changes import Changes
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore, StoreUnusableError, explain_error
from tests.support.store_lock import READING, WRITING, held


def commit(store: SqliteStore, sequence: int) -> None:
    assert store.begin()
    store.commit(Position(sequence, 1, sequence), 1000 + sequence, Changes())


def held_by_the_file_alone(path: Path, folder: Path) -> int:
    """The position after a loss of everything that a checkpoint has not brought into the file."""
    copy = folder / "after-power-loss.db"
    copy.write_bytes(path.read_bytes())
    store = SqliteStore(copy)
    try:
        return store.recover().position.sequence
    finally:
        store.close()


def test_a_checkpoint_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    commit(store, 1)
    assert store.checkpoint() == 1
    commit(store, 2)
    with held(path, READING):
        commit(store, 3)
        assert store.checkpoint() == 1, "the reader keeps what was written since from the file"
        commit(store, 4)
        assert store.checkpoint() == 1
        assert held_by_the_file_alone(path, tmp_path) >= 1
    assert store.checkpoint() == 4
    assert held_by_the_file_alone(path, tmp_path) == 4
    commit(store, 5)
    store.close()


def test_a_new_start_knows_nothing_to_be_safe_before_its_first_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first = SqliteStore(path)
    commit(first, 7)
    with held(path, READING):
        first.close()
        store = SqliteStore(path)
        commit(store, 8)
        assert store.checkpoint() == 0
    assert store.checkpoint() == 8
    store.close()


def test_a_writer_keeps_the_store_from_beginning_and_then_nothing_has_happened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    commit(store, 1)
    with held(path, WRITING):
        assert not store.begin()
        assert store.recover().position.sequence == 1
        with pytest.raises(sqlite3.OperationalError):
            store.commit(Position(2, 1, 2), 1002, Changes())
    commit(store, 2)
    assert store.recover().position.sequence == 2
    store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows who has a file open")
def test_who_holds_the_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    unseen = store.file_users()
    with held(path, WRITING) as process:
        assert store.file_users().startswith(f"{process.pid}: {sys.executable}")
        with pytest.raises(sqlite3.OperationalError) as caught:
            store.commit(Position(2, 1, 2), 1002, Changes())
        assert str(process.pid) in str(explain_error(path, caught.value))
        assert isinstance(explain_error(path, caught.value), StoreUnusableError)
    assert store.file_users() == unseen == "which one cannot be seen from here"
    store.close()
