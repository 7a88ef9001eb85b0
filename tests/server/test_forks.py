"""Forks over control.proto and worker.proto: what the new invocation's worker gets, and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from tests.support.manual_worker import ManualWorker, open_entry, sleep_entry

from .calls import invoke, reached, reason, result, state_of

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

EXCLUSIVE = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
PENDING = invocation_pb2.INVOCATION_STATE_PENDING
SUSPENDED = invocation_pb2.INVOCATION_STATE_SUSPENDED


def value(data: bytes) -> payload_pb2.Outcome:
    return payload_pb2.Outcome(value=payload_pb2.Payload(data=data))


def failure(text: str) -> payload_pb2.Outcome:
    return payload_pb2.Outcome(
        failure=payload_pb2.Failure(type="durable.Edited", message=text, terminal=True)
    )


async def fork(control: Control, source: str, before: int, **fields: object) -> str:
    """Forks an invocation that may go on; returns the new id."""
    request = control_pb2.RestartRequest(
        invocation_id=source,
        from_index=before,
        while_running=True,
        **fields,  # type: ignore[arg-type]  # any field of the message
    )
    return (await control.Restart(request)).invocation_id


async def test_a_fork_of_one_that_runs_begins_as_that_did(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        source = await invoke(control)
        start = await worker.receive("start")
        for index in range(2):
            await worker.step(start, index, b"%d" % index)
        await worker.send(sleep_entry(start, 2, 3600))
        await worker.receive("ack")
        outcomes = {0: value(b'"edited"'), 1: failure("no")}
        first = await fork(control, source, 3, outcomes=outcomes, request_id="r-1")
        assert await fork(control, source, 3, outcomes=outcomes, request_id="r-1") == first
        again = await worker.receive("start")
        assert again.invocation_id == first
        # The open entry is left out. Start time and random numbers are those of the source.
        assert [it.outcome for it in again.start.journal] == [value(b'"edited"'), failure("no")]
        assert again.start.random_seed == start.start.random_seed
        assert again.start.start_time == start.start.start_time
        found = await state_of(control, first)
        assert (found.source_invocation_id, found.source_index) == (source, 3)
        assert (await state_of(control, source)).journal_length == 3

        # A fork of the fork has them too; one without entries begins anew.
        second = await fork(control, first, 1)
        once_more = await worker.receive("start")
        assert once_more.invocation_id == second
        assert once_more.start.random_seed == start.start.random_seed
        anew = await fork(control, source, 0, input=payload_pb2.Payload(data=b"7"))
        other = await worker.receive("start")
        assert (other.invocation_id, other.start.input.data) == (anew, b"7")
        assert other.start.random_seed != start.start.random_seed
        assert (await state_of(control, anew)).source_index == 0


async def test_what_cannot_be_forked_is_refused_with_the_field(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        source = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0)
        await worker.send(open_entry(start, 1, "AWAKEABLE", "approval"))
        await worker.receive("ack")
        plain = control_pb2.RestartRequest(invocation_id=source, from_index=1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Restart(plain)
        assert reason(caught.value)[0] == "INVALID_STATE"
        for before, edited, field, words in (
            (3, 0, "from_index", "the journal has the entries 0 to 1: use 1 to 2"),
            (-1, 0, "from_index", "the journal has the entries 0 to 1: use 1 to 2"),
            (1, 1, "outcomes", "entry 1 is not kept, because from_index is 1"),
            (2, 1, "outcomes", "entry 1, AWAKEABLE 'approval', is not complete, so it is not kept"),
            (2, -7, "outcomes", "there is no entry -7 in the journal"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await fork(control, source, before, outcomes={edited: value(b"1")})
            kind, facts = reason(caught.value)
            assert (kind, facts["field"], facts["problem"]) == ("INVALID_FIELD", field, words)
        for outcome, kind in (
            (payload_pb2.Outcome(), "INVALID_FIELD"),
            (value(b"1" * (1024 * 1024 + 1)), "PAYLOAD_TOO_LARGE"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await fork(control, source, 1, outcomes={0: outcome})
            found, facts = reason(caught.value)
            assert (found, facts["field"].partition(".")[0]) == (kind, "outcomes[0]")
        assert not (
            await control.Query(control_pb2.QueryRequest(parent_invocation_id=source))
        ).invocations


async def test_edited_outcomes_count_in_the_journal(config: Config) -> None:
    limits = Limits(journal_bytes=2000)
    async with (
        ControlPlane(replace(config, limits=limits)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        source = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0, b"1" * 500)
        with pytest.raises(grpc.aio.AioRpcError, match=r"the limit journal_bytes \(2000\)"):
            await fork(control, source, 1, outcomes={0: value(b"1" * 1900)})
        await fork(control, source, 1, outcomes={0: value(b"1" * 1000)})
        again = await worker.receive("start")
        await worker.step(again, 1, b"1" * 900)


async def test_a_fork_goes_to_the_version_that_wrote_the_journal(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "old", version="v1", slots=3) as old:
        source = await invoke(control)
        start = await old.receive("start")
        await old.step(start, 0, b"1")
        async with ManualWorker(channel, "new", version="v2", slots=100):
            first = await fork(control, source, 1)
            again = await old.receive("start")
            assert (again.invocation_id, again.start.version) == (first, "v1")
            second = await fork(control, first, 1)
            assert (await old.receive("start")).invocation_id == second


async def test_a_fork_of_an_object_waits_for_its_key(
    control: Control, channel: grpc.aio.Channel
) -> None:
    worker = ManualWorker(channel)
    worker.hello.handlers.add(name="cart.add", kind=EXCLUSIVE)
    async with worker:
        source = await invoke(control, "cart.add", key="k")
        start = await worker.receive("start")
        await worker.step(start, 0, b"1")
        forked = await fork(control, source, 1)
        assert (await state_of(control, forked)).state == PENDING
        await worker.finish(start)
        again = await worker.receive("start")
        assert (again.invocation_id, len(again.start.journal)) == (forked, 1)
        await worker.finish(again)
        await result(control, forked)


async def test_a_copied_awakeable_is_resolved_and_another_one_is_not(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        source = await invoke(control)
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "AWAKEABLE", f"{source}-0"))
        await worker.receive("ack")
        request = control_pb2.ResolveAwakeableRequest(
            awakeable_id=f"{source}-0", outcome=value(b'"yes"')
        )
        await control.ResolveAwakeable(request)
        await worker.receive("completion")
        forked = await fork(control, source, 1, outcomes={0: value(b'"no"')})
        again = await worker.receive("start")
        assert again.start.journal[0].name == f"{forked}-0"
        late = control_pb2.ResolveAwakeableRequest(
            awakeable_id=f"{forked}-0", outcome=value(b'"yes"')
        )
        with pytest.raises(grpc.aio.AioRpcError, match="has another outcome"):
            await control.ResolveAwakeable(late)
        late.outcome.CopyFrom(value(b'"no"'))
        assert (await control.ResolveAwakeable(late)).repeated


async def test_what_a_cancellation_has_started_is_not_copied(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        source = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0)
        await control.Cancel(control_pb2.CancelRequest(invocation_id=source))
        await worker.receive("cancel_requested")
        await worker.step(start, 1)
        with pytest.raises(
            grpc.aio.AioRpcError, match="started after the invocation was cancelled"
        ):
            await fork(control, source, 2)
        await fork(control, source, 1)
        again = await worker.receive("start")
        assert not again.start.HasField("cancel_requested")


async def test_without_a_source_or_after_its_end(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        source = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0, b"1")
        await worker.finish(start)
        await result(control, source)
        forked = await fork(control, source, 1, outcomes={0: value(b"2")}, request_id="once")
        await worker.receive("start")
        await reached(control, forked, invocation_pb2.INVOCATION_STATE_RUNNING)
        await control.Purge(control_pb2.PurgeRequest(invocation_id=source))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fork(control, source, 1)
        assert reason(caught.value)[0] == "INVOCATION_NOT_FOUND"
        assert (await state_of(control, forked)).source_invocation_id == source
