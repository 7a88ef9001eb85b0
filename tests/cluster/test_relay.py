"""Sessions of workers over several nodes: which node a worker has dialled makes no difference."""

from __future__ import annotations

import asyncio
from collections import Counter

from google.protobuf.duration_pb2 import Duration

import durable
from durable_proto.v1 import control_pb2, invocation_pb2
from tests.server.partitioned import KEYS, invoke_in
from tests.support.manual_worker import ManualWorker

from .relay_nodes import PARTITIONS, Cluster, cluster

COMPLETED = invocation_pb2.INVOCATION_STATE_COMPLETED


async def result(nodes: Cluster, partition: int, invocation_id: str) -> bytes:
    request = control_pb2.GetResultRequest(
        invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
    )
    found = await nodes.leader(partition).control.GetResult(request)
    assert found.state == COMPLETED
    return found.outcome.value.data


async def test_a_worker_runs_what_other_nodes_lead() -> None:
    async with (
        cluster(a=[0], b=[1], c=[2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        for partition in range(PARTITIONS):
            invocation_id = await invoke_in(nodes.leader(partition).control, partition)
            start = await worker.receive("start")
            assert start.invocation_id == invocation_id
            assert (await worker.step(start, 0)).completion_number == 1
            await worker.finish(start)
            assert await result(nodes, partition, invocation_id) == b'"done"'


async def test_a_node_that_leads_nothing_is_an_entry_node() -> None:
    async with (
        cluster(a=[], b=[0, 1, 2]) as nodes,
        ManualWorker(nodes["a"].channel) as worker,
    ):
        invocation_id = await invoke_in(nodes["b"].control, 1)
        await worker.finish(await worker.receive("start"))
        assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_a_moved_partition_keeps_the_attempts_of_its_worker() -> None:
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        async with ManualWorker(nodes["a"].channel) as first:
            invocation_id = await invoke_in(nodes["b"].control, 1)
            start = await first.receive("start")
            await first.step(start, 0)
            await nodes["b"].release(1)
            await nodes["c"].lead(1)
            assert (await first.receive("drain")).drain.delay.ToTimedelta().total_seconds() == 0
            first.disconnect()
        second = ManualWorker(nodes["a"].channel)
        second.hello.resumed.add(invocation_id=invocation_id, attempt=1)
        async with second:
            assert (await second.step(start, 0)).completion_number == 1
            assert (await second.step(start, 1)).completion_number == 2
            await second.finish(start)
            assert await result(nodes, 1, invocation_id) == b'"done"'


async def test_nothing_is_lost_or_doubled_while_partitions_move() -> None:
    ran: Counter[str] = Counter()
    attempts: Counter[str] = Counter()

    @durable.workflow
    async def three(ctx: durable.Context) -> str:
        attempts[ctx.invocation_id] += not ctx.is_replaying
        for index in range(6):
            name = f"{ctx.invocation_id} {index}"
            await ctx.run(f"step {index}", count, name)
        return "done"

    async def count(name: str) -> None:
        ran[name] += 1
        await asyncio.sleep(0.02)

    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        worker = durable.Worker(nodes["a"].address, workflows=[three], insecure=True)
        running = asyncio.create_task(worker.run())
        try:
            await worker.ready()
            async with asyncio.timeout(60):
                ids: list[tuple[int, str]] = []
                for number in range(60):
                    partition = number % PARTITIONS
                    control = nodes.leader(partition).control
                    request = control_pb2.InvokeRequest(
                        handler="three", partition_key=KEYS[partition]
                    )
                    ids.append((partition, (await control.Invoke(request)).invocation_id))
                    if number % 6 == 5:
                        moved = (number // 6) % PARTITIONS
                        names = sorted(nodes.nodes)
                        old = nodes.leader(moved).name
                        new = names[(names.index(old) + 1) % len(names)]
                        await nodes[old].release(moved)
                        await nodes[new].lead(moved)
                    await asyncio.sleep(0.02)
                for partition, invocation_id in ids:
                    assert await result(nodes, partition, invocation_id) == b'"done"'
        finally:
            worker.stop()
            await running
    assert set(ran.values()) == {1}
    assert len(ran) == 60 * 6
    assert worker.statistics().sessions > 3
