"""Builds and routes of three nodes in processes, while the leader of partition 0 is killed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc, worker_pb2
from tests.server.calls import invoke, result, state_of
from tests.server.partitioned import PARTITIONS, invoke_in
from tests.server.test_builds import of_build, promote, suspend, wake
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.processes import Child, control_plane
from tests.support.waiting import eventually

from .test_takeover import leads_each

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

NODES = ("a", "b", "c")


async def leader_of_builds(control: Control) -> str:
    found = await control.GetCluster(control_pb2.GetClusterRequest())
    return next((it.leader for it in found.partitions if it.partition == 0), "")


async def registered(control: Control) -> list[str]:
    """Returns the registered builds, latest first; nothing while partition 0 has no leader."""
    listed = await control.ListDeployments(control_pb2.ListDeploymentsRequest())
    return [it.build_id for it in listed.deployments if it.HasField("create_time")]


async def gets_all(control: Control, build: str) -> bool:
    """Returns whether new invocations of each partition go to a build."""
    invoked = [await invoke_in(control, it) for it in range(PARTITIONS)]

    async def begun_on(invocation_id: str) -> str:
        return (await state_of(control, invocation_id)).build_id

    return {await eventually(partial(begun_on, it)) for it in invoked} == {build}


async def start_of(worker: ManualWorker, invocation_id: str) -> worker_pb2.ServerMessage:
    """Returns the start of an invocation; others that come before it go on running."""
    while True:
        start = await worker.receive("start")
        if start.invocation_id == invocation_id:
            return start


async def test_builds_and_routes_are_known_wherever_partition_0_is_led(tmp_path: Path) -> None:
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
        stubs = {it: control_pb2_grpc.DurableControlStub(channels[it]) for it in NODES}
        await eventually(lambda: leads_each(stubs["a"], NODES))
        first = await leader_of_builds(stubs["a"])
        entry, other = (it for it in NODES if it != first)
        control = stubs[entry]
        # Workers dial another node than the one that leads partition 0, and clients a third one.
        async with (
            of_build(channels[entry], "v1", slots=99) as old,
            of_build(channels[other], "v2", slots=99),
        ):
            await eventually(lambda: registered(control))
            assert await registered(control) == ["v2", "v1"]
            await promote(control, "v1")
            await eventually(lambda: gets_all(control, "v1"))
            waits = await invoke(control)
            await suspend(control, old, await start_of(old, waits))
            await promote(stubs[other], "v2")
            await eventually(lambda: gets_all(control, "v2"))
            await asyncio.to_thread(children[first].kill)
            await eventually(lambda: leads_each(control, (entry, other)))
            assert await leader_of_builds(control) != first
            assert await registered(control) == ["v2", "v1"]
            listed = await control.ListDeployments(control_pb2.ListDeploymentsRequest())
            assert [(it.build_id, it.previous_build_id) for it in listed.routes] == [("v2", "v1")]
        # New sessions, because the leaders are others: what is pinned goes on with its build.
        async with (
            of_build(channels[entry], "v1", "w-old", slots=99) as old,
            of_build(channels[other], "v2", "w-new", slots=99),
            of_build(channels[other], "v3", slots=99),
        ):
            await wake(control, waits)
            await old.finish(await start_of(old, waits))
            await result(control, waits)
            await eventually(lambda: gets_all(control, "v2"))
            assert await registered(control) == ["v3", "v2", "v1"]
            await promote(control, "v3")
            await eventually(lambda: gets_all(control, "v3"))
