"""What the nodes say of their cluster: who leads what, and which workers serve."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import grpc

from durable import AsyncClient
from durable_proto.v1.control_pb2 import GetClusterRequest
from durable_proto.v1.control_pb2_grpc import DurableControlStub
from examples.cluster.nodes import NAMES
from examples.cluster.workers import WORKERS
from examples.cluster.workflows import cluster_order


async def leaders(address: str) -> Mapping[int, str]:
    """Returns which node leads each partition, as the node at this address knows it."""
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await DurableControlStub(channel).GetCluster(GetClusterRequest())
    return {it.partition: it.leader for it in answer.partitions if it.has_leader}


async def shared(address: str) -> Mapping[int, str]:
    """Waits until all nodes lead as many partitions, prints and returns which."""
    while True:
        found = await leaders(address)
        counts = Counter(found.values())
        if len(counts) == len(NAMES) and max(counts.values()) == min(counts.values()):
            break
        await asyncio.sleep(0.1)
    for name in sorted(counts):
        numbers = " ".join(str(it) for it, leader in found.items() if leader == name)
        print(f"   node {name} leads the partitions {numbers}")
    return found


async def served(address: str) -> None:
    """Waits until both workers serve the workflow."""
    async with AsyncClient(address) as client:
        while True:
            workers = {it.name: it.worker_count for it in await client.list_handlers()}
            if workers.get(cluster_order.name) == WORKERS:
                return
            await asyncio.sleep(0.1)
