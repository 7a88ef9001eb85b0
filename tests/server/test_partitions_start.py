"""How many partitions a system has: written once, by the first start, and found by all others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.cluster.metadata import (
    METADATA_SUBJECT,
    PARTITIONS_MAX,
    STREAM,
    MetadataError,
    load_or_create,
)
from durable_server.config import Config, ConfigError
from durable_server.core import ids
from durable_server.log.jetstream import SMALLEST_STREAM_BYTES, stream_config
from durable_server.log.preflight import NatsUnsuitableError
from durable_server.log.stream_creation import StreamConfigError
from durable_server.nats.api import call_api
from durable_server.nats.connection import Connection
from durable_server.nats.datadir import DataDir
from durable_server.nats.embedded import EmbeddedNats
from durable_server.nats.endpoint import EndpointSource, fixed, parse_urls
from durable_server.store.files import store_partitions
from durable_server.store.sqlite import StoreUnusableError
from tests.support.external_nats import JETSTREAM, external_nats, nats_cluster
from tests.support.manual_worker import ManualWorker

from .calls import finish_one


@pytest.fixture(params=["embedded", "external"])
async def config(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Config]:
    """A system that does not exist yet."""
    new = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2)
    if request.param == "embedded":
        yield new
    else:
        async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
            yield replace(new, nats_url=nats.url)


@contextlib.asynccontextmanager
async def nats_of(config: Config) -> AsyncIterator[EndpointSource]:
    """The NATS system of a control plane that is stopped."""
    if config.nats_url:
        yield fixed(parse_urls(config.nats_url))
        return
    with DataDir(config.data_dir) as data:
        embedded = EmbeddedNats(data.path / "nats")
        await embedded.start()
        try:
            yield embedded.endpoint
        finally:
            await embedded.stop()


@contextlib.asynccontextmanager
async def opened(source: EndpointSource) -> AsyncIterator[Connection]:
    connection = await Connection.open(await source(), name="test")
    try:
        yield connection
    finally:
        connection.abort()


async def delete_stream(config: Config, name: str) -> None:
    async with nats_of(config) as source, opened(source) as connection:
        await call_api(connection, f"STREAM.DELETE.{name}", {}, 5.0)


async def count(config: Config) -> int:
    """Starts a control plane, and returns how many partitions it has."""
    async with ControlPlane(config) as plane:
        assert plane.router.count == len(plane.router.all())
        return plane.router.count


async def test_a_new_system_keeps_the_number_that_it_was_made_with(config: Config) -> None:
    async with (
        ControlPlane(replace(config, partitions=3)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        done: list[str] = []
        while len({ids.partition(it, 3) for it in done}) < 3:
            done.append(await finish_one(control, worker))
    assert store_partitions(config.data_dir) == [0, 1, 2]
    for asked in (0, 3):
        async with (
            ControlPlane(replace(config, partitions=asked)) as plane,
            grpc.aio.insecure_channel(plane.address) as channel,
        ):
            assert plane.router.count == 3
            control = control_pb2_grpc.DurableControlStub(channel)
            for invocation_id in done:
                request = control_pb2.GetResultRequest(invocation_id=invocation_id)
                assert (await control.GetResult(request)).HasField("outcome")


async def test_another_number_is_refused_with_the_way_out(config: Config) -> None:
    assert await count(config) == 1
    with pytest.raises(MetadataError) as caught:
        await count(replace(config, partitions=4))
    assert str(caught.value).startswith(
        "--partitions 4: this system has 1 partition, and the number cannot be changed;"
        " leave --partitions out"
    )
    assert await count(replace(config, partitions=1)) == 1


@pytest.mark.parametrize("logs", [1, 2])
async def test_a_system_of_a_version_without_a_record_has_as_many_as_logs(
    config: Config, logs: int
) -> None:
    assert await count(replace(config, partitions=logs)) == logs
    await delete_stream(config, STREAM)
    with pytest.raises(MetadataError, match="--partitions 4: this system has"):
        await count(replace(config, partitions=4))
    assert await count(config) == logs
    # Now it has a record, so a log that is lost does not change the number.
    async with nats_of(config) as source:
        assert (await load_or_create(source)).partitions == logs


async def test_a_log_that_is_missing_between_others_is_named(config: Config) -> None:
    assert await count(replace(config, partitions=3)) == 3
    await delete_stream(config, STREAM)
    await delete_stream(config, "DURABLE_P1")
    with pytest.raises(MetadataError, match="DURABLE_P1 is missing, and there is a log DURABLE_P2"):
        await count(config)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"id": "a", "partitions": 1, "format_level": 2}, "start the version that has raised it"),
        ({"id": "a", "partitions": 257, "format_level": 1}, "start the version that has made it"),
        ({"id": "a", "partitions": 0, "format_level": 1}, "start the version that has made it"),
        ({"id": "a", "format_level": 1}, "damaged (KeyError('partitions'))"),
        ([], "damaged"),
    ],
)
async def test_a_record_that_this_version_cannot_follow_is_refused(
    record: object, says: str, tmp_path: Path
) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        source = fixed(parse_urls(nats.url))
        made = await load_or_create(source)
        assert re.fullmatch("[0-9a-f]{32}", made.id)
        assert await load_or_create(source) == made
        async with opened(source) as connection:
            await connection.call(METADATA_SUBJECT.encode(), json.dumps(record).encode(), 5.0)
        with pytest.raises(MetadataError, match=re.escape(says)) as caught:
            await load_or_create(source)
        assert "\n" not in str(caught.value)


async def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        source = fixed(parse_urls(nats.url))
        await load_or_create(source)
        record = {"id": "a", "partitions": 5, "format_level": 1, "region": "eu"}
        async with opened(source) as connection:
            await connection.call(METADATA_SUBJECT.encode(), json.dumps(record).encode(), 5.0)
        assert (await load_or_create(source)).partitions == 5


async def test_of_several_that_start_at_once_one_decides(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        source = fixed(parse_urls(nats.url))
        asked = (0, 2, 3, 0, 4, 0)
        found = await asyncio.gather(
            *(load_or_create(source, partitions=it) for it in asked), return_exceptions=True
        )
        decided = await load_or_create(source)
        for number, result in zip(asked, found, strict=True):
            if number in (0, decided.partitions):
                assert result == decided
            else:
                assert isinstance(result, MetadataError)
                assert f"--partitions {number}: this system has {decided.partitions} " in str(
                    result
                )
        async with opened(source) as connection:
            info = await call_api(connection, f"STREAM.INFO.{STREAM}", {}, 5.0)
        assert info["state"]["last_seq"] == 1


async def test_a_stream_of_somebody_else_that_takes_the_subject_is_refused(tmp_path: Path) -> None:
    async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
        source = fixed(parse_urls(nats.url))
        async with opened(source) as connection:
            other = stream_config("OTHER", "durable.>", max_bytes=1 << 20)
            await call_api(connection, "STREAM.CREATE.OTHER", other, 5.0)
        with pytest.raises(StreamConfigError, match="another stream of this account"):
            await load_or_create(source)


async def test_the_record_is_refused_where_the_user_may_not_publish_it(tmp_path: Path) -> None:
    user = '{ user: me, password: pw, permissions: { publish: ["$JS.API.>", "durable.log.>"] } }'
    accounts = f"accounts {{ APP {{ jetstream: enabled, users: [ {user} ] }} }}"
    async with external_nats(tmp_path / "nats", f"{JETSTREAM}\n{accounts}") as nats:
        source = fixed(parse_urls(nats.url.replace("//", "//me:pw@")))
        advice = r"allow it to publish to .*durable\.log\.>, durable\.cluster\.>, "
        with pytest.raises(NatsUnsuitableError, match=rf'"durable\.cluster\.metadata".*{advice}'):
            await load_or_create(source)


async def test_each_log_is_checked_for_the_permission_to_write_it(tmp_path: Path) -> None:
    allowed = '"$JS.API.>", "durable.cluster.>", "durable.log.0"'
    user = f"{{ user: me, password: pw, permissions: {{ publish: [{allowed}] }} }}"
    accounts = f"accounts {{ APP {{ jetstream: enabled, users: [ {user} ] }} }}"
    async with external_nats(tmp_path / "nats", f"{JETSTREAM}\n{accounts}") as nats:
        url = nats.url.replace("//", "//me:pw@")
        config = Config(
            listen="127.0.0.1:0", data_dir=tmp_path / "data", nats_url=url, partitions=2
        )
        with pytest.raises(NatsUnsuitableError, match=r'"durable\.log\.1"'):
            await count(config)


async def test_the_logs_share_the_room_that_one_would_take(tmp_path: Path) -> None:
    """With the most partitions there are, the embedded server still has room for all logs."""
    embedded = EmbeddedNats(tmp_path / "nats")
    await embedded.start()
    try:
        source = embedded.endpoint
        await load_or_create(source, partitions=PARTITIONS_MAX)
        async with opened(source) as connection:
            reserved = PARTITIONS_MAX * SMALLEST_STREAM_BYTES
            whole = stream_config("ALL", "all", max_bytes=reserved)
            await call_api(connection, "STREAM.CREATE.ALL", whole, 5.0)
    finally:
        await embedded.stop()


async def test_a_start_says_how_many_when_there_are_several(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "durable.app"):
        assert await count(replace(config, partitions=2)) == 2
    assert any(it.endswith(", 2 partitions") for it in caplog.messages)


async def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    config = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2)
    assert await count(replace(config, partitions=3)) == 3
    damaged = config.data_dir / "partition-2.db"
    damaged.write_bytes(b"no database at all")
    with pytest.raises(StoreUnusableError, match=re.escape(f"the store {damaged} is damaged")):
        await count(config)


@pytest.mark.parametrize("number", [-1, PARTITIONS_MAX + 1])
def test_a_number_out_of_bounds_is_refused(number: int) -> None:
    with pytest.raises(ConfigError, match=f"--partitions {number} is not a number from 1 to 256"):
        Config(partitions=number).check()


async def test_more_partitions_than_the_process_may_have_files_for(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    config = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (999, hard))
    try:
        with pytest.raises(
            ConfigError, match="need 1000 open files, and this process may have 999"
        ):
            await count(replace(config, partitions=200))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # Nothing has been decided by then.
    assert await count(replace(config, partitions=2)) == 2


async def test_a_cluster_that_elects_a_leader_is_waited_for(tmp_path: Path) -> None:
    async with nats_cluster(tmp_path) as servers:
        source = fixed(parse_urls(",".join(it.url for it in servers)))
        first, second = await asyncio.gather(
            *(load_or_create(source, partitions=3, replicas=3) for _ in range(2))
        )
        assert first == second
        async with opened(source) as connection:
            info = await call_api(connection, f"STREAM.INFO.{STREAM}", {}, 5.0)
        assert info["config"]["num_replicas"] == 3
        [leader] = [
            it for number, it in enumerate(servers) if f"n{number}" == info["cluster"]["leader"]
        ]
        leader.process.kill()
        assert await load_or_create(source) == first
