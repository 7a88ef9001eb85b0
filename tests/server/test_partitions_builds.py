"""Builds and routes with several partitions: partition 0 decides, and the others follow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2_grpc, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.waiting import eventually

from .calls import state_of
from .partitioned import PARTITIONS, invoke_in
from .test_builds import builds, of_build, promote, takes

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        listen="127.0.0.1:0", data_dir=tmp_path / "data", partitions=PARTITIONS, grace_seconds=0.2
    )


async def test_what_waits_in_any_partition_goes_where_a_promotion_says(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", pinned=False) as old:
        await promote(control, "v1")
        new = of_build(channel, "v2", "new", pinned=False)
        async with new:
            await promote(control, "v2")
            await new.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
            await new.half_close()
        waiting = [await invoke_in(control, it) for it in range(PARTITIONS)]

        async def all_wait() -> bool:
            found = [await state_of(control, it) for it in waiting]
            return all(it.waiting_for_build == "v2" for it in found)

        await eventually(all_wait)
        await promote(control, "v1")
        starts = [await old.receive("start") for _ in waiting]
        assert {it.invocation_id for it in starts} == {*waiting}
        for start in starts:
            await old.finish(start)


async def test_each_partition_knows_which_build_was_registered_last(
    plane: ControlPlane, control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", slots=99), of_build(channel, "v2", slots=99) as new:
        assert await builds(control) == ["v2", "v1"]
        led = plane.router.all()
        await eventually(lambda: all("v2" in it.partition.deployments for it in led))
        for partition in range(PARTITIONS):
            await takes(new, await invoke_in(control, partition))
