"""Two versions side by side, as in a rolling deploy: a journal goes to the version that wrote it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2_grpc, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.manual_worker import ManualWorker, message_about

from .calls import PENDING, invoke, reached, result, state_of, suspend, wake

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    """Workers that say nothing are not given up here."""
    return replace(config, times=config.times._replace(timeout=60.0))


async def release(worker: ManualWorker, start: worker_pb2.ServerMessage) -> None:
    message = message_about(start)
    message.released.SetInParent()
    await worker.send(message)


async def test_a_journal_goes_to_its_version_even_if_other_workers_are_free(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "old", version="v1", slots=2) as old:
        invocation_id = await invoke(control)
        start = await old.receive("start")
        await old.step(start, 0)
        async with ManualWorker(channel, "new", version="v2", slots=100) as new:
            for attempt in (2, 3, 4):
                await release(old, start)
                start = await old.receive("start")
                assert (start.invocation_id, start.attempt) == (invocation_id, attempt)
                assert start.start.version == "v1"
            # An invocation without a journal goes to any worker with a free slot.
            await invoke(control)
            await new.finish(await new.receive("start"))
        await old.finish(start)
        await result(control, invocation_id)


async def test_it_waits_for_its_version_even_if_that_is_full_and_delays_no_other(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "old", version="v1", slots=1) as old:
        waits = await invoke(control)
        start = await old.receive("start")
        await old.step(start, 0)
        await suspend(control, old, start, 1)
        keeps = await invoke(control)
        busy = await old.receive("start")
        assert busy.invocation_id == keeps
        await old.step(busy, 0)
        async with ManualWorker(channel, "new", version="v2", slots=2) as new:
            await wake(control, waits)
            await reached(control, waits, PENDING)
            # Others of the same handler pass it, new ones too.
            for _ in range(3):
                passes = await invoke(control, priority=-5)
                start = await new.receive("start")
                assert start.invocation_id == passes
                await new.finish(start)
            assert (await state_of(control, waits)).state == PENDING
            await old.finish(busy)
            start = await old.receive("start")
            assert (start.invocation_id, start.start.version) == (waits, "v1")
            await old.finish(start)
            await result(control, waits)


@pytest.mark.parametrize("how", ["drains", "leaves", "is lost", "comes back as another version"])
async def test_when_the_last_of_its_version_goes_the_others_will_do(
    how: str, control: Control, channel: grpc.aio.Channel
) -> None:
    old = ManualWorker(channel, "old", version="v1", slots=1)
    async with old, ManualWorker(channel, "other", handlers=("x",)) as _:
        waits = await invoke(control)
        start = await old.receive("start")
        await old.step(start, 0)
        await suspend(control, old, start, 1)
        await invoke(control)
        busy = await old.receive("start")
        async with ManualWorker(channel, "new", version="v2", slots=2) as new:
            await wake(control, waits)
            await reached(control, waits, PENDING)
            if how in ("drains", "leaves"):
                await old.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
            if how == "leaves":
                await release(old, busy)
                await old.half_close()
            if how == "is lost":
                old.disconnect()
            if how == "comes back as another version":
                old.disconnect()
                again = ManualWorker(channel, "old", version="v3", slots=1)
                again.hello.resumed.add(invocation_id=busy.invocation_id, attempt=busy.attempt)
                await again.__aenter__()
            starts = [await new.receive("start")]
            while waits not in [it.invocation_id for it in starts]:
                starts.append(await new.receive("start"))
            [start] = [it for it in starts if it.invocation_id == waits]
            assert start.start.version == "v1"


async def test_what_recorded_nothing_goes_to_anybody(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "old", version="v1", slots=1) as old:
        invocation_id = await invoke(control)
        start = await old.receive("start")
        async with ManualWorker(channel, "new", version="v2", slots=9) as new:
            await release(old, start)
            start = await new.receive("start")
            assert start.invocation_id == invocation_id
            await new.finish(start)


async def test_the_version_that_recorded_counts_not_the_one_that_ran_last(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "new", version="v2", slots=9) as new:
        old = ManualWorker(channel, "old", version="v1", slots=99)
        async with old:
            invocation_id = await invoke(control)
            start = await old.receive("start")
            await old.step(start, 0)
            await old.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
            await release(old, start)
            start = await new.receive("start")
        async with ManualWorker(channel, "old-again", version="v1", slots=1) as again:
            await release(new, start)
            start = await again.receive("start")
            assert start.invocation_id == invocation_id
            await again.finish(start)


async def test_after_a_restart_it_waits_for_a_worker_that_may_come_back(config: Config) -> None:
    """The log knows only of workers that own something; the others have the grace to return."""
    patient = replace(config, times=config.times._replace(grace=10.0))
    async with ControlPlane(patient) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        control = control_pb2_grpc.DurableControlStub(channel)
        async with ManualWorker(channel, "old", version="v1") as old:
            invocation_id = await invoke(control)
            start = await old.receive("start")
            await old.step(start, 0)
            await suspend(control, old, start, 1)
            async with asyncio.timeout(20):
                await plane.router.any().stop()
    async with ControlPlane(patient) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        control = control_pb2_grpc.DurableControlStub(channel)
        async with ManualWorker(channel, "new", version="v2") as new:
            await wake(control, invocation_id)
            await reached(control, invocation_id, PENDING)
            await invoke(control)
            await new.finish(await new.receive("start"))
            async with ManualWorker(channel, "old", version="v1") as old:
                start = await old.receive("start")
                assert start.invocation_id == invocation_id
                await old.finish(start)
