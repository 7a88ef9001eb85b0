"""Requests to a control plane with three partitions: each reaches the partition that it is about."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core import ids
from tests.support.manual_worker import ManualWorker, open_entry
from tests.support.waiting import eventually

from .calls import COMPLETED, reached, reason
from .partitioned import DOORS, KEYS, PARTITIONS, invoke_in

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, partitions=PARTITIONS)


@pytest.mark.parametrize("key", KEYS)
async def test_the_state_of_a_key_is_where_its_invocations_are(
    control: Control, channel: grpc.aio.Channel, key: str
) -> None:
    worker = ManualWorker(channel, handlers=("cart.add",))
    worker.hello.handlers[0].kind = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
    async with worker:
        edit = control_pb2.SetStateRequest(object="cart", key=key)
        edit.state["n"].data = b"7"
        await control.SetState(edit)
        request = control_pb2.InvokeRequest(handler="cart.add", key=key, idempotency_key="once")
        invocation_id = (await control.Invoke(request)).invocation_id
        start = await worker.receive("start")
        assert start.start.state["n"].data == b"7"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.SetState(edit)
        assert reason(caught.value)[0] == "INVALID_STATE"
        assert invocation_id in (caught.value.details() or "")
        await worker.send(open_entry(start, 0, "SET_STATE", "n", argument=b"8"))
        await worker.receive("ack")
        await worker.finish(start)
        await reached(control, invocation_id, COMPLETED)
        shown = await control.GetState(control_pb2.GetStateRequest(object="cart", key=key))
        assert shown.state["n"].data == b"8"


async def test_a_restart_stays_in_its_partition(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        for index in range(PARTITIONS):
            invocation_id = await invoke_in(control, index)
            await worker.finish(await worker.receive("start"))
            await reached(control, invocation_id, COMPLETED)
            request = control_pb2.RestartRequest(invocation_id=invocation_id, request_id="again")
            made = {(await control.Restart(request)).invocation_id for _ in range(2)}
            restarted = await worker.receive("start")
            assert made == {restarted.invocation_id}
            assert ids.partition(restarted.invocation_id, PARTITIONS) == index
            await worker.finish(restarted)
            await reached(control, restarted.invocation_id, COMPLETED)


async def test_a_value_is_checked_against_a_schema_in_another_partition(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await invoke_in(control, 0)
        waits = await worker.receive("start")
        await invoke_in(control, 1)
        gives = await worker.receive("start")
        # One has an id of the user's own choice and lives in partition 2, the other is its own.
        for index, name in enumerate((DOORS[2], f"{waits.invocation_id}-1")):
            entry = open_entry(waits, index, "AWAKEABLE", name)
            entry.entry.schema = '{"type": "integer"}'
            await worker.send(entry)
            await worker.receive("ack")
            # The other partition knows the schema when the claim has arrived there.
            await eventually(partial(_shows, control, waits.invocation_id, name))
            await worker.send(open_entry(gives, index, "RESOLVE", name, argument=b'"no number"'))
            await worker.receive("ack")
            refused = (await worker.receive("completion")).completion.outcome.failure
            assert refused.type == "durable.InvalidValue"
            assert "is not of type 'integer'" in refused.message


async def test_a_signal_is_checked_against_a_schema_in_another_partition(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await invoke_in(control, 0)
        waits = await worker.receive("start")
        await invoke_in(control, 1)
        gives = await worker.receive("start")
        entry = open_entry(waits, 0, "SIGNAL", "paid")
        entry.entry.schema = '{"type": "integer"}'
        await worker.send(entry)
        await worker.receive("ack")
        for index, value in enumerate((b'"no number"', b"7")):
            given = open_entry(gives, index, "RESOLVE", "paid", argument=value)
            given.entry.target = waits.invocation_id
            await worker.send(given)
            await worker.receive("ack")
            first = await worker.receive("completion")
            if index == 0:
                assert first.invocation_id == gives.invocation_id
                assert first.completion.outcome.failure.type == "durable.InvalidValue"
                assert "is not of type 'integer'" in first.completion.outcome.failure.message
        # The value that fits reaches the program, and its sender is told so.
        both = [first, await worker.receive("completion")]
        got = {it.invocation_id: it.completion.outcome.value.data for it in both}
        assert got == {waits.invocation_id: b"7", gives.invocation_id: b"null"}


async def test_a_signal_that_is_sent_again_is_not_checked_against_the_next_wait(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke_in(control, 0)
        waits = await worker.receive("start")
        for index, kind in enumerate(("integer", "string")):
            entry = open_entry(waits, index, "SIGNAL", "paid")
            entry.entry.schema = f'{{"type": "{kind}"}}'
            await worker.send(entry)
            await worker.receive("ack")
        request = control_pb2.SignalRequest(
            invocation_id=invocation_id, name="paid", request_id="once"
        )
        request.outcome.value.data = b"7"
        for _ in range(2):
            await control.Signal(request)
        assert (await worker.receive("completion")).completion.index == 0
        request.request_id = "twice"
        with pytest.raises(grpc.aio.AioRpcError):
            await control.Signal(request)


async def _shows(control: Control, invocation_id: str, awakeable_id: str) -> bool:
    request = control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
    found = (await control.GetInvocation(request)).invocation
    return awakeable_id in {it.awakeable_id for it in found.awakeables}


async def test_admission_counts_the_requests_of_all_partitions(config: Config) -> None:
    limits = config.limits._replace(admission=PARTITIONS)
    async with (
        ControlPlane(replace(config, limits=limits)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel, slots=1),
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        made = [await invoke_in(control, index) for index in range(PARTITIONS)]
        calls = [
            control.GetResult(
                control_pb2.GetResultRequest(invocation_id=it, wait_timeout=Duration(seconds=20))
            )
            for it in made * 2
        ]
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(_answer(call)) for call in calls],
            return_when=asyncio.FIRST_COMPLETED,
        )
        error = done.pop().result()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert reason(error) == ("LIMIT_REACHED", {"limit": "admission", "value": str(PARTITIONS)})
        for call in calls:
            call.cancel()


async def _answer(call: grpc.aio.UnaryUnaryCall[object, object]) -> object:
    try:
        return await call
    except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
        return error
