"""Workers of a cluster while nodes are killed: no step runs twice, and nothing is lost."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

import durable
from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.processes import Child, control_plane

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

T = TypeVar("T")

NAMES = ("a", "b", "c")
COUNT = 60
STEPS = 5


class Nodes:
    """Three nodes over one NATS system, each a process."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self.addresses: dict[str, str] = {}
        self.controls: dict[str, Control] = {}

    async def ask(self, call: Callable[[Control], Awaitable[T]]) -> T:
        """Makes a call to the node that leads what it is about."""
        async with asyncio.timeout(40):
            while True:
                for control in self.controls.values():
                    try:
                        return await call(control)
                    except grpc.aio.AioRpcError as error:
                        if error.code() is not grpc.StatusCode.UNAVAILABLE:
                            raise
                await asyncio.sleep(0.05)

    async def kill(self, name: str) -> None:
        await asyncio.to_thread(self.children[name].kill)
        del self.controls[name]


@asynccontextmanager
async def three_nodes(folder: Path) -> AsyncIterator[Nodes]:
    nodes = Nodes()
    async with external_nats(folder / "nats", JETSTREAM) as nats, AsyncExitStack() as stack:
        for name in NAMES:
            (folder / name).mkdir()
            where = ("--nats", nats.url, "--node", name, "--node-listen", "127.0.0.1:0")
            served = control_plane(folder / name, *where, "--partitions", "6")
            with ExitStack() as started:
                child, address = await asyncio.to_thread(started.enter_context, served)
                stack.callback(started.pop_all().close)
            nodes.children[name], nodes.addresses[name] = child, address
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            nodes.controls[name] = control_pb2_grpc.DurableControlStub(channel)
        yield nodes


@asynccontextmanager
async def running_worker(
    addresses: Sequence[str], ran: Counter[str]
) -> AsyncIterator[durable.Worker]:
    async def count(name: str) -> None:
        ran[name] += 1
        await asyncio.sleep(0.1)

    @durable.workflow
    async def steps(ctx: durable.Context) -> str:
        for index in range(STEPS):
            await ctx.run(f"step {index}", count, f"{ctx.invocation_id} {index}")
        return "done"

    worker = durable.Worker(",".join(addresses), workflows=[steps], insecure=True)
    task = asyncio.create_task(worker.run())
    try:
        await worker.ready()
        yield worker
    finally:
        worker.stop()
        await task


async def _invoke(
    request: control_pb2.InvokeRequest, control: Control
) -> control_pb2.InvokeResponse:
    return await control.Invoke(request)


async def _get_result(
    request: control_pb2.GetResultRequest, control: Control
) -> control_pb2.GetResultResponse:
    return await control.GetResult(request)


@pytest.mark.parametrize("entry", [True, False], ids=["entry node", "other node"])
async def test_a_killed_node_costs_no_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, entry: bool
) -> None:
    caplog.set_level(logging.INFO, "durable.worker")
    ran: Counter[str] = Counter()
    async with three_nodes(tmp_path) as nodes:
        addresses = [nodes.addresses[name] for name in NAMES]
        async with running_worker(addresses, ran) as worker:
            told = [it.getMessage() for it in caplog.records]
            dialled = next(it for it in told if " serves " in it).rpartition(" at ")[2]
            killed = next(it for it in NAMES if (nodes.addresses[it] == dialled) is entry)
            invoked: list[str] = []
            for number in range(COUNT):
                request = control_pb2.InvokeRequest(
                    handler="steps", partition_key=str(number), request_id=f"r-{number}"
                )
                answer = await nodes.ask(partial(_invoke, request))
                invoked.append(answer.invocation_id)
                if number == COUNT // 2:
                    await nodes.kill(killed)
            for invocation_id in invoked:
                waited = control_pb2.GetResultRequest(
                    invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
                )
                found = await nodes.ask(partial(_get_result, waited))
                assert found.state == invocation_pb2.INVOCATION_STATE_COMPLETED
    assert worker.statistics().attempts_started == COUNT
    assert len(ran) == COUNT * STEPS
    assert set(ran.values()) == {1}
