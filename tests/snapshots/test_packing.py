"""A snapshot's store is what was copied, also while the store is written, and damage is found."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from durable_server.core.changes import Changes, StateChange
from durable_server.log.interface import Position
from durable_server.snapshots.manifest import (
    Chunk,
    Manifest,
    SnapshotDamagedError,
    SnapshotError,
    new_snapshot_id,
)
from durable_server.snapshots.packing import (
    CHUNK_BYTES,
    FREE_BYTES,
    StoreView,
    Unpacker,
    check_room,
    copy_store,
    make_snapshot,
)
from durable_server.store.schema import VERSION
from durable_server.store.sqlite import SqliteStore

SYSTEM = "5" * 32


def fill(store: SqliteStore, sequence: int, value: bytes = b"") -> None:
    """Commits a batch at this position; a value makes the store larger."""
    changes = Changes()
    if value:
        changes.state["owner"] = StateChange(values={str(sequence): value})
    store.commit(Position(sequence, 1, sequence), 1000 + sequence, changes)


def incompressible(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def unpack(manifest: Manifest, chunks: list[bytes], target: Path) -> None:
    with Unpacker(manifest, target) as unpacker:
        for chunk in chunks:
            unpacker.feed(chunk)
        unpacker.finish()


def snapshot(store: Path, scratch: Path) -> tuple[Manifest, list[bytes]]:
    manifest, packed = make_snapshot(StoreView(store), SYSTEM, 0, 1, scratch)
    return manifest, list(packed.read())


def test_a_store_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    store = SqliteStore(path)
    for sequence in range(1, 6):
        fill(store, sequence, incompressible(300_000, sequence))
    manifest, chunks = snapshot(path, tmp_path)
    fill(store, 6, b"later")
    store.close()
    assert manifest.position == Position(5, 1, 5)
    assert (manifest.system_id, manifest.store_version) == (SYSTEM, VERSION)
    assert len(chunks) > 1
    assert {len(it) for it in chunks[:-1]} == {CHUNK_BYTES}
    assert manifest.stored_bytes == sum(map(len, chunks))
    unpack(manifest, chunks, tmp_path / "new.db")
    with closing(SqliteStore(tmp_path / "new.db")) as again:
        assert again.recover().position == Position(5, 1, 5)
        assert sorted(again.state("owner")) == list("12345")


def test_values_that_compress_well_come_back(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    store = SqliteStore(path)
    fill(store, 1, b"x" * 40_000_000)
    store.close()
    manifest, chunks = snapshot(path, tmp_path)
    assert manifest.stored_bytes < 100_000
    unpack(manifest, chunks, tmp_path / "new.db")
    with closing(SqliteStore(tmp_path / "new.db")) as again:
        assert again.state("owner") == {"1": b"x" * 40_000_000}


def test_the_copy_is_of_one_moment_while_the_store_is_written(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    with closing(SqliteStore(path)) as store:
        fill(store, 1, b"1")
        with StoreView(path) as view:
            fill(store, 2, b"2")
            view.copy(tmp_path / "copy.db")
            fill(store, 3, b"3")
            assert view.position == Position(1, 1, 1)
            assert store.checkpoint() == 0
        assert store.checkpoint() == 3
        assert copy_store(path, tmp_path / "newer.db") == Position(3, 1, 3)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT sequence FROM position").fetchall() == [(1,)]
        assert copy.execute("SELECT name FROM state").fetchall() == [("1",)]


def test_a_store_whose_process_was_killed_is_read_with_its_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    with closing(SqliteStore(path)) as store:
        fill(store, 1)
        store.checkpoint()
        fill(store, 2)
        # As the disk is when the process ends without closing the store.
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{tmp_path}/left.db{suffix}")
    with StoreView(tmp_path / "left.db") as view:
        assert view.position == Position(2, 1, 2)


def test_only_this_user_can_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    SqliteStore(path).close()
    copy_store(path, tmp_path / "copy")
    manifest, packed = make_snapshot(StoreView(path), SYSTEM, 0, 1, tmp_path)
    unpack(manifest, list(packed.read()), tmp_path / "new.db")
    for made in (tmp_path / "copy", packed.path, tmp_path / "new.db"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_a_missing_store_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be opened"):
        StoreView(tmp_path / "partition-0.db")
    (tmp_path / "text").write_text("not a store, and longer than the header of one " * 10)
    with pytest.raises(SnapshotError, match="cannot be read"):
        StoreView(tmp_path / "text")
    assert [it.name for it in tmp_path.iterdir()] == ["text"]


def _change(chunks: list[bytes]) -> None:
    chunks[1] = chunks[1][:-1] + bytes([chunks[1][-1] ^ 1])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_change, "chunk 1 of"),
        (lambda chunks: chunks.pop(), "is incomplete"),
        (lambda chunks: chunks.append(b"more"), "has more than its"),
        (lambda chunks: chunks.reverse(), "chunk 0 of"),
    ],
)
def test_damage_is_found_and_leaves_nothing(
    tmp_path: Path, damage: Callable[[list[bytes]], None], words: str
) -> None:
    path = tmp_path / "partition-0.db"
    with closing(SqliteStore(path)) as store:
        fill(store, 1, incompressible(1_000_000))
    manifest, chunks = snapshot(path, tmp_path)
    damage(chunks)
    folder = tmp_path / "target"
    folder.mkdir()
    with pytest.raises(SnapshotDamagedError, match=words):
        unpack(manifest, chunks, folder / "new.db")
    assert list(folder.iterdir()) == []


def test_another_store_than_that_of_the_manifest_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    SqliteStore(path).close()
    manifest, chunks = snapshot(path, tmp_path)
    with pytest.raises(SnapshotDamagedError, match="another checksum"):
        unpack(replace(manifest, store_digest="0" * 64), chunks, tmp_path / "new.db")
    with pytest.raises(SnapshotDamagedError, match="larger than its manifest"):
        unpack(replace(manifest, store_bytes=100), chunks, tmp_path / "new.db")


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = Manifest(
        *(new_snapshot_id(1_700_000_000_000), SYSTEM, 2, 3, Position(9, 2, 4), 1_700_000_000_000),
        *(5, 123, "ab" * 32, (Chunk(1, "0" * 64), Chunk(2, "1" * 64))),
    )
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert new_snapshot_id(999) < new_snapshot_id(1_700_000_000_000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"partition":2', b'"partition":"2"'),
        (b'"partition":2', b'"partition":-2'),
        (b'"snapshot_id":"1', b'"snapshot_id":"../1'),
        (b'"store_digest":"ab', b'"store_digest":"AB'),
        (b'"chunks":[[1,', b'"chunks":[[true,'),
        (b'"position":', b'"place":'),
        (b'"manifest_version":1', b'"manifest_version":2'),
        (b"}", b""),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_line(old: bytes, new: bytes) -> None:
    data = Manifest(
        *(new_snapshot_id(1_700_000_000_000), SYSTEM, 2, 3, Position(9, 2, 4), 1_700_000_000_000),
        *(5, 123, "ab" * 32, (Chunk(1, "0" * 64),)),
    ).to_json()
    assert old in data
    with pytest.raises(SnapshotDamagedError) as caught:
        Manifest.from_json(data.replace(old, new))
    assert "\n" not in str(caught.value)


def test_a_copy_leaves_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk would stop the control plane that writes there too."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=FREE_BYTES + 1000))
    check_room(tmp_path, 1000, "a copy")
    with pytest.raises(SnapshotError, match=rf"^a copy needs 256 MiB on the disk of {tmp_path}, "):
        check_room(tmp_path, 1001, "a copy")
