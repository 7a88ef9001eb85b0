"""A store that a newer version wrote: a kind of entry that this version does not know is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from durable_server.core.changes import Changes
from durable_server.core.entry_kinds import KINDS
from durable_server.core.model import EntryRow, HandlerKind, Invocation, State
from durable_server.log.interface import Position
from durable_server.store.sqlite import SqliteStore, StoreVersionError


@pytest.mark.parametrize("state", [State.RUNNING, State.SUSPENDED])
@pytest.mark.parametrize("completion", [0, 1])
def test_an_unknown_kind_of_entry_is_refused_by_name(
    tmp_path: Path, state: State, completion: int
) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    it = Invocation(
        *("id", 1, "handler", "", None, (), "", "", "", "", 0, 1, HandlerKind.WORKFLOW, state)
    )
    row = EntryRow(0, min(KINDS), "name", None, None, completion, 1, 0, 0, "", 1)
    store.commit(Position(1, 1, 1), 1, Changes(created={1: it}, entries=[(1, row)]))
    assert store.load("id") is not None
    store.close()
    newer = sqlite3.connect(path)
    newer.execute("UPDATE journal SET kind = 99")
    newer.commit()
    newer.close()

    store = SqliteStore(path)
    read = store.recover if state is State.RUNNING else lambda: store.load("id")
    with pytest.raises(
        StoreVersionError,
        match=r"store\.db has a journal entry of the unknown kind 99 \(invocation id, entry 0\)",
    ):
        read()
    store.close()
