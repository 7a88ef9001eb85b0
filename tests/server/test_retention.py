"""Retention of finished invocations, and trimming of the log below a checkpoint."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, payload_pb2
from durable_server.app import ControlPlane
from durable_server.cluster.metadata import MetadataError
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.core.model import Handler
from durable_server.core.records import (
    AwakeableResolved,
    Finished,
    HandlerRegistered,
    Invoked,
    Started,
    WebhookRevoked,
)
from durable_server.log.interface import LogDataLostError
from durable_server.log.memory import MemoryLog
from durable_server.processor.build import build_processor
from durable_server.processor.clock import VirtualClock
from durable_server.processor.workers import Workers
from durable_server.store.sqlite import SqliteStore
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

from .calls import finish_one, log_bounds

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


async def test_a_finished_invocation_is_removed_after_its_retention(
    plane: ControlPlane, control: Control, channel: grpc.aio.Channel
) -> None:
    worker = ManualWorker(channel)
    worker.hello.handlers[0].retention.FromMilliseconds(50)
    async with worker:
        invocation_id = await finish_one(control, worker)
        changed = asyncio.Event()
        end = plane.router.any().subscriptions.watch(invocation_id, changed)
        async with asyncio.timeout(20):
            await changed.wait()
        end()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.GetResult(control_pb2.GetResultRequest(invocation_id=invocation_id))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        assert stats.total_count == 0


async def test_the_log_is_trimmed_below_a_checkpoint_and_starts_again(config: Config) -> None:
    small = replace(config, limits=config.limits._replace(trim_bytes=100_000))
    async with (
        ControlPlane(small) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        ids = [await finish_one(control, worker, 60_000) for _ in range(4)]
        first, last = await log_bounds(config)
        assert 1 < first <= last
    async with (
        ControlPlane(small) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        for invocation_id in ids:
            await control.GetResult(control_pb2.GetResultRequest(invocation_id=invocation_id))
        await finish_one(control, worker)
    # Without the store, the trimmed log is incomplete: the start must fail, not guess.
    for path in config.data_dir.glob("partition-0.db*"):
        path.unlink()
    with pytest.raises(LogDataLostError):
        async with ControlPlane(small):
            pass


async def test_a_log_that_went_back_is_refused(config: Config) -> None:
    async with (
        ControlPlane(config) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        await finish_one(control_pb2_grpc.DurableControlStub(channel), worker)
    (config.data_dir / "nats").rename(config.data_dir / "lost")
    with pytest.raises(MetadataError, match=r"none of its 1 log.* If the logs are lost"):
        async with ControlPlane(config):
            pass


async def test_sweeps_follow_each_other_while_more_is_due() -> None:
    """The clock stands still once all have expired: the next sweep must not wait for a timer."""
    clock = VirtualClock(1_700_000_000_000)
    store = SqliteStore(":memory:")
    processor = build_processor(MemoryLog(), store, Limits(), clock, Workers())
    await processor.start("leader")
    await processor.inputs.propose(HandlerRegistered(Handler("three", retention_ms=60_000)))
    outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"1")).SerializeToString()
    ids = [f"{number:032x}" for number in range(3_000)]
    for invocation_id in ids:
        processor.inputs.submit(Invoked(invocation_id, "three", None))
        processor.inputs.submit(Started(invocation_id, 1, "worker", "v1"))
        processor.inputs.submit(Finished(invocation_id, 1, outcome, None))
    kept = "f" * 32
    await processor.inputs.propose(Invoked(kept, "three", None))
    assert len(store.expired(clock.now_ms() + 60_000, 10_000)) == len(ids)
    gone = [asyncio.Event() for _ in (ids[0], ids[-1])]
    processor.subscriptions.watch(ids[0], gone[0])
    processor.subscriptions.watch(ids[-1], gone[1])
    while clock.move(1_700_000_000_000 + 60_500):
        pass
    async with asyncio.timeout(20):
        for event in gone:
            await event.wait()
        while store.next_expiry(0, 0):  # noqa: ASYNC110  # the last removal may be of another one
            await asyncio.sleep(0)
    assert sum(count for _, _, count in store.counts()) == 1
    assert store.load(kept) is not None
    await processor.stop()
    store.close()


async def test_a_revocation_outlives_an_early_outcome_and_every_url() -> None:
    start, day = 1_700_000_000_000, 24 * 3600 * 1000
    clock = VirtualClock(start)
    store = SqliteStore(":memory:")
    limits = Limits(webhook_seconds=3 * 24 * 3600)
    processor = build_processor(MemoryLog(), store, limits, clock, Workers())
    await processor.start("leader")
    await processor.inputs.propose(WebhookRevoked("order-1", "order-1#1"))
    await processor.inputs.propose(AwakeableResolved("order-1", b"early"))

    def moved_past(ms: int) -> bool:
        """Moves the clock past a time; returns whether nothing of that time is kept any more."""
        while clock.move(ms + 20_000):
            pass
        due = store.next_expiry(day, 3 * day)
        return due == 0 or due > ms + 20_000

    await eventually(lambda: moved_past(start + day))
    kept = store.awakeable("order-1")
    assert kept is not None
    assert (kept.outcome, kept.revoked) == (None, ("order-1#1",))
    await eventually(lambda: moved_past(kept.created_ms + 3 * day))
    assert store.awakeable("order-1") is None
    await processor.stop()
    store.close()
