"""Clients of three nodes in processes of their own: what waits goes on when its leader ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from tests.server.partitioned import KEYS, PARTITIONS
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.processes import Child, control_plane
from tests.support.waiting import eventually

CANCELLED = invocation_pb2.INVOCATION_STATE_CANCELLED
NODES = ("a", "b", "c")
WAIT = Duration(seconds=50)


async def test_what_waits_goes_on_when_its_leader_is_killed_or_stopped(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        children: dict[str, Child] = {}
        channels: dict[str, grpc.aio.Channel] = {}
        for name in NODES:
            (tmp_path / name).mkdir()
            options = ("--nats", nats.url, "--node", name, "--partitions", str(PARTITIONS))
            node = control_plane(tmp_path / name, *options)
            children[name], address = await asyncio.to_thread(stack.enter_context, node)
            channels[name] = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        # Clients and the worker use the first node; the others end one after the other.
        control = control_pb2_grpc.DurableControlStub(channels["a"])
        await eventually(lambda: leads_each(control, NODES))
        async with ManualWorker(channels["a"]):
            pass  # the handler is known from now on
        await goes_on(control, children["b"], "b", "kill")
        await eventually(lambda: leads_each(control, ("a", "c")))
        await goes_on(control, children["c"], "c", "terminate")


async def leads_each(
    control: control_pb2_grpc.DurableControlAsyncStub, names: tuple[str, ...]
) -> bool:
    """Returns whether each of these nodes leads something."""
    found = await control.GetCluster(control_pb2.GetClusterRequest())
    return {it.leader for it in found.partitions} == {*names}


async def goes_on(
    control: control_pb2_grpc.DurableControlAsyncStub, leader: Child, name: str, end: str
) -> None:
    """Ends the leader of a partition while an Invoke, a GetResult and a watch wait for it."""
    cluster = await control.GetCluster(control_pb2.GetClusterRequest())
    partition = next(it.partition for it in cluster.partitions if it.leader == name)
    request = control_pb2.InvokeRequest(
        handler="three", partition_key=KEYS[partition], service=end, wait_timeout=WAIT
    )
    invoke = control.Invoke(request)

    async def started() -> str:
        found = (await control.Query(control_pb2.QueryRequest(service=end))).invocations
        return found[0].invocation_id if found else ""

    invocation_id = await eventually(started)
    result = control.GetResult(
        control_pb2.GetResultRequest(invocation_id=invocation_id, wait_timeout=WAIT)
    )
    watch = control.WatchInvocation(control_pb2.WatchInvocationRequest(invocation_id=invocation_id))
    changes = aiter(watch)
    await anext(changes)
    ending = asyncio.create_task(asyncio.to_thread(getattr(leader, end)))
    # This one comes while nobody leads the partition, or while it moves.
    await control.Cancel(control_pb2.CancelRequest(invocation_id=invocation_id, force=True))
    assert (await invoke).state == CANCELLED
    assert (await result).state == CANCELLED
    assert [it.invocation.state async for it in changes][-1] == CANCELLED
    await ending

    async def listed() -> list[str]:
        found = await control.Query(control_pb2.QueryRequest(service=end))
        return [] if found.missing_partitions else [it.invocation_id for it in found.invocations]

    # It may have been cancelled before the node has ended, and nobody leads its partition for a while.
    assert await eventually(listed) == [invocation_id]
