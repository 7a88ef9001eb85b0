"""The place in an object store: in a folder, and in obstore's memory."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from durable_server.log.interface import Position
from durable_server.snapshots.manifest import (
    Chunk,
    Manifest,
    SnapshotDamagedError,
    digest,
    new_snapshot_id,
)
from durable_server.snapshots.object_place import ObjectPlace, open_place
from durable_server.snapshots.objects import Objects, open_objects
from durable_server.snapshots.place import PlaceError, PlaceUnsuitableError

CHUNKS = [bytes([number]) * 1000 for number in range(20)]


@pytest.fixture(params=["folder", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects(str(tmp_path / "place"))
    return Objects(MemoryStore(), "memory")


@pytest.fixture
def place(objects: Objects) -> ObjectPlace:
    return ObjectPlace(objects, "system")


def manifest(time_ms: int, partition: int = 0) -> Manifest:
    return Manifest(
        snapshot_id=new_snapshot_id(time_ms),
        system_id="system",
        partition=partition,
        partitions=2,
        position=Position(time_ms, 1, 1),
        time_ms=time_ms,
        store_version=5,
        store_bytes=1,
        store_digest=digest(b""),
        chunks=tuple(Chunk(len(it), digest(it)) for it in CHUNKS),
    )


async def chunks(count: int = len(CHUNKS)) -> AsyncIterator[bytes]:
    for chunk in CHUNKS[:count]:
        yield chunk


async def failing(count: int) -> AsyncIterator[bytes]:
    async for chunk in chunks(count):
        yield chunk
    raise ConnectionError("the source is gone")


async def test_to_prepare_a_place_leaves_nothing(objects: Objects, place: ObjectPlace) -> None:
    await place.prepare()
    assert await objects.paths("system") == []


async def test_what_was_put_comes_back_the_newest_first(place: ObjectPlace) -> None:
    assert await place.manifests(0) == []
    old, new, other = manifest(1000), manifest(2000), manifest(3000, partition=1)
    for it in (old, new, other):
        await place.put(it, chunks())
    assert await place.manifests(0) == [new, old]
    assert await place.manifests(1) == [other]
    assert [it async for it in place.chunks(old)] == CHUNKS


async def test_a_snapshot_that_is_deleted_leaves_nothing(
    objects: Objects, place: ObjectPlace
) -> None:
    old, new = manifest(1000), manifest(2000)
    await place.put(old, chunks())
    await place.put(new, chunks())
    await place.delete(old)
    await place.delete(old)
    assert await place.manifests(0) == [new]
    assert len(await objects.paths("system")) == len(CHUNKS) + 1
    # In a folder, what has become empty is gone, and is made again.
    await place.delete(new)
    await place.put(old, chunks())
    assert await place.manifests(0) == [old]


async def test_an_interrupted_put_is_never_listed_and_the_next_one_removes_it(
    objects: Objects, place: ObjectPlace
) -> None:
    with pytest.raises(ConnectionError):
        await place.put(manifest(1000), failing(15))
    assert await objects.paths("system")
    assert await place.manifests(0) == []
    await place.put(manifest(2000), chunks())
    assert len(await objects.paths("system")) == len(CHUNKS) + 1


async def test_a_chunk_that_is_missing_is_named(objects: Objects, place: ObjectPlace) -> None:
    it = manifest(1000)
    await place.put(it, chunks())
    await objects.delete([f"system/partition-0/{it.snapshot_id}/chunk-00012"])
    with pytest.raises(SnapshotDamagedError, match="chunk 12 is missing in"):
        assert [it async for it in place.chunks(it)] == CHUNKS


async def test_a_damaged_manifest_is_left_out_with_a_warning(
    objects: Objects, place: ObjectPlace, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = manifest(1000), manifest(2000)
    for it in (good, bad):
        await place.put(it, chunks())
    await objects.put(f"system/partition-0/{bad.snapshot_id}/manifest.json", b"{}")
    assert await place.manifests(0) == [good]
    assert f"{bad.snapshot_id} is left out" in caplog.text


async def test_files_and_folders_are_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "place"
    await open_place(str(folder), "system").put(manifest(1000), chunks())
    modes = (
        {stat.S_IMODE(it.stat().st_mode) for it in folder.rglob("*") if it.is_file()},
        {stat.S_IMODE(it.stat().st_mode) for it in [folder, *folder.rglob("*")] if it.is_dir()},
    )
    assert modes == ({0o600}, {0o700})


async def test_a_url_of_a_folder_is_that_folder(tmp_path: Path) -> None:
    it = manifest(1000)
    await open_place(f"file://{tmp_path}/a%20b", "system").put(it, chunks())
    assert await open_place(str(tmp_path / "a b"), "system").manifests(0) == [it]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/x", "ftp:// is not known here; give s3://BUCKET/PREFIX"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://KEY:hush-hush@bucket/x", "has credentials or options in it"),
        ("az://container/x?sig=hush-hush", "has credentials or options in it"),
        ("file://host/x", "names no folder of this machine"),
        ("az://container/x", "set AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_a_wrong_url_is_refused_with_the_way_out(
    url: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PlaceUnsuitableError) as caught:
        open_objects(url)
    assert says in str(caught.value)
    assert "hush-hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match=r"file/place cannot be made: Not a directory"):
        open_objects(str(tmp_path / "file" / "place"))
    with pytest.raises(PlaceError, match="there is no folder"):
        open_objects(str(tmp_path / "missing"), create=False)
    assert not (tmp_path / "missing").exists()


async def test_a_service_that_does_not_answer_is_named_with_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("durable_server.snapshots.objects._RETRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    with pytest.raises(PlaceError) as caught:
        await open_place("s3://bucket/prefix", "system").manifests(0)
    text = str(caught.value)
    assert text.startswith("s3://bucket/prefix: listing system/partition-0 failed: ")
    assert "AWS_ACCESS_KEY_ID" in text
    assert "hush-hush" not in text
    assert "\n" not in text
