"""A control plane that has lost its store goes on from a snapshot, with everything it has accepted.

The programs wait for a signal, so that what is found afterwards was really there before. Inputs are
large, because a snapshot is due when as much was appended as the store has bytes.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.log.extent import Extent, read_extents
from durable_server.log.interface import LogDataLostError
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.snapshots.nats_place import NatsPlace
from durable_server.snapshots.place import PlaceUnsuitableError
from tests.metrics.scraping import Scrape, fetch
from tests.support.external_nats import JETSTREAM, External, external_nats
from tests.support.waiting import eventually

TRIM_BYTES = 100_000
INPUT = "x" * 100_000


@durable.workflow
async def waits(ctx: durable.Context, number: int, text: str) -> int:
    await ctx.awakeable(f"door-{number}")
    return number + len(text)


class System:
    """A control plane over an external NATS system, which can be started again."""

    def __init__(self, nats: External, config: Config) -> None:
        self.config = replace(config, nats_url=nats.url, limits=Limits(trim_bytes=TRIM_BYTES))
        self.source = fixed(parse_urls(nats.url))
        self.started: dict[int, str] = {}
        """The ids of the invocations that were accepted, by number."""

    @asynccontextmanager
    async def run(self) -> AsyncIterator[tuple[ControlPlane, durable.AsyncClient]]:
        async with (
            ControlPlane(self.config) as plane,
            durable.AsyncClient(plane.address, timeout=30) as client,
        ):
            client.register(waits)
            await client.serve_handlers(suspend_after=0)
            yield plane, client

    async def start_some(self, client: durable.AsyncClient, count: int = 2) -> None:
        for number in range(len(self.started), len(self.started) + count):
            self.started[number] = await client.invoke_async(waits, number, INPUT)

    async def until_snapshots(
        self, client: durable.AsyncClient, count: int, partition: int = 0
    ) -> None:
        """Starts invocations until a partition has had so many snapshots, and its log is trimmed."""
        place = NatsPlace(self.source)
        seen: set[str] = set()
        while len(seen) < count:
            await self.start_some(client)
            seen.update(it.snapshot_id for it in await place.manifests(partition))

        async def trimmed() -> bool:
            found = await place.manifests(partition)
            first = (await self.extent(partition)).first
            return len(found) == 2 and first == found[1].position.sequence

        await eventually(trimmed)
        await place.close()

    async def extent(self, partition: int = 0) -> Extent:
        return (await read_extents(self.source, [partition]))[0]

    async def finish(self, client: durable.AsyncClient) -> None:
        """Ends all invocations that were ever accepted."""
        for number, invocation_id in self.started.items():
            await client.resolve_awakeable(f"door-{number}", None)
            result = await client.get_result(invocation_id)
            assert result.value() == number + len(INPUT)

    def store(self, partition: int = 0) -> Path:
        return self.config.data_dir / f"partition-{partition}.db"


@pytest.fixture
async def system(tmp_path: Path, config: Config) -> AsyncIterator[System]:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        yield System(nats, config)


async def test_a_lost_disk_costs_nothing(system: System, caplog: pytest.LogCaptureFixture) -> None:
    async with system.run() as (_, client):
        await system.until_snapshots(client, 3)
        await system.start_some(client)
    assert (await system.extent()).first > 1
    shutil.rmtree(system.config.data_dir)
    async with system.run() as (_, client):
        await system.finish(client)
    assert "missing or empty, and the log begins at" in caplog.text
    assert "is now snapshot" in caplog.text


async def test_a_store_that_is_behind_the_log_is_replaced_and_kept_aside(
    system: System, tmp_path: Path
) -> None:
    async with system.run() as (_, client):
        await system.start_some(client)
    shutil.copy(system.store(), tmp_path / "old.db")
    async with system.run() as (_, client):
        await system.until_snapshots(client, 3)
    shutil.copy(tmp_path / "old.db", system.store())
    async with system.run() as (_, client):
        await system.finish(client)
    [aside] = [it for it in system.config.data_dir.glob("*.aside-*") if it.name[-1].isdecimal()]
    with closing(sqlite3.connect(aside)) as db:
        assert db.execute("SELECT count(*) FROM invocations").fetchone() == (2,)


async def test_two_are_kept_and_the_log_from_the_older_one_on(system: System) -> None:
    place = NatsPlace(system.source)
    async with system.run() as (plane, client):
        trimmer = plane.router.any().trimmer
        seen: set[str] = set()
        while len(seen) < 4:
            # In this order: what the log begins with never waits for what is made meanwhile.
            first = (await system.extent()).first
            found = await place.manifests(0)
            assert first <= (found[1].position.sequence if len(found) > 1 else 1)
            seen.update(it.snapshot_id for it in found)
            await system.start_some(client, 1)

        async def settled() -> bool:
            found = await place.manifests(0)
            first, _, kept = await system.extent()
            # The trimmer knows it a moment after the log.
            known = abs(trimmer.kept_bytes - kept) < kept / 10
            return known and len(found) == 2 and first == found[1].position.sequence

        await eventually(settled)
        newest = (await place.manifests(0))[0]
        seen = Scrape(await asyncio.to_thread(fetch, plane.http_address))
        assert seen("durable_snapshot_sequence", partition="0") == newest.position.sequence
        assert seen("durable_snapshot_bytes", partition="0") == newest.stored_bytes
        made = seen("durable_snapshot_timestamp_seconds", partition="0")
        assert made == newest.time_ms / 1000
        assert seen("durable_snapshot_failures_total", partition="0") == 0
    await place.close()


async def test_a_damaged_newest_snapshot_is_passed_over(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    async with system.run() as (_, client):
        await system.until_snapshots(client, 3)
        await system.start_some(client)
    place = NatsPlace(system.source)
    newest, older = await place.manifests(0)
    connection = await Connection.open(await system.source(), name="test")
    await connection.call(
        f"durable.snapshots.0.{newest.snapshot_id}.0".encode(), b"damage", timeout_seconds=5.0
    )
    connection.abort()
    shutil.rmtree(system.config.data_dir)
    async with system.run() as (_, client):
        await system.finish(client)
    assert f"snapshot {newest.snapshot_id} of partition 0 is damaged: chunk 0 of" in caplog.text
    assert f"is now snapshot {older.snapshot_id} of partition 0" in caplog.text
    await place.close()


async def test_without_a_snapshot_that_fits_the_start_says_why_and_what_to_do(
    system: System,
) -> None:
    async with system.run() as (_, client):
        await system.until_snapshots(client, 3)
    place = NatsPlace(system.source)
    newest, older = await place.manifests(0)
    foreign = replace(newest, system_id="another", snapshot_id="2000000000000-00000001")
    newer = replace(older, store_version=1000, snapshot_id="2000000000000-00000002")

    async def none() -> AsyncIterator[bytes]:
        return
        yield

    for it in (foreign, newer):
        await place.put(replace(it, chunks=()), none())
    for it in (newest, older):
        await place.delete(it)
    system.store().unlink()
    with pytest.raises(LogDataLostError) as caught:
        await ControlPlane(system.config).__aenter__()
    text = str(caught.value)
    assert text.startswith("DURABLE_P0: the store ")
    assert "is of another system, another;" in text
    assert "has store version 1000, and this program reads" in text
    assert "durable restore" in text
    assert not system.store().exists()
    for it in await place.manifests(0):
        await place.delete(it)
    with pytest.raises(LogDataLostError, match="there is no snapshot of partition 0 in the stream"):
        await ControlPlane(system.config).__aenter__()
    with pytest.raises(LogDataLostError, match=r"begins at sequence .* `durable restore`"):
        await ControlPlane(replace(system.config, snapshots="none")).__aenter__()
    await place.close()


async def test_each_partition_has_its_own(system: System) -> None:
    system.config = replace(system.config, partitions=3)
    async with system.run() as (_, client):
        for partition in range(3):
            await system.until_snapshots(client, 2, partition)
    system.store(1).unlink()
    system.store(2).unlink()
    async with system.run() as (_, client):
        await system.finish(client)


async def test_snapshots_in_a_folder_serve_an_embedded_nats(
    tmp_path: Path, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "snapshots"
    config = replace(config, snapshots=str(folder), limits=Limits(trim_bytes=TRIM_BYTES), http="")

    def made() -> int:
        return len(list(folder.glob("*/partition-0/*/manifest.json")))

    async with (
        ControlPlane(config) as plane,
        durable.AsyncClient(plane.address, timeout=30) as client,
    ):
        client.register(waits)
        await client.serve_handlers(suspend_after=0)
        invocation = await client.invoke_async(waits, 1, "text")
        number = 1
        while made() < 2:
            number += 1
            await client.invoke_async(waits, number, INPUT)
    (config.data_dir / "partition-0.db").unlink()
    async with (
        ControlPlane(config) as plane,
        durable.AsyncClient(plane.address, timeout=30) as client,
    ):
        client.register(waits)
        await client.serve_handlers(suspend_after=0)
        await client.resolve_awakeable("door-1", None)
        assert (await client.get_result(invocation)).value() == 5


async def test_a_system_whose_log_was_trimmed_before_gets_one_at_its_start(system: System) -> None:
    cluster, system.config = system.config, replace(system.config, snapshots="none")
    async with system.run() as (_, client):
        while (await system.extent()).first == 1:
            await system.start_some(client)
    system.config = cluster
    place = NatsPlace(system.source)
    async with system.run():
        await eventually(lambda: place.manifests(0))
    await place.close()
    shutil.rmtree(system.config.data_dir)
    async with system.run() as (_, client):
        await system.finish(client)


async def test_an_embedded_nats_has_none_by_default(config: Config) -> None:
    async with ControlPlane(config):
        pass
    assert not (config.data_dir / "snapshots.tmp").exists()


async def test_a_nats_without_room_is_a_warning_by_default_and_refused_on_request(
    tmp_path: Path, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    small = "jetstream { store_dir: DIR, max_file_store: 260MB }"
    async with external_nats(tmp_path / "nats", small) as nats:
        config = replace(config, nats_url=nats.url)
        async with ControlPlane(config):
            pass
        assert (
            "no snapshots are made, so what this data directory holds is nowhere else"
            in caplog.text
        )
        with pytest.raises(PlaceUnsuitableError, match="JetStream has no room"):
            await ControlPlane(replace(config, snapshots="cluster")).__aenter__()


async def test_readers_of_our_own_are_no_other_process(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    async with system.run() as (_, client):
        await system.until_snapshots(client, 3)
    assert "another process reads" not in caplog.text
