"""Which worker gets what: builds that workers register, pinned handlers, promotions, drains, repins.

The workers of these tests say their build and whether a handler is pinned, as those of the SDK do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.deployments import BUILDS_MAX
from tests.support.manual_worker import ManualWorker, message_about
from tests.support.waiting import eventually

from .calls import (
    PAUSED,
    PENDING,
    invoke,
    reached,
    reason,
    result,
    state_of,
    suspend,
    wake,
)

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    """Workers that say nothing are not given up here."""
    return replace(config, times=config.times._replace(timeout=60.0))


def of_build(
    channel: grpc.aio.Channel,
    build: str,
    worker_id: str = "",
    *,
    pinned: bool = True,
    handlers: tuple[str, ...] = ("three",),
    slots: int = 10,
) -> ManualWorker:
    """Returns a worker of a build; its version is the build too."""
    worker = ManualWorker(
        channel, worker_id or f"w-{build}", handlers=handlers, slots=slots, version=build
    )
    worker.hello.build_id = build
    for it in worker.hello.handlers:
        it.versioning = (
            invocation_pb2.VERSIONING_PINNED if pinned else invocation_pb2.VERSIONING_AUTO
        )
    return worker


async def release(worker: ManualWorker, start: worker_pb2.ServerMessage) -> None:
    message = message_about(start)
    message.released.SetInParent()
    await worker.send(message)


async def begun(control: Control, worker: ManualWorker) -> str:
    """Starts an invocation that has a journal on this worker, and waits; returns its id."""
    invocation_id = await invoke(control)
    start = await worker.receive("start")
    assert start.invocation_id == invocation_id
    await suspend(control, worker, start)
    return invocation_id


async def takes(worker: ManualWorker, invocation_id: str) -> None:
    """Fails unless the worker gets an invocation next; ends it."""
    start = await worker.receive("start")
    assert start.invocation_id == invocation_id
    await worker.finish(start)


async def promote(control: Control, build: str, percent: int = 0) -> None:
    await control.PromoteBuild(control_pb2.PromoteBuildRequest(build_id=build, percent=percent))


async def builds(control: Control) -> Sequence[str]:
    """Returns the registered builds, latest first."""
    listed = await control.ListDeployments(control_pb2.ListDeploymentsRequest())
    return [it.build_id for it in listed.deployments]


async def test_a_journal_of_a_pinned_handler_waits_for_a_worker_of_its_build(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v2", "other") as other:
        async with of_build(channel, "v1", "old") as old:
            # The build that was registered last among the connected ones gets what is new.
            invocation_id = await begun(control, old)
            await old.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
            await old.half_close()
        await wake(control, invocation_id)
        waits = await reached(control, invocation_id, PENDING)
        assert (waits.build_id, waits.pinned) == ("v1", True)
        assert waits.waiting_for_build == "v1"
        # Others pass it, and it stays.
        await takes(other, await invoke(control))
        assert (await state_of(control, invocation_id)).state == PENDING
        async with of_build(channel, "v1", "again") as again:
            await takes(again, invocation_id)
            assert not (await state_of(control, invocation_id)).waiting_for_build
            await result(control, invocation_id)


async def test_what_is_new_goes_to_the_build_that_was_registered_last(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", slots=99) as old:
        invocation_id = await invoke(control)
        start = await old.receive("start")
        async with of_build(channel, "v2", slots=1) as new:
            # It has recorded nothing, so its next attempt is new too.
            await release(old, start)
            start = await new.receive("start")
            assert start.invocation_id == invocation_id
            assert (await state_of(control, invocation_id)).build_id == "v2"
            # The build is full, and what is new waits for it.
            waits = await invoke(control)
            await new.finish(start)
            await takes(new, waits)
        assert await builds(control) == ["v2", "v1"]
        # Its worker is lost after the grace period, and the other build is the last one now.
        await takes(old, await invoke(control))


async def test_a_promotion_decides_strictly(control: Control, channel: grpc.aio.Channel) -> None:
    async with of_build(channel, "v1", pinned=False) as old:
        async with of_build(channel, "v2", pinned=False) as new:
            await promote(control, "v1")
            for _ in range(3):
                await takes(old, await invoke(control))
            await promote(control, "v2")
            for _ in range(3):
                await takes(new, await invoke(control))
            await new.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
            await new.half_close()
        waits = await invoke(control)
        assert (await state_of(control, waits)).waiting_for_build == "v2"
        # What waits goes where the next promotion says, in its order.
        later = await invoke(control)
        await promote(control, "v1")
        await takes(old, waits)
        await takes(old, later)
        request = control_pb2.RollBackBuildRequest(build_id="v1")
        await control.RollBackBuild(request)
        waits = await invoke(control)
        assert (await state_of(control, waits)).waiting_for_build == "v2"
        forget = control_pb2.PromoteBuildRequest(build_id="v2", automatic=True)
        await control.PromoteBuild(forget)
        await takes(old, waits)


async def test_a_build_that_is_ramped_up_gets_its_share_of_ids(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", slots=100) as old, of_build(channel, "v2", slots=100) as new:
        await promote(control, "v1")
        await promote(control, "v2", percent=30)
        invoked = [await invoke(control) for _ in range(40)]
        ramped = [it for it in invoked if int(it[-4:], 16) % 100 < 30]
        others = [it for it in invoked if it not in ramped]
        assert ramped
        assert [(await new.receive("start")).invocation_id for _ in ramped] == ramped
        assert [(await old.receive("start")).invocation_id for _ in others] == others


async def test_a_build_that_drains_gets_nothing_new_while_there_is_another(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v2", pinned=False, slots=100) as drains:
        waits = await begun(control, drains)
        await control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v2"))
        await takes(drains, await invoke(control))  # there is no other
        async with of_build(channel, "v1", pinned=False, slots=1) as other:
            for _ in range(3):
                await takes(other, await invoke(control))
            # A journal that is not pinned goes on where it was written.
            await wake(control, waits)
            await takes(drains, waits)
            # A worker that registers again does not end the drain.
            async with of_build(channel, "v2", "second", pinned=False, slots=100):
                await takes(other, await invoke(control))
            undo = control_pb2.DrainBuildRequest(build_id="v2", undo=True)
            await control.DrainBuild(undo)
            await takes(drains, await invoke(control))


@pytest.mark.parametrize("state", ["suspended", "pending", "paused", "running", "held"])
async def test_a_repin_moves_an_invocation_in_every_state(
    state: str, control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", slots=1) as old, of_build(channel, "v0") as new:
        # v1 was registered first, so v0 gets what is new; v1 is promoted.
        await promote(control, "v1")
        invocation_id = await invoke(control)
        start = await old.receive("start")
        busy = None
        if state in ("running", "held"):
            await old.step(start, 0)
        else:
            await suspend(control, old, start)
        if state == "pending":
            await invoke(control)
            busy = await old.receive("start")
            await wake(control, invocation_id)
            await reached(control, invocation_id, PENDING)
        if state == "paused":
            await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
        if state == "held":
            message = message_about(start)
            message.held.failure.type = "durable.Nondeterminism"
            await old.send(message)
            await reached(control, invocation_id, PAUSED)
        request = control_pb2.RepinRequest(invocation_id=invocation_id, build_id="v0")
        await control.Repin(request)
        if state == "suspended":
            await wake(control, invocation_id)
        if state in ("paused", "held"):
            await wake(control, invocation_id)
            await control.Resume(control_pb2.ResumeRequest(invocation_id=invocation_id))
        if state == "running":
            await release(old, start)
        await takes(new, invocation_id)
        await result(control, invocation_id)
        if busy is not None:
            await old.finish(busy)


async def test_a_repin_to_no_build_lets_any_worker_go_on(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with of_build(channel, "v1", "old") as old:
        invocation_id = await begun(control, old)
        await old.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
        await old.half_close()
    async with of_build(channel, "v2") as other:
        await wake(control, invocation_id)
        await reached(control, invocation_id, PENDING)
        await control.Repin(control_pb2.RepinRequest(invocation_id=invocation_id))
        await takes(other, invocation_id)
        found = await state_of(control, invocation_id)
        assert (found.build_id, found.pinned) == ("v1", False)


async def test_a_worker_that_returns_as_another_build_does_not_get_what_was_chosen_for_it(
    control: Control, channel: grpc.aio.Channel
) -> None:
    """The old one is away with its slot, and what is pinned to its build waits."""
    old = of_build(channel, "v1", "same", slots=1)
    async with old:
        waits = await begun(control, old)
        old.disconnect()
        async with of_build(channel, "v2", "same") as other:
            await wake(control, waits)
            await reached(control, waits, PENDING)
            await takes(other, await invoke(control))
            assert (await state_of(control, waits)).waiting_for_build == "v1"


async def test_builds_in_use_are_not_forgotten(control: Control, channel: grpc.aio.Channel) -> None:
    """Two have a worker, and to another one an invocation is pinned."""
    async with of_build(channel, "waits") as worker:
        await begun(control, worker)
    async with of_build(channel, "idle"), of_build(channel, "serves"):
        async with of_build(channel, "gone"):
            pass
        for number in range(BUILDS_MAX):
            async with of_build(channel, f"v{number}", slots=1):
                pass
        known = await builds(control)
        assert len(known) == BUILDS_MAX
        assert known[-3:] == ["serves", "idle", "waits"]


async def test_a_fork_goes_where_its_source_would_go(
    control: Control, channel: grpc.aio.Channel
) -> None:
    """An `auto` journal goes to the version that has written it, a copy of it too."""
    async with of_build(channel, "v1", pinned=False) as old:
        source_id = await invoke(control)
        start = await old.receive("start")
        await old.step(start, 0)
        async with of_build(channel, "v2", pinned=False, slots=100):
            request = control_pb2.RestartRequest(
                invocation_id=source_id, from_index=1, while_running=True
            )
            fork = await control.Restart(request)
            copied = await old.receive("start")
            assert copied.invocation_id == fork.invocation_id
            assert [it.index for it in copied.start.journal] == [0]


async def test_a_pinned_handler_needs_a_build(channel: grpc.aio.Channel) -> None:
    worker = of_build(channel, "")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await worker.__aenter__()
    found, metadata = reason(failed.value)
    assert (found, metadata["field"]) == ("INVALID_FIELD", "build_id")
    assert "'three' is pinned" in str(failed.value.details())


async def test_a_build_has_the_handlers_of_all_its_workers(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with (
        of_build(channel, "v1", "a", handlers=("one", "two")),
        of_build(channel, "v1", "b", handlers=("three",)),
        of_build(channel, "v1", "c", handlers=("two",)),
        ManualWorker(channel, "d", handlers=("four",)),
    ):
        listed = await control.ListDeployments(control_pb2.ListDeploymentsRequest())
        [deployment] = listed.deployments
        assert [*deployment.handlers] == ["one", "three", "two"]


@pytest.mark.parametrize("how", ["leaves", "is lost", "does not return after a restart"])
async def test_the_end_of_the_last_worker_of_a_build_is_warned_of(
    how: str, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    def warnings() -> list[str]:
        found = [it for it in caplog.records if it.levelno == logging.WARNING]
        return [it.getMessage() for it in found if "pinned to it" in it.getMessage()]

    async with ControlPlane(config) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        control = control_pb2_grpc.DurableControlStub(channel)
        async with of_build(channel, "v1", "one") as one, of_build(channel, "v2", "x") as other:
            await promote(control, "v1")
            waits = await begun(control, one)
            async with of_build(channel, "v1", "two") as two:
                await two.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
                await two.half_close()
            await promote(control, "v2")
            ended = await invoke(control)
            await takes(other, ended)
            await result(control, ended)
            assert not warnings()
            if how == "does not return after a restart":
                async with asyncio.timeout(20):
                    await plane.router.any().stop()
            elif how == "leaves":
                await one.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
                await one.half_close()
            else:
                one.disconnect()
            if how != "does not return after a restart":
                await eventually(lambda: len(warnings()) == 1)
    if how == "does not return after a restart":
        async with ControlPlane(config):
            await eventually(lambda: len(warnings()) == 1)
    [warning] = warnings()
    assert "no worker of build v1 is connected" in warning
    assert "(1 here)" in warning
    assert waits
