"""ExportInvocation: the very Start that a worker gets, from every partition, also after the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2
from durable_server.config import Config
from tests.support.manual_worker import ManualWorker, message_about, open_entry

from .calls import COMPLETED, PENDING, invoke, reached, reason
from .partitioned import KEYS, PARTITIONS

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, partitions=PARTITIONS)


async def _export(control: Control, invocation_id: str) -> control_pb2.ExportInvocationResponse:
    request = control_pb2.ExportInvocationRequest(invocation_id=invocation_id)
    return await control.ExportInvocation(request)


@pytest.mark.parametrize("key", KEYS)
async def test_an_export_has_what_the_worker_got(
    control: Control, channel: grpc.aio.Channel, key: str
) -> None:
    async with ManualWorker(channel) as worker:
        headers = {"traceparent": "00-1", "for": "whom"}
        invocation_id = await invoke(
            control, partition_key=key, headers=headers, service="shop", idempotency_key="once"
        )
        first = await worker.receive("start")
        await worker.step(first, 0, b'"charged"', "charge")
        await worker.send(open_entry(first, 1, "AWAKEABLE", f"{invocation_id}.paid"))
        await worker.receive("ack")
        await worker.send(open_entry(first, 2, "SET_STATE", "n", argument=b"8"))
        await worker.receive("ack")
        failed = message_about(first)
        failed.attempt_failed.failure.type = "ValueError"
        failed.attempt_failed.failure.message = "no stock"
        failed.attempt_failed.index = 3
        failed.attempt_failed.kind = invocation_pb2.ENTRY_KIND_RUN
        failed.attempt_failed.name = "reserve"
        failed.attempt_failed.retry_delay.FromMilliseconds(1)
        await worker.send(failed)
        second = await worker.receive("start")
        found = await _export(control, invocation_id)
        assert found.start == second.start
        assert len(found.start.journal) == 3
        assert found.start.state["n"].data == b"8"
        assert found.start.last_failure.message == "no stock"
        assert found.start.step_failures == {3: 1}
        assert found.invocation.invocation_id == invocation_id
        assert found.invocation.attempt == 2
        assert found.invocation.failing_steps[0].name == "reserve"
        assert [it.attempt for it in found.invocation.attempts] == [1, 2]
        assert found.server_version
        assert found.export_time.seconds >= found.start.start_time.seconds

        await worker.finish(second)
        await reached(control, invocation_id, COMPLETED)
        ended = await _export(control, invocation_id)
        assert [it.name for it in ended.start.journal] == ["charge", f"{invocation_id}.paid", "n"]
        assert ended.invocation.outcome.value.data == b'"done"'


async def test_one_that_has_not_begun_is_exported_too(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        await invoke(control)
        await worker.receive("start")
        invocation_id = await invoke(control)
        found = await _export(control, invocation_id)
    assert found.invocation.state == PENDING
    assert found.start.handler == "three"
    assert found.start.input.data == b'"in"'
    assert found.start.version == ""


async def test_the_version_that_has_written_the_journal_is_told_in_the_first_attempt_too(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, version="v7") as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0)
        assert (await _export(control, invocation_id)).start.version == "v7"


async def test_an_unknown_invocation_is_not_found(control: Control) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _export(control, "0" * 32)
    assert reason(caught.value)[0] == "INVOCATION_NOT_FOUND"
