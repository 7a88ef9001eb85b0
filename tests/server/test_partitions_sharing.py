"""Workers that several partitions share: their slots go to the invocation that has waited longest."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.config import Config
from durable_server.core import ids
from tests.support.manual_worker import ManualWorker

COUNT = 3


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        listen="127.0.0.1:0", data_dir=tmp_path / "data", partitions=COUNT, grace_seconds=0.2
    )


def key_in(partition: int) -> str:
    """Returns a partition key of this partition."""
    keys = (f"key-{number}" for number in range(1000))
    return next(key for key in keys if ids.object_partition(key, COUNT) == partition)


async def invoke(
    control: control_pb2_grpc.DurableControlAsyncStub, partition: int, priority: int = 0
) -> str:
    request = control_pb2.InvokeRequest(
        handler="three", partition_key=key_in(partition), priority=priority
    )
    invocation_id = (await control.Invoke(request)).invocation_id
    assert ids.partition(invocation_id, COUNT) == partition
    return invocation_id


async def served(worker: ManualWorker, count: int) -> list[str]:
    """Ends so many attempts, one after the other; returns the ids in the order in which they came."""
    order: list[str] = []
    for _ in range(count):
        start = await worker.receive("start")
        order.append(start.invocation_id)
        await worker.finish(start)
    return order


async def test_a_slot_goes_to_the_invocation_that_has_waited_longest(
    channel: grpc.aio.Channel, control: control_pb2_grpc.DurableControlAsyncStub
) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        # A busy partition, and two others with an invocation each behind those that came before.
        partitions = [0] * 6 + [1] + [0] * 6 + [2] + [0] * 6
        invoked = [await invoke(control, it) for it in partitions]
        assert await served(worker, len(invoked)) == invoked


async def test_a_higher_priority_goes_first_in_whichever_partition_it_is(
    channel: grpc.aio.Channel, control: control_pb2_grpc.DurableControlAsyncStub
) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        first = await invoke(control, 0)
        low = [await invoke(control, 0), await invoke(control, 1)]
        high = await invoke(control, 2, priority=5)
        assert await served(worker, 4) == [first, high, *low]


async def test_an_invocation_that_was_cancelled_while_it_waited_keeps_no_slot_from_others(
    channel: grpc.aio.Channel, control: control_pb2_grpc.DurableControlAsyncStub
) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        running, cancelled, waiting = [await invoke(control, it) for it in (0, 1, 0)]
        await control.Cancel(control_pb2.CancelRequest(invocation_id=cancelled))
        assert await served(worker, 2) == [running, waiting]


async def test_a_worker_gets_no_more_than_its_slots_from_all_partitions(
    channel: grpc.aio.Channel, control: control_pb2_grpc.DurableControlAsyncStub
) -> None:
    async with ManualWorker(channel, slots=4) as worker:
        invoked = {await invoke(control, number % COUNT) for number in range(12)}
        starts = [await worker.receive("start") for _ in range(4)]
        [listed] = (await control.ListWorkers(control_pb2.ListWorkersRequest())).workers
        assert listed.running_count == 4
        for start in starts:
            await worker.finish(start)
        seen = {it.invocation_id for it in starts} | set(await served(worker, 8))
        assert seen == invoked


async def test_max_concurrent_holds_over_all_partitions(
    channel: grpc.aio.Channel, control: control_pb2_grpc.DurableControlAsyncStub
) -> None:
    worker = ManualWorker(channel, slots=10)
    worker.hello.handlers[0].max_concurrent = 2
    async with worker:
        invoked = [await invoke(control, number % COUNT) for number in range(9)]
        running = [await worker.receive("start") for _ in range(2)]
        order = []
        for _ in range(9):
            [listed] = (await control.ListWorkers(control_pb2.ListWorkersRequest())).workers
            assert listed.running_count <= 2
            start = running.pop(0)
            order.append(start.invocation_id)
            await worker.finish(start)
            if len(order) + len(running) < 9:
                running.append(await worker.receive("start"))
        assert sorted(order) == sorted(invoked)
