"""Valid but very large requests: they may be slow, and break neither a worker nor the control plane."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2
from durable_server.app import ControlPlane
from tests.support.manual_worker import ManualWorker, message_about

from .calls import invoke, reached, reason, result, state_of

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

Invoke = control_pb2.InvokeRequest
BACKING_OFF = invocation_pb2.INVOCATION_STATE_BACKING_OFF


async def test_many_requests_with_large_headers(
    control: Control, channel: grpc.aio.Channel, plane: ControlPlane
) -> None:
    """More than one frame of the log can hold, all at once."""
    async with ManualWorker(channel, slots=1):
        headers = {"h": "x" * 8_000}
        asked = [control.Invoke(Invoke(handler="three", headers=headers)) for _ in range(1_200)]
        ids = {it.invocation_id for it in await asyncio.gather(*asked)}
        assert len(ids) == 1_200
        assert not plane.ended.done()


async def test_a_state_with_very_many_names_is_refused(
    control: Control, channel: grpc.aio.Channel
) -> None:
    worker = ManualWorker(channel)
    worker.hello.handlers.add(name="cart.add", kind=invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE)
    async with worker:
        names = [f"{number:0250d}" for number in range(20_000)]
        asked = control_pb2.SetStateRequest(object="cart", key="k", cleared_names=names)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.SetState(asked)
        assert reason(caught.value)[0] == "INVALID_FIELD"
        assert "batch_bytes" in (caught.value.details() or "")
        assert await invoke(control)


async def test_many_handlers_with_large_schemas(
    control: Control, channel: grpc.aio.Channel
) -> None:
    worker = ManualWorker(channel)
    for number in range(30):
        worker.hello.handlers.add(name=f"h{number}", input_schema="x" * 60_000)
    async with worker:
        assert await invoke(control, "h29")


async def test_failures_of_any_length(control: Control, channel: grpc.aio.Channel) -> None:
    """They are shortened in lists and logs, and kept whole in the outcome."""
    async with ManualWorker(channel) as worker:
        retried, failed = await invoke(control), await invoke(control)
        starts = {it.invocation_id: it for it in [await worker.receive("start") for _ in range(2)]}
        message = message_about(starts[retried])
        message.attempt_failed.failure.message = "m" * 3_000_000
        message.attempt_failed.failure.stack_trace = "s" * 900_000
        message.attempt_failed.retry_delay.FromSeconds(3600)
        await worker.send(message)
        found = await reached(control, retried, BACKING_OFF)
        assert 1_000 < len(found.last_failure.message) <= 8_000
        message = message_about(starts[failed])
        message.finished.outcome.failure.message = "m" * 60_000
        await worker.send(message)
        outcome = (await result(control, failed)).outcome
        assert outcome.failure.message == "m" * 60_000


async def test_no_handler_keeps_a_slot_from_another(
    control: Control, channel: grpc.aio.Channel
) -> None:
    """Who waits longest goes first, whatever the handler; a higher priority goes before."""
    worker = ManualWorker(channel, slots=1)
    worker.hello.handlers.add(name="other")
    async with worker:
        await invoke(control)
        start = await worker.receive("start")
        waiting = [
            await invoke(control),
            await invoke(control, "other"),
            await invoke(control),
            await invoke(control, "other", priority=1),
        ]
        order = []
        for _ in waiting:
            await worker.finish(start)
            start = await worker.receive("start")
            order.append(waiting.index(start.invocation_id))
        assert order == [3, 0, 1, 2]


async def test_pausing_and_resuming_what_waits_leaves_one_place(
    control: Control, channel: grpc.aio.Channel
) -> None:
    worker = ManualWorker(channel, slots=1)
    async with worker:
        await invoke(control)
        start = await worker.receive("start")
        waits = await invoke(control)
        for _ in range(50):
            await control.Pause(control_pb2.PauseRequest(invocation_id=waits))
            await control.Resume(control_pb2.ResumeRequest(invocation_id=waits))
        await worker.finish(start)
        start = await worker.receive("start")
        assert start.invocation_id == waits
        await worker.finish(start, b'"once"')
        ended = await result(control, waits)
        assert ended.outcome.value == payload_pb2.Payload(data=b'"once"')
        assert (await state_of(control, waits)).attempt == 1
