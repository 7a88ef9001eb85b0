"""ListPatches: which live journals need which branch, over partitions and builds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.config import Config
from tests.support.manual_worker import ManualWorker, open_entry

from .calls import COMPLETED, reached, state_of
from .partitioned import PARTITIONS, invoke_in

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


@pytest.fixture
def config(config: Config) -> Config:
    """Workers that say nothing are not given up here."""
    return replace(config, times=config.times._replace(timeout=60.0), partitions=PARTITIONS)


async def listed(control: Control, handler: str = "") -> dict[str, control_pb2.Patch]:
    response = await control.ListPatches(control_pb2.ListPatchesRequest(handler=handler))
    assert not response.missing_partitions
    assert len({(it.handler, it.name) for it in response.patches}) == len(response.patches)
    return {it.name: it for it in response.patches}


async def begun(
    control: Control,
    channel: grpc.aio.Channel,
    build: str,
    partition: int,
    *kinds: str,
    end: bool = False,
    handler: str = "three",
) -> str:
    """Has a worker of a build begin an invocation, with entries like `PATCH tax`."""
    worker = ManualWorker(channel, f"worker-{build}", handlers=(handler,))
    worker.hello.build_id = build
    async with worker:
        invocation_id = await invoke_in(control, partition, handler)
        start = await worker.receive("start")
        assert start.invocation_id == invocation_id
        for index, kind in enumerate(kinds):
            await worker.send(open_entry(start, index, *kind.split()))
            await worker.receive("ack")
        if end:
            await worker.finish(start)
            await reached(control, invocation_id, COMPLETED)
        else:
            # Parked, so that no other worker of this test gets it.
            await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
    return invocation_id


async def test_a_journal_needs_the_branch_that_it_has_taken(
    control: Control, channel: grpc.aio.Channel
) -> None:
    old = [await begun(control, channel, "v1", it % PARTITIONS, "SIGNAL go") for it in range(3)]
    assert await listed(control) == {}
    await begun(control, channel, "v1", 0)  # without a journal it needs neither branch
    ended = await begun(control, channel, "v1", 0, "SIGNAL go", end=True)
    other = await begun(control, channel, "v2", 1, "PATCH tax", handler="other")
    for partition in (0, 2):
        await begun(control, channel, "v2", partition, "SIGNAL go", "PATCH tax")
    done = await begun(control, channel, "v3", 2, "PATCH tax", "PATCH voucher", end=True)
    # Its build asks, so it has not come to the question yet.
    await begun(control, channel, "v2", 1, "SIGNAL go")
    found = await listed(control, "three")
    assert [*found] == ["tax", "voucher"]
    tax = found["tax"]
    assert (tax.handler, list(tax.build_ids)) == ("three", ["v2", "v3"])
    assert (tax.applied_count, tax.unapplied_count, tax.deprecated) == (2, 3, False)
    assert list(tax.unapplied_invocation_ids) == sorted(old)
    assert tax.HasField("first_time")
    assert (found["voucher"].applied_count, found["voucher"].unapplied_count) == (0, 6)
    response = await control.ListPatches(control_pb2.ListPatchesRequest())
    assert [(it.handler, it.name) for it in response.patches] == [
        ("other", "tax"),
        ("three", "tax"),
        ("three", "voucher"),
    ]
    assert (response.patches[0].applied_count, response.patches[0].unapplied_count) == (1, 0)
    assert not {ended, other, done} & {*tax.unapplied_invocation_ids}
    journal = (
        await control.GetInvocation(
            control_pb2.GetInvocationRequest(invocation_id=done, include_journal=True)
        )
    ).invocation.journal
    assert [(it.name, it.build_id, it.target_invocation_id) for it in journal] == [
        ("tax", "v3", ""),
        ("voucher", "v3", ""),
    ]
    assert all(it.HasField("complete_time") and not it.completion_number for it in journal)


async def test_a_journal_that_was_moved_to_a_build_that_asks_has_gone_by_before(
    control: Control, channel: grpc.aio.Channel
) -> None:
    """That is what a repin to code with a patch does, and a copy of the journal is the same."""
    moved = await begun(control, channel, "v1", 0, "SIGNAL go", "PATCH other")
    await begun(control, channel, "v2", 1, "SIGNAL go", "PATCH tax")
    await control.Repin(control_pb2.RepinRequest(invocation_id=moved, build_id="v2"))
    assert (await listed(control))["tax"].unapplied_invocation_ids == [moved]
    copy = control_pb2.RestartRequest(invocation_id=moved, from_index=2, while_running=True)
    fork = await control.Restart(copy)
    tax = (await listed(control))["tax"]
    assert set(tax.unapplied_invocation_ids) == {moved, fork.invocation_id}


async def test_a_deprecated_patch_needs_no_call(
    control: Control, channel: grpc.aio.Channel
) -> None:
    await begun(control, channel, "v3", 0, "DEPRECATED_PATCH tax")
    found = (await listed(control))["tax"]
    assert (found.applied_count, found.unapplied_count, found.deprecated) == (0, 0, True)
    await begun(control, channel, "v2", 1, "PATCH tax")
    await begun(control, channel, "v3", 2, "SIGNAL go")
    found = (await listed(control))["tax"]
    assert (found.applied_count, found.unapplied_count, found.deprecated) == (1, 0, True)


async def test_a_journal_of_a_worker_without_a_build_may_need_either_branch(
    control: Control, channel: grpc.aio.Channel
) -> None:
    await begun(control, channel, "", 0, "PATCH tax")
    unknown = [await begun(control, channel, "", it % 3, "SIGNAL go") for it in range(12)]
    found = (await listed(control))["tax"]
    assert list(found.build_ids) == [""]
    assert (found.applied_count, found.unapplied_count) == (1, 12)
    named = list(found.unapplied_invocation_ids)
    assert len(named) == 10
    assert {*named} < {*unknown}


async def test_a_new_run_has_no_patches_of_the_one_before(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke_in(control, 0)
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "PATCH", "tax"))
        await worker.receive("ack")
        message = open_entry(start, 0, "PATCH", "tax")
        message.ClearField("entry")
        message.continued.next_index = 1
        await worker.send(message)
        again = await worker.receive("start")
        assert again.start.first_index == 1
        assert await listed(control) == {}
        assert (await state_of(control, invocation_id)).run == 2
