"""Builds by RPC: how they are listed, promoted, rolled back and drained, and how a repin moves work."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.access_check.callers import error_of
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

from .calls import PENDING, invoke, reached, result, state_of, suspend, wake
from .partitioned import PARTITIONS, invoke_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

PINNED = invocation_pb2.VERSIONING_PINNED


@pytest.fixture
def config(config: Config) -> Config:
    """Workers that say nothing are not given up here."""
    return replace(config, times=config.times._replace(timeout=60.0), partitions=PARTITIONS)


@asynccontextmanager
async def build(
    channel: grpc.aio.Channel, build_id: str, handlers: tuple[str, ...] = ("three",)
) -> AsyncIterator[ManualWorker]:
    """A worker of a build, in which its handlers are pinned."""
    worker = ManualWorker(channel, f"worker-{build_id}", handlers=handlers, version=build_id)
    worker.hello.build_id = build_id
    for it in worker.hello.handlers:
        it.versioning = PINNED
    async with worker:
        yield worker


async def listed(control: Control) -> control_pb2.ListDeploymentsResponse:
    return await control.ListDeployments(control_pb2.ListDeploymentsRequest())


async def one(control: Control, build_id: str) -> control_pb2.Deployment:
    [found] = [it for it in (await listed(control)).deployments if it.build_id == build_id]
    return found


async def promote(
    control: Control, build_id: str, **more: object
) -> control_pb2.PromoteBuildResponse:
    request = control_pb2.PromoteBuildRequest(
        build_id=build_id,
        **more,  # type: ignore[arg-type]  # any field of the message
    )
    return await control.PromoteBuild(request)


async def pinned(control: Control, worker: ManualWorker, partition: int = 0) -> str:
    """Starts an invocation that a worker begins, and that then waits for a signal."""
    invocation_id = await invoke_in(control, partition)
    start = await worker.receive("start")
    await worker.step(start, 0)
    await suspend(control, worker, start, 1)
    return invocation_id


async def refusal(call: grpc.aio.UnaryUnaryCall) -> tuple[str, dict[str, str], str]:
    """Returns the reason, the metadata and the message of a refused call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_of(caught.value)
    return error.reason, json.loads(error.metadata), error.text


async def test_builds_are_listed_with_what_needs_them(
    control: Control, channel: grpc.aio.Channel
) -> None:
    assert not (await listed(control)).deployments
    async with build(channel, "v1", ("three", "two")) as first:
        ids = [await pinned(control, first, partition) for partition in range(PARTITIONS)]
        found = await one(control, "v1")
        assert [*found.handlers] == ["three", "two"]
        assert found.HasField("create_time")
        assert (found.worker_count, found.pinned_count, found.running_count) == (1, PARTITIONS, 0)
        assert (found.draining, found.drained) == (False, False)
        running = await invoke(control, "two")
        start = await first.receive("start")
        assert (await one(control, "v1")).running_count == 1
        await first.finish(start)
        await result(control, running)
    await eventually(lambda: _without_worker(control, "v1"))
    async with build(channel, "v2"):
        response = await listed(control)
        assert [it.build_id for it in response.deployments] == ["v2", "v1"]
        assert not response.routes
        # What waits for a build says so, by itself and in the list.
        await wake(control, ids[1])
        await reached(control, ids[1], PENDING)
        assert (await state_of(control, ids[1])).waiting_for_build == "v1"
        assert (await one(control, "v1")).waiting_count == 1
        query = control_pb2.QueryRequest(pinned_build_id="v1")
        page = (await control.Query(query)).invocations
        assert {it.invocation_id for it in page} == {*ids}
        assert {it.waiting_for_build for it in page} == {"", "v1"}
        assert {(it.build_id, it.pinned) for it in page} == {("v1", True)}
        assert not (await control.Query(control_pb2.QueryRequest(pinned_build_id="v2"))).invocations


async def _without_worker(control: Control, build_id: str) -> bool:
    return not (await one(control, build_id)).worker_count


async def test_promote_ramp_roll_back_and_forget(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1"), build(channel, "v2", ("three", "two")):
        changed = await promote(control, "v1", reason="first", identity="ann")
        [route] = changed.routes
        assert (route.handler, route.build_id, route.reason) == ("three", "v1", "first")
        assert route.identity == "ann"
        assert route.HasField("update_time")
        [route] = (await promote(control, "v2", percent=10, handlers=["three"])).routes
        assert (route.build_id, route.ramping_build_id, route.ramping_percent) == ("v1", "v2", 10)
        assert [*(await listed(control)).routes] == [route]
        assert [it.handler for it in (await promote(control, "v2")).routes] == ["three", "two"]
        [first, _] = (await listed(control)).routes
        assert (first.build_id, first.previous_build_id) == ("v2", "v1")
        back = control_pb2.RollBackBuildRequest(build_id="v2", handlers=["three"])
        [route] = (await control.RollBackBuild(back)).routes
        assert (route.build_id, route.previous_build_id) == ("v1", "")
        reason, metadata, _ = await refusal(control.RollBackBuild(back))
        assert (reason, metadata["build_id"]) == ("NOTHING_TO_ROLL_BACK", "v2")
        forgotten = await promote(control, "v2", automatic=True)
        assert {(it.handler, it.build_id) for it in forgotten.routes} == {
            ("three", ""),
            ("two", ""),
        }
        assert not (await listed(control)).routes


async def test_a_first_share_leaves_the_rest_to_a_build_with_workers(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1"):
        pass
    await eventually(lambda: _without_worker(control, "v1"))
    async with build(channel, "v2"):
        share = control_pb2.PromoteBuildRequest(build_id="v2", percent=10)
        reason, metadata, message = await refusal(control.PromoteBuild(share))
        assert (reason, metadata["field"]) == ("INVALID_FIELD", "percent")
        assert "the latest other one, 'v1', has no worker, so the rest would wait" in message
        assert not (await listed(control)).routes
        async with build(channel, "v1"):
            assert (await promote(control, "v2", percent=10)).routes[0].build_id == "v1"
        # Somebody has decided by now, so this holds whoever is connected.
        assert (await promote(control, "v2", percent=20)).routes[0].ramping_percent == 20


async def test_a_request_that_is_wrong_says_what_there_is(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1") as worker:
        invocation_id = await pinned(control, worker)
    async with build(channel, "v1"), build(channel, "v2"):
        for call in (
            control.PromoteBuild(control_pb2.PromoteBuildRequest(build_id="v3")),
            control.RollBackBuild(control_pb2.RollBackBuildRequest(build_id="v3")),
            control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v3")),
            control.Repin(control_pb2.RepinRequest(invocation_id=invocation_id, build_id="v3")),
        ):
            reason, metadata, message = await refusal(call)
            assert (reason, metadata) == ("BUILD_NOT_FOUND", {"build_id": "v3", "known": "v2,v1"})
            assert message.endswith("there are v2, v1")
        for request, field in (
            (control_pb2.PromoteBuildRequest(), "build_id"),
            (control_pb2.PromoteBuildRequest(build_id="v1", percent=101), "percent"),
            (control_pb2.PromoteBuildRequest(build_id="v1", handlers=["nope"]), "handlers"),
            (control_pb2.PromoteBuildRequest(build_id="v1", percent=5, automatic=True), "percent"),
        ):
            reason, metadata, _ = await refusal(control.PromoteBuild(request))
            assert (reason, metadata["field"]) == ("INVALID_FIELD", field)
        back = control_pb2.RollBackBuildRequest(build_id="v1", handlers=["nope"])
        reason, metadata, message = await refusal(control.RollBackBuild(back))
        assert (reason, metadata["field"]) == ("INVALID_FIELD", "handlers")
        assert "has no handler 'nope'; it serves three" in message
        await promote(control, "v2")
        drain = control_pb2.DrainBuildRequest(build_id="v2")
        reason, metadata, message = await refusal(control.DrainBuild(drain))
        assert (reason, metadata) == ("BUILD_IN_USE", {"build_id": "v2", "handlers": "three"})
        assert "promote another build first" in message


async def test_a_build_is_drained_once_nothing_needs_it(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(build(channel, "v1"))
        invocation_id = await pinned(control, worker, 2)
        await stack.enter_async_context(build(channel, "v2"))
        await control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v1"))
        found = await one(control, "v1")
        assert (found.draining, found.drained, found.pinned_count) == (True, False, 1)
        await wake(control, invocation_id)
        start = await worker.receive("start")
        await worker.finish(start)
        await result(control, invocation_id)
        assert (await one(control, "v1")).drained
        await control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v1", undo=True))
        found = await one(control, "v1")
        assert (found.draining, found.drained) == (False, False)
        # Nor does it get anything once another build is current for all of its handlers.
        await promote(control, "v2")
        found = await one(control, "v1")
        assert (found.draining, found.drained) == (False, True)
        assert not (await one(control, "v2")).drained


async def test_the_last_build_with_workers_is_not_called_drained(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1") as first:
        await control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v1"))
        # Nobody else serves the handler, so it gets new invocations still.
        invocation_id = await invoke(control, "three")
        await first.finish(await first.receive("start"))
        await result(control, invocation_id)
        found = await one(control, "v1")
        assert (found.draining, found.drained) == (True, False)
        async with build(channel, "v2"):
            assert (await one(control, "v1")).drained
            await control.DrainBuild(control_pb2.DrainBuildRequest(build_id="v2"))
            assert not any(it.drained for it in (await listed(control)).deployments)
            await promote(control, "v2")
            assert (await one(control, "v1")).drained


async def test_repin_moves_what_waits_for_a_lost_build(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1") as worker:
        first, second = [await pinned(control, worker, partition) for partition in (1, 2)]
    await eventually(lambda: _without_worker(control, "v1"))
    async with build(channel, "v2") as worker:
        for invocation_id, to in ((first, "v2"), (second, "")):
            await wake(control, invocation_id)
            await reached(control, invocation_id, PENDING)
            repin = control_pb2.RepinRequest(invocation_id=invocation_id, build_id=to)
            await control.Repin(repin)
            start = await worker.receive("start")
            assert start.invocation_id == invocation_id
            found = await state_of(control, invocation_id)
            assert (found.pinned, found.waiting_for_build) == (to != "", "")
            await worker.finish(start)
            await result(control, invocation_id)
            reason, *_ = await refusal(control.Repin(repin))
            assert reason == "INVALID_STATE"


async def test_what_a_route_sends_to_a_build_without_a_worker_waits_and_says_so(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with build(channel, "v1"):
        await promote(control, "v1")
    await eventually(lambda: _without_worker(control, "v1"))
    async with build(channel, "v2"):
        ids = [await invoke_in(control, partition) for partition in range(PARTITIONS)]
        for invocation_id in ids:
            found = await state_of(control, invocation_id)
            assert (found.state, found.waiting_for_build) == (PENDING, "v1")
            assert not found.pinned
        found = await one(control, "v1")
        assert (found.waiting_count, found.pinned_count) == (len(ids), 0)
        await control.Pause(control_pb2.PauseRequest(invocation_id=ids[0]))
        assert (await one(control, "v1")).waiting_count == len(ids) - 1


async def test_the_latest_build_stays_the_latest_after_a_restart(config: Config) -> None:
    async with ControlPlane(config) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        control = control_pb2_grpc.DurableControlStub(channel)
        async with build(channel, "v2"), build(channel, "v1"):
            await promote(control, "v2")
            before = await listed(control)
    async with ControlPlane(config) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        after = await listed(control_pb2_grpc.DurableControlStub(channel))
    assert [it.build_id for it in after.deployments] == ["v1", "v2"]
    assert [it.create_time for it in after.deployments] == [
        it.create_time for it in before.deployments
    ]
    assert after.routes == before.routes
