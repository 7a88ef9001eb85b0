"""The stream of snapshots, on a real nats-server that is restarted, full, or without permission."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from durable_server.log.interface import Position
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import EndpointSource, fixed, parse_urls
from durable_server.snapshots.manifest import (
    Chunk,
    Manifest,
    SnapshotDamagedError,
    digest,
    new_snapshot_id,
)
from durable_server.snapshots.nats_place import IN_FLIGHT, STREAM, NatsPlace
from durable_server.snapshots.packing import CHUNK_BYTES
from durable_server.snapshots.place import PlaceError, PlaceUnsuitableError
from tests.support.external_nats import JETSTREAM, External, external_nats

CHUNKS = [random.Random(it).randbytes(CHUNK_BYTES) for it in range(6)]


def manifest_of(chunks: list[bytes], partition: int = 0, time_ms: int = 1000) -> Manifest:
    return Manifest(
        *(new_snapshot_id(time_ms), "5" * 32, partition, 300, Position(9, 1, 9), time_ms),
        *(5, 1, "0" * 64, tuple(Chunk(len(it), digest(it)) for it in chunks)),
    )


async def each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(place: NatsPlace, manifest: Manifest) -> list[bytes]:
    return [it async for it in place.chunks(manifest)]


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncIterator[External]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as server:
        yield server


@pytest.fixture
def source(nats: External) -> EndpointSource:
    return fixed(parse_urls(nats.url))


@pytest.fixture
async def place(source: EndpointSource) -> AsyncIterator[NatsPlace]:
    opened = NatsPlace(source)
    yield opened
    await opened.close()


async def stream(source: EndpointSource, verb: str, **request: object) -> dict[str, object]:
    connection = await Connection.open(await source(), name="test")
    try:
        return await call_api(connection, f"STREAM.{verb}.{STREAM}", request, 5.0)
    finally:
        connection.abort()


async def subjects(source: EndpointSource) -> set[str]:
    info = await stream(source, "INFO", subjects_filter=">")
    state = info["state"]
    assert isinstance(state, dict)
    return set(state.get("subjects") or ())


async def test_what_is_put_is_listed_and_read(place: NatsPlace) -> None:
    assert await place.manifests(0) == []
    first = manifest_of(CHUNKS, time_ms=1000)
    second = manifest_of(CHUNKS[:1], time_ms=2000)
    other = manifest_of(CHUNKS[1:3], partition=10)
    for manifest, chunks in ((first, CHUNKS), (second, CHUNKS[:1]), (other, CHUNKS[1:3])):
        await place.put(manifest, each(chunks))
    assert await place.manifests(0) == [second, first]
    assert await place.manifests(1) == []
    assert await place.manifests(10) == [other]
    assert await read(place, first) == CHUNKS
    assert await read(place, other) == CHUNKS[1:3]
    await place.delete(first)
    await place.delete(first)
    assert await place.manifests(0) == [second]
    assert await read(place, second) == CHUNKS[:1]
    with pytest.raises(SnapshotDamagedError, match="chunk 0 of 6 is missing"):
        await read(place, first)


async def test_an_interrupted_put_is_not_listed_and_the_next_removes_it(
    place: NatsPlace, source: EndpointSource
) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        for chunk in CHUNKS[: IN_FLIGHT + 1]:
            yield chunk
        raise KeyError("the end")

    lost = manifest_of(CHUNKS)
    with pytest.raises(KeyError, match="the end"):
        await place.put(lost, breaks_off())
    prefix = f"durable.snapshots.0.{lost.snapshot_id}"
    assert await subjects(source) == {f"{prefix}.{it}" for it in range(IN_FLIGHT)}
    assert await place.manifests(0) == []
    kept = manifest_of(CHUNKS[:1], time_ms=500)
    await place.put(kept, each(CHUNKS[:1]))
    prefix = f"durable.snapshots.0.{kept.snapshot_id}"
    assert await subjects(source) == {f"{prefix}.0", f"{prefix}.manifest"}


async def test_chunks_that_another_process_removes_keep_a_snapshot_from_being_listed(
    place: NatsPlace, source: EndpointSource
) -> None:
    """Two processes that both take themselves for the leader clean up after each other."""
    manifest = manifest_of(CHUNKS)

    async def meets_another() -> AsyncIterator[bytes]:
        for number, chunk in enumerate(CHUNKS):
            if number == IN_FLIGHT:
                other = NatsPlace(source)
                await other.put(manifest_of(CHUNKS[:1]), each(CHUNKS[:1]))
                await other.close()
            yield chunk

    with pytest.raises(PlaceError, match="another control plane has removed chunks"):
        await place.put(manifest, meets_another())
    assert manifest not in await place.manifests(0)


async def test_nats_restarts_during_a_put_and_during_a_read(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        place = NatsPlace(fixed(parse_urls(nats.url)))

        async def kills() -> AsyncIterator[bytes]:
            for number, chunk in enumerate(CHUNKS):
                if number == IN_FLIGHT + 1:
                    nats.process.kill()
                    nats.process.wait()
                yield chunk

        manifest = manifest_of(CHUNKS)
        putting = asyncio.create_task(place.put(manifest, kills()))
        await asyncio.to_thread(nats.process.wait)
        assert not putting.done()
        async with external_nats(tmp_path / "nats", JETSTREAM, nats.port) as again:
            await putting
            assert await place.manifests(0) == [manifest]
            found: list[bytes] = []
            chunks = place.chunks(manifest)
            found.append(await anext(chunks))
            again.process.kill()
            again.process.wait()
            async with external_nats(tmp_path / "nats", JETSTREAM, nats.port):
                found += [it async for it in chunks]
        assert found == CHUNKS
        await place.close()


async def test_a_damaged_manifest_is_left_out(
    place: NatsPlace, source: EndpointSource, caplog: pytest.LogCaptureFixture
) -> None:
    good = manifest_of(CHUNKS[:1])
    await place.put(good, each(CHUNKS[:1]))
    connection = await Connection.open(await source(), name="test")
    await connection.call(b"durable.snapshots.0.x.manifest", b"{", 5.0)
    connection.abort()
    assert await place.manifests(0) == [good]
    assert "durable.snapshots.0.x.manifest: the manifest of a snapshot is damaged" in caplog.text


async def test_the_stream_grows_when_a_snapshot_does_not_fit(
    place: NatsPlace, source: EndpointSource
) -> None:
    await place.prepare()
    info = await stream(source, "INFO")
    config = info["config"]
    assert isinstance(config, dict)
    await stream(source, "UPDATE", **{**config, "max_bytes": 3 * CHUNK_BYTES})
    manifest = manifest_of(CHUNKS)
    await place.put(manifest, each(CHUNKS))
    assert await read(place, manifest) == CHUNKS


async def test_no_room_is_an_error_that_says_what_to_raise(tmp_path: Path) -> None:
    limited = "jetstream { store_dir: DIR, max_file_store: 40MB }"
    async with external_nats(tmp_path / "nats", limited) as nats:
        place = NatsPlace(fixed(parse_urls(nats.url)))
        await place.prepare()
        large = replace(manifest_of(CHUNKS), chunks=(Chunk(80 << 20, "0" * 64),))
        with pytest.raises(PlaceError, match=r"would need .* MiB for another snapshot.*max_file"):
            await place.put(large, each(CHUNKS))
        await place.put(manifest_of(CHUNKS), each(CHUNKS))
        await place.close()
    async with external_nats(tmp_path / "small", limited.replace("40MB", "10MB")) as nats:
        place = NatsPlace(fixed(parse_urls(nats.url)))
        with pytest.raises(PlaceUnsuitableError, match="JetStream has no room for 32 MiB"):
            await place.prepare()
        await place.close()


async def test_a_user_who_may_not_write_snapshots_learns_it_at_the_start(tmp_path: Path) -> None:
    allowed = '["$JS.API.>", "durable.log.>", "durable.cluster.>"]'
    account = (
        f"{JETSTREAM}\naccounts {{ APP {{ jetstream: enabled, users: [ {{ user: me, password: pw,"
        f" permissions: {{ publish: {allowed} }} }} ] }} }}"
    )
    async with external_nats(tmp_path / "nats", account) as nats:
        url = nats.url.replace("//", "//me:pw@")
        place = NatsPlace(fixed(parse_urls(url)))
        with pytest.raises(PlaceUnsuitableError, match=r"allow .* to publish to .*snapshots"):
            await place.prepare()
        await place.close()
