"""When a snapshot is made, what is kept, and what happens when one cannot be made."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config, ConfigError
from durable_server.core.limits import Limits
from durable_server.log.extent import Extent
from durable_server.log.interface import Position
from durable_server.log.memory import MemoryLog
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.processor.trimming import Trimmer
from durable_server.snapshots.keeper import Keeper, PartitionSnapshots
from durable_server.snapshots.manifest import Manifest, new_snapshot_id
from durable_server.snapshots.nats_place import STREAM, NatsPlace
from durable_server.snapshots.object_place import open_place
from durable_server.snapshots.packing import StoreView
from durable_server.store.sqlite import SqliteStore
from tests.metrics.scraping import Scrape, fetch
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import running, until
from tests.support.waiting import eventually

from .test_nats_place import CHUNKS, each, manifest_of
from .test_packing import fill

TRIM_BYTES = 1000


def manifest_at(sequence: int, store_bytes: int, time_ms: int = 0) -> Manifest:
    return Manifest(
        *(new_snapshot_id(time_ms or sequence), "5" * 32, 0, 1, Position(sequence, 1, 1)),
        *(sequence, 5, store_bytes, "0" * 64, ()),
    )


class Partition:
    """The snapshots of a partition whose log and requests are numbers."""

    def __init__(self, extent: Extent) -> None:
        self.appended = 0
        self.requests: list[PartitionSnapshots] = []
        self.snapshots = PartitionSnapshots(
            0, Path("partition-0.db"), extent, TRIM_BYTES, self.requests.append
        )
        self.snapshots.attach(lambda: self.appended, lambda: None)

    def due_at(self, *sizes: int) -> list[bool]:
        found = []
        for self.appended in sizes:
            found.append(self.snapshots.due)
        return found


def test_the_first_one_is_due_when_enough_for_a_trim_was_appended() -> None:
    partition = Partition(Extent(1, 0, 0))
    partition.snapshots.load([])
    assert partition.due_at(0, 999, 1000) == [False, False, True]
    earlier = Partition(Extent(1, 10, 400))
    assert earlier.due_at(599, 600) == [False, True]


def test_the_first_one_is_due_at_once_when_the_log_is_not_complete() -> None:
    assert Partition(Extent(7, 10, 40)).due_at(0) == [True]


def test_the_next_one_is_due_after_as_many_bytes_as_the_store_had() -> None:
    partition = Partition(Extent(1, 0, 0))
    partition.snapshots.load([])
    partition.snapshots.add(manifest_at(5, store_bytes=50_000), appended=1200)
    assert partition.due_at(2200, 51_199, 51_200) == [False, False, True]
    partition.snapshots.add(manifest_at(9, store_bytes=10), appended=51_200)
    assert partition.due_at(52_199, 52_200) == [False, True]


def test_bytes_from_before_the_start_count() -> None:
    partition = Partition(Extent(101, 200, 10_000))
    partition.snapshots.load([manifest_at(190, 500), manifest_at(120, 500)])
    assert partition.snapshots.kept_sequence == 120
    assert partition.snapshots.kept_from == -8000
    assert partition.due_at(0) == [True]
    partition.snapshots.load([manifest_at(195, 500), manifest_at(120, 500)])
    assert partition.due_at(499, 500) == [False, True]


def test_with_fewer_than_two_all_of_the_log_is_kept() -> None:
    partition = Partition(Extent(1, 0, 0)).snapshots
    assert partition.kept_sequence == 0
    partition.load([])
    first, second, third, fourth = (manifest_at(it, 100) for it in (5, 9, 14, 20))
    assert partition.add(first, 10) == []
    assert (partition.kept_sequence, partition.kept_from) == (0, 0)
    assert partition.add(second, 20) == []
    assert (partition.kept_sequence, partition.kept_from) == (5, 10)
    assert partition.add(third, 30) == [first]
    assert (partition.kept_sequence, partition.kept_from) == (9, 20)
    assert partition.add(fourth, 40) == [second]
    assert partition.latest == fourth
    assert partition.load([third, second, first]) == [first]


def test_a_partition_asks_only_when_one_is_due_or_nothing_is_known() -> None:
    partition = Partition(Extent(1, 0, 0))
    partition.snapshots.check()
    assert partition.requests == [partition.snapshots]
    partition.snapshots.load([])
    partition.snapshots.check()
    assert len(partition.requests) == 1
    partition.appended = 1000
    partition.snapshots.check()
    assert len(partition.requests) == 2


def test_the_embedded_nats_is_no_place_for_snapshots() -> None:
    with pytest.raises(ConfigError, match=r"--snapshots cluster needs an external NATS system"):
        Config(snapshots="cluster").check()
    Config(snapshots="cluster", nats_url="nats://127.0.0.1").check()
    Config(snapshots="/var/backups").check()


async def test_the_trimmer_knows_a_snapshot_from_another_reader(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshots = Partition(Extent(1, 0, 0)).snapshots
    path = tmp_path / "partition-0.db"
    with closing(SqliteStore(path)) as store:
        ended: list[Exception] = []
        trimmer = Trimmer(MemoryLog(), store, 10, ended.append, snapshots)

        async def commit(sequence: int) -> None:
            fill(store, sequence)
            others = asyncio.all_tasks()
            trimmer.committed(Position(sequence, 1, sequence), 20)
            await asyncio.gather(*asyncio.all_tasks() - others)

        with StoreView(path):
            snapshots.reading = True
            await commit(1)
            snapshots.reading = False
        await commit(2)
        assert "another process" not in caplog.text
        with StoreView(path):
            await commit(3)
            assert "another process reads an older state" in caplog.text
        await trimmer.close()
        assert ended == []


async def test_a_stop_gives_up_a_copy_and_waits_for_its_thread(tmp_path: Path) -> None:
    path = tmp_path / "partition-0.db"
    place = open_place(str(tmp_path / "place"), "5" * 32)
    with closing(SqliteStore(path)) as store:
        for sequence in range(1, 6):
            fill(store, sequence, random.Random(sequence).randbytes(5_000_000))
        extent = Extent(7, 6, 0)  # So one is due at once.
        keeper = Keeper(place, "5" * 32, 1, tmp_path / "scratch", TRIM_BYTES)
        await keeper.start(optional=False)
        partition = keeper.add(0, path, extent)
        while not partition.reading:  # noqa: ASYNC110  # the next moment may be too late
            await asyncio.sleep(0)
        fill(store, 6)
        await keeper.close()
        assert not partition.reading
        assert store.checkpoint() == 6
    assert await place.manifests(0) == []
    assert list((tmp_path / "scratch").iterdir()) == []


@durable.workflow
async def echo(_: durable.Context, text: str) -> int:
    return len(text)


async def test_one_that_fails_is_a_warning_and_is_tried_again(
    tmp_path: Path, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream of the snapshots is full, and another one has taken the rest of the room."""
    small = "jetstream { store_dir: DIR, max_file_store: 400MB }"
    noise = random.Random(1)
    async with external_nats(tmp_path / "nats", small) as nats:
        config = replace(config, nats_url=nats.url, limits=Limits(trim_bytes=100_000))
        place = NatsPlace(fixed(parse_urls(nats.url)))
        connection = await Connection.open(parse_urls(nats.url), name="test")

        async def call(verb: str, **request: object) -> dict[str, Any]:
            return await call_api(connection, f"STREAM.{verb}", request, 5.0)

        async with (
            ControlPlane(config) as plane,
            durable.AsyncClient(plane.address, timeout=30) as client,
        ):
            client.register(echo)
            await client.serve_handlers()

            async def appended_until(condition: Callable[[], Awaitable[bool]]) -> None:
                async def work() -> bool:
                    # Random, so that the snapshot is as large as the store.
                    assert await client.invoke(echo, noise.randbytes(50_000).hex()) == 100_000
                    return await condition()

                await eventually(work)

            options = (await call(f"INFO.{STREAM}"))["config"]
            await call(f"UPDATE.{STREAM}", **{**options, "max_bytes": 100_000})
            # What is left of the 400 MB: the log has 256 MiB, the metadata 1 MiB.
            await call("CREATE.OTHER", name="OTHER", max_bytes=(143 << 20) - 150_000)

            async def has_failed() -> bool:
                if "no snapshot of partition 0 was made" not in caplog.text:
                    return False
                seen = Scrape(await asyncio.to_thread(fetch, plane.http_address))
                return seen("durable_snapshot_failures_total", partition="0") > 0

            await appended_until(has_failed)
            assert await place.manifests(0) == []
            assert (await call("INFO.DURABLE_P0"))["state"]["first_seq"] == 1
            await call("DELETE.OTHER")

            async def has_two() -> bool:
                return len(await place.manifests(0)) == 2

            await appended_until(has_two)
        connection.abort()
        await place.close()


KILLED = """
import asyncio, sys
from durable_server.nats.endpoint import fixed, parse_urls
from durable_server.processor.trimming import Trimmer
from durable_server.snapshots.nats_place import NatsPlace
from tests.snapshots.test_nats_place import CHUNKS, manifest_of

async def chunks():
    for chunk in CHUNKS[:-1]:
        yield chunk
    print("all but one", flush=True)
    await asyncio.sleep(3600)

asyncio.run(NatsPlace(fixed(parse_urls(sys.argv[1]))).put(manifest_of(CHUNKS), chunks()))
"""


async def test_a_process_that_is_killed_during_a_put_leaves_nothing_listed(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:

        def kill_one() -> None:
            command = [sys.executable, "-c", KILLED, nats.url]
            with running(command, tmp_path / "output") as child:
                until(lambda: "all but one" in child.text(), "the chunks", child)

        await asyncio.to_thread(kill_one)
        place = NatsPlace(fixed(parse_urls(nats.url)))
        assert await place.manifests(0) == []
        manifest = manifest_of(CHUNKS)
        await place.put(manifest, each(CHUNKS))
        assert await place.manifests(0) == [manifest]
        await place.close()
