"""Other processes with the store's file open: a reader that stays, a writer that holds the lock."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.store.files import store_path
from tests.support.manual_worker import ManualWorker
from tests.support.store_lock import READING, WRITING, held
from tests.support.waiting import eventually

from .calls import finish_one, log_bounds

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    """Workers send no heartbeats here, and must not be given up for that."""
    return replace(config, times=config.times._replace(timeout=60.0))


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> str:
    """Waits for a line of the log."""
    return await eventually(lambda: next((it for it in caplog.messages if text in it), ""))


async def test_the_log_keeps_what_a_reader_keeps_from_the_file(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    small = replace(config, limits=config.limits._replace(trim_bytes=100_000))
    async with ControlPlane(small) as plane:
        store = store_path(config.data_dir, 0)
        async with (
            grpc.aio.insecure_channel(plane.address) as channel,
            ManualWorker(channel) as worker,
        ):
            control = control_pb2_grpc.DurableControlStub(channel)
            await finish_one(control, worker)
            with held(store, READING) as reader:
                before = (await log_bounds(config)).first
                for _ in range(6):
                    await finish_one(control, worker, 60_000)
                line = await logged(caplog, "reads an older state of the store")
                assert f"{reader.pid}: " in line
                assert (await log_bounds(config)).first == before
                assert plane.router.any().trimmer.kept_bytes > 6 * 60_000
            await finish_one(control, worker, 60_000)
            await finish_one(control, worker, 60_000)

            async def trimmed() -> bool:
                return (await log_bounds(config)).first > before

            await eventually(trimmed)
            assert plane.router.any().trimmer.kept_bytes < 6 * 60_000


async def test_nothing_is_lost_when_the_power_goes_while_a_reader_is_there(
    config: Config, tmp_path: Path
) -> None:
    small = replace(config, limits=config.limits._replace(trim_bytes=100_000))
    lost = replace(small, data_dir=tmp_path / "after-power-loss")
    async with ControlPlane(small) as plane:
        with held(store_path(config.data_dir, 0), READING):
            async with (
                grpc.aio.insecure_channel(plane.address) as channel,
                ManualWorker(channel) as worker,
            ):
                control = control_pb2_grpc.DurableControlStub(channel)
                ids = [await finish_one(control, worker, 60_000) for _ in range(6)]
            # The write-ahead log is not synced: only the file survives a power loss.
            sure = store_path(config.data_dir, 0).read_bytes()
    shutil.copytree(config.data_dir, lost.data_dir)
    for path in lost.data_dir.glob("partition-0.db*"):
        path.unlink()
    store_path(lost.data_dir, 0).write_bytes(sure)
    async with (
        ControlPlane(lost) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        for invocation_id in ids:
            found = await control.GetResult(
                control_pb2.GetResultRequest(invocation_id=invocation_id)
            )
            assert found.outcome.value.data == b'"done"'


async def test_a_writers_lock_is_waited_for_and_the_rest_goes_on(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        ControlPlane(config) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        await finish_one(control, worker)
        with held(store_path(config.data_dir, 0), WRITING) as writer:
            waiting = asyncio.create_task(finish_one(control, worker))
            assert f"{writer.pid}: " in await logged(caplog, "is writing to the store")
            # Reads are still answered, and the worker's session stays open.
            stats = await control.GetStats(control_pb2.GetStatsRequest())
            assert stats.total_count == 1
            assert not waiting.done()
        await waiting
        await logged(caplog, "the store is free again")
        assert (await control.GetStats(control_pb2.GetStatsRequest())).total_count == 2


async def test_it_can_be_stopped_while_a_writer_has_the_lock_and_goes_on_later(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    request = control_pb2.InvokeRequest(handler="three", idempotency_key="kept")
    async with ControlPlane(config) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        async with ManualWorker(channel):
            pass
        control = control_pb2_grpc.DurableControlStub(channel)
        with held(store_path(config.data_dir, 0), WRITING):
            asked = asyncio.ensure_future(control.Invoke(request))
            await logged(caplog, "is writing to the store")
            await plane.router.any().stop()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asked
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with (
        ControlPlane(config) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        again = await control.Invoke(request)
        start = await worker.receive("start")
        assert start.invocation_id == again.invocation_id
        assert (await control.GetStats(control_pb2.GetStatsRequest())).total_count == 1
