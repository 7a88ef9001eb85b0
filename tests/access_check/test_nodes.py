"""The check over two nodes: whichever is called, the one that leads decides by the caller's access."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core import ids
from tests.access_check.callers import Tokens, bearer, error_of
from tests.access_check.subjects import check_denied, check_permitted, check_unknown, two_tenants
from tests.access_check.test_open_calls import drained, end_of
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.server.calls import Control

PARTITIONS = 4


@pytest.fixture
async def planes(tmp_path: Path) -> AsyncIterator[list[ControlPlane]]:
    """Two nodes, each of which leads partitions."""
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(external_nats(tmp_path / "nats", JETSTREAM))
        found = []
        for name in ("a", "b"):
            plane = ControlPlane(
                Config(
                    data_dir=tmp_path / name,
                    listen="127.0.0.1:0",
                    nats_url=nats.url,
                    node=name,
                    partitions=PARTITIONS,
                    grace_seconds=0.2,
                    auth=True,
                )
            )
            found.append(await stack.enter_async_context(plane))
        yield found


@pytest.fixture
def tokens(planes: list[ControlPlane]) -> Tokens:
    assert planes[1].tokens is not None
    return Tokens(planes[1].tokens)


@pytest.fixture
async def channels(planes: list[ControlPlane]) -> AsyncIterator[list[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(it.address)) for it in planes
        ]


@pytest.fixture
def controls(channels: list[grpc.aio.Channel]) -> list[Control]:
    return [control_pb2_grpc.DurableControlStub(it) for it in channels]


async def led_by_both(planes: list[ControlPlane]) -> None:
    """Waits until each node leads half of the partitions, and knows that the other one does."""

    def settled() -> bool:
        for plane in planes:
            assert plane.node is not None
            leaders = map(plane.node.members.leader, range(PARTITIONS))
            names = [it.name for it in leaders if it is not None]
            if not names.count("a") == names.count("b") == PARTITIONS // 2:
                return False
        return True

    await eventually(settled)


@pytest.mark.parametrize("called", [0, 1])
async def test_the_node_that_leads_decides(
    planes: list[ControlPlane],
    channels: list[grpc.aio.Channel],
    controls: list[Control],
    tokens: Tokens,
    called: int,
) -> None:
    await led_by_both(planes)
    control = controls[called]
    async with two_tenants(channels[0], controls[0], tokens, PARTITIONS) as things:
        await check_unknown(control, tokens, things)
        await check_denied(control, tokens, things)
        await check_permitted(control, tokens, things)


async def test_a_revoked_token_ends_what_another_node_serves(
    planes: list[ControlPlane],
    channels: list[grpc.aio.Channel],
    controls: list[Control],
    tokens: Tokens,
) -> None:
    await led_by_both(planes)
    admin = bearer(await tokens.add("admin", "admin"))
    gone = bearer(await tokens.add("gone", "read", "worker:three"))
    node = planes[1].node
    assert node is not None
    async with (
        ManualWorker(channels[0], "kept", metadata=admin),
        ManualWorker(channels[0], "gone", metadata=gone) as worker,
    ):
        invocation_id = ""
        while not invocation_id or ids.partition(invocation_id, PARTITIONS) not in node.roles.leads:
            request = control_pb2.InvokeRequest(handler="three")
            invocation_id = (await controls[1].Invoke(request, metadata=admin)).invocation_id
        watched = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        watch = controls[0].WatchInvocation(watched, metadata=gone)
        await watch.read()
        await tokens.revoke("gone")
        assert await end_of(drained(watch)) == {"problem": "revoked"}

        async def session() -> None:
            while True:
                await worker.next_kind()

        assert await end_of(session()) == {"problem": "revoked"}


async def started(control: Control, handler: str, token: tuple[tuple[str, str], ...]) -> str:
    """Starts an invocation; returns its id, which is in a partition of the node that was called."""
    request = control_pb2.InvokeRequest(handler=handler)
    return (await control.Invoke(request, metadata=token)).invocation_id


async def test_a_relayed_session_has_the_access_of_its_worker(
    planes: list[ControlPlane],
    channels: list[grpc.aio.Channel],
    controls: list[Control],
    tokens: Tokens,
) -> None:
    """The worker of a namespace gets its attempts of both nodes, and those start nothing else."""
    await led_by_both(planes)
    admin = bearer(await tokens.add("admin", "admin"))
    mine = bearer(await tokens.add("mine", "worker", namespace="mine."))
    refused = ManualWorker(channels[0], "r", handlers=("theirs.do",), metadata=mine)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await refused.__aenter__()
    assert error_of(error.value).reason == "PERMISSION_DENIED"
    node = planes[0].node
    assert node is not None

    def led_by_first(invocation_id: str) -> bool:
        return ids.partition(invocation_id, PARTITIONS) in node.roles.leads

    async with (
        ManualWorker(channels[1], "o", handlers=("theirs.do",), metadata=admin),
        ManualWorker(channels[0], "m", handlers=("mine.do",), metadata=mine) as worker,
    ):
        theirs = [await started(it, "theirs.do", admin) for it in controls]
        assert len({*map(led_by_first, theirs)}) == 2
        for control in controls:
            for kind, name, target, problem in (
                ("SEND", "theirs.do", "", "no worker has ever registered a handler 'theirs.do'"),
                *(("ATTACH", "", it, f"no invocation {it!r}") for it in theirs),
            ):
                invocation_id = await started(control, "mine.do", admin)
                about = await worker.receive("start")
                assert about.invocation_id == invocation_id
                await worker.send(open_entry(about, 0, kind, name, target=target, argument=b"1"))
                assert (await worker.receive("abandon")).abandon.reason == problem
                cancel = control_pb2.CancelRequest(invocation_id=invocation_id, force=True)
                await control.Cancel(cancel, metadata=admin)


async def test_a_worker_of_others_is_known_at_a_node_that_leads_nothing(
    planes: list[ControlPlane],
    channels: list[grpc.aio.Channel],
    controls: list[Control],
    tokens: Tokens,
) -> None:
    """That one does not know the worker; the node that leads refuses to take another one for it."""
    await led_by_both(planes)
    admin = bearer(await tokens.add("admin", "admin"))
    mine = bearer(await tokens.add("mine", "worker", namespace="mine."))
    await controls[0].DrainNode(control_pb2.DrainNodeRequest(node="a"), metadata=admin)
    node = planes[1].node
    assert node is not None
    await eventually(lambda: len(node.roles.leads) == PARTITIONS)
    async with ManualWorker(channels[1], "w", handlers=("theirs.do",), metadata=admin):
        taker = ManualWorker(channels[0], "w", handlers=("mine.do",), metadata=mine)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await taker.__aenter__()
        assert error_of(error.value).reason == "INVALID_FIELD"
        # The node that has refused it still counts as one that can be reached.
        async with ManualWorker(channels[0], "m", handlers=("mine.do",), metadata=mine) as worker:
            await started(controls[0], "mine.do", admin)
            await worker.receive("start")
