"""The history of attempts: each way that an attempt ends, as GetInvocation and a watch tell it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc

import durable
from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from tests.support.manual_worker import ManualWorker, message_about

from .calls import PAUSED, invoke, reached, result, suspend, wake

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


async def attempts_of(control: Control, invocation_id: str) -> list[durable.InvocationAttempt]:
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
    return durable.Invocation((await control.GetInvocation(request)).invocation).attempts


async def watched(control: Control, invocation_id: str) -> list[list[tuple[int, str]]]:
    """Returns the attempts in each message of a watch until the end: number, why it ended."""
    request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id, include_journal=True)
    found = []
    async for response in control.WatchInvocation(request):
        attempts = durable.Invocation(response.invocation).attempts
        found.append([(it.attempt, it.end) for it in attempts])
    return found


async def test_each_attempt_tells_who_ran_it_and_why_it_ended(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "one") as one:
        invocation_id = await invoke(control)
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(watched(control, invocation_id))

            start = await one.receive("start")
            (running,) = await attempts_of(control, invocation_id)
            assert (running.attempt, running.worker_id, running.end) == (1, "one", "")
            assert running.end_time is None
            await suspend(control, one, start)
            await wake(control, invocation_id)

            failed = message_about(await one.receive("start"))
            failed.attempt_failed.failure.type = "ValueError"
            failed.attempt_failed.failure.message = "no " * 100
            failed.attempt_failed.failure.stack_trace = "line 1"
            failed.attempt_failed.retry_delay.FromMilliseconds(1)
            await one.send(failed)

            held = message_about(await one.receive("start"))
            held.held.failure.type = "durable.DeterminismError"
            await one.send(held)
            await reached(control, invocation_id, PAUSED)
            resume = control_pb2.ResumeRequest(invocation_id=invocation_id)
            await control.Resume(resume)

            stopped = message_about(await one.receive("start"))
            await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
            await one.receive("pause_requested")
            stopped.paused.SetInParent()
            await one.send(stopped)
            await reached(control, invocation_id, PAUSED)
            await control.Resume(resume)

            released = message_about(await one.receive("start"))
            released.released.SetInParent()
            await one.send(released)

            await one.receive("start")
            one.disconnect()
            async with ManualWorker(channel, "two", version="v2") as two:
                await two.finish(await two.receive("start"))
                await result(control, invocation_id)

    found = await attempts_of(control, invocation_id)
    ends = ["suspended", "retried", "held", "paused", "released", "lost", "completed"]
    assert [it.end for it in found] == ends
    assert [it.attempt for it in found] == list(range(1, 8))
    assert [it.worker_id for it in found] == ["one"] * 6 + ["two"]
    assert [it.version for it in found] == ["v1"] * 6 + ["v2"]
    times = [time for it in found for time in (it.start_time, it.end_time) if time is not None]
    assert len(times) == 14
    assert times == sorted(times)
    failures = [it.failure for it in found if it.failure is not None]
    assert [it.type for it in failures] == ["ValueError", "durable.DeterminismError"]
    assert failures[0].message == ("no " * 100)[:200]
    assert not failures[0].stack_trace

    # A watch has each attempt once as it begins and once as it has ended, if there was time to see it.
    told = [it for message in watch.result() for it in message]
    assert len(told) == len(set(told))
    assert {attempt: end for attempt, end in told if end} == dict(enumerate(ends, 1))


async def test_the_only_attempt_is_told_without_a_row(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "one") as one:
        for fails in (False, True):
            invocation_id = await invoke(control)
            ended = message_about(await one.receive("start"))
            if fails:
                ended.finished.outcome.failure.type = "shop.SoldOut"
                ended.finished.outcome.failure.message = "no stock"
            else:
                ended.finished.outcome.value.data = b"1"
            await one.send(ended)
            await result(control, invocation_id)
            request = control_pb2.GetInvocationRequest(
                invocation_id=invocation_id, include_journal=True
            )
            found = (await control.GetInvocation(request)).invocation
            (only,) = found.attempts
            assert only.start_time == found.start_time
            assert only.end_time == found.complete_time
            assert only.worker_id == found.worker_id == "one"
            end = "FAILED" if fails else "COMPLETED"
            assert invocation_pb2.AttemptEnd.Name(only.end) == f"ATTEMPT_END_{end}"
            assert only.HasField("failure") == fails
            assert only.failure.message == ("no stock" if fails else "")


async def test_the_history_is_bounded_and_outlives_the_process(
    plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    async with ManualWorker(channel, "one") as one:
        invocation_id = await invoke(control)
        for _ in range(60):
            released = message_about(await one.receive("start"))
            released.released.SetInParent()
            await one.send(released)
        await one.receive("start")
        found = await attempts_of(control, invocation_id)
    assert [it.attempt for it in found] == list(range(12, 62))
    await plane.__aexit__(None, None, None)
    async with (
        ControlPlane(plane.config) as second,
        grpc.aio.insecure_channel(second.address) as fresh,
        ManualWorker(fresh, "two") as two,
    ):
        await two.receive("start")
        control = control_pb2_grpc.DurableControlStub(fresh)
        later = await attempts_of(control, invocation_id)
    assert [it.attempt for it in later] == list(range(13, 63))
    # One worker has left its last attempt, so the first control plane may have noted that it was lost.
    assert [it.message for it in later[:-2]] == [it.message for it in found[1:-1]]
    assert (later[-2].attempt, later[-2].worker_id, later[-2].end) == (61, "one", "lost")
    assert (later[-1].worker_id, later[-1].end) == ("two", "")
