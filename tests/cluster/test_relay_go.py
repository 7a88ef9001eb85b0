"""A worker in another language serves all nodes through the one that it knows."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from durable_proto.v1 import control_pb2, payload_pb2
from tests.clients.building import go_worker
from tests.server.partitioned import KEYS
from tests.support.processes import running
from tests.support.waiting import eventually

from .relay_nodes import PARTITIONS, Cluster, cluster, result

PROMISE = 2
"""The index of the promise in the handler's journal."""


async def order(nodes: Cluster, partition: int) -> str:
    request = control_pb2.InvokeRequest(
        handler="checkout",
        partition_key=KEYS[partition],
        input=payload_pb2.Payload(data=json.dumps({"item": f"tea {partition}"}).encode()),
    )
    return (await nodes.leader(partition).control.Invoke(request)).invocation_id


async def at_promise(nodes: Cluster, partition: int, invocation_id: str) -> None:
    request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
    async for change in nodes.leader(partition).control.WatchInvocation(request):
        if change.invocation.journal_length > PROMISE:
            return


async def ship(nodes: Cluster, partition: int, invocation_id: str) -> None:
    request = control_pb2.ResolveAwakeableRequest(awakeable_id=f"{invocation_id}.shipped")
    request.outcome.value.data = b'{"parcel": "P1"}'
    await nodes.leader(partition).control.ResolveAwakeable(request)


async def test_a_worker_in_go_goes_on_while_a_partition_moves(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = await asyncio.to_thread(go_worker, tmp_path_factory.mktemp("go"))
    async with cluster(a=[0], b=[1], c=[2]) as nodes:
        with running([program, nodes["a"].address], tmp_path / "worker.log") as child:
            await eventually(lambda: "connected" in child.text())
            orders = [await order(nodes, it) for it in range(PARTITIONS)]
            for partition, invocation_id in enumerate(orders):
                await at_promise(nodes, partition, invocation_id)
            await nodes["b"].release(1)
            await nodes["c"].lead(1)
            for partition, invocation_id in enumerate(orders):
                await ship(nodes, partition, invocation_id)
                assert json.loads(await result(nodes, partition, invocation_id))["parcel"] == "P1"
            said = child.text()
    assert said.count("the control plane asks to reconnect") == 1
    steps = Counter(it for it in said.splitlines() if it.startswith(("charged", "mailed")))
    assert len(steps) == 2 * PARTITIONS
    assert set(steps.values()) == {1}
