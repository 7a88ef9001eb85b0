"""The worker protocol, message by message: each test is a paragraph of worker.proto."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.manual_worker import (
    ManualWorker,
    message_about,
    open_entry,
    sleep_entry,
    step_entry,
)

from .calls import (
    COMPLETED,
    FAILED,
    PAUSED,
    PENDING,
    SUSPENDED,
    invoke,
    reached,
    result,
    state_of,
    wake,
)

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub


async def test_three_steps(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        assert worker.welcome.protocol_version == 1
        assert worker.welcome.epoch == 1
        assert worker.welcome.limits["payload_bytes"] == 64 * 1024
        invocation_id = await invoke(control, headers={"a": "b"}, service="S", partition_key="p")
        start = await worker.receive("start")
        assert (start.invocation_id, start.attempt) == (invocation_id, 1)
        assert start.start.handler == "three"
        assert start.start.input.data == b'"in"'
        assert dict(start.start.headers) == {"a": "b"}
        assert (start.start.service, start.start.partition_key) == ("S", "p")
        assert not start.start.journal
        numbers = [(await worker.step(start, index)).completion_number for index in (1, 0, 2)]
        assert numbers == [1, 2, 3]
        await worker.finish(start)
        found = await result(control, invocation_id)
    assert found.state == COMPLETED
    assert found.outcome.value.data == b'"done"'
    assert [(it.index, it.completion_number) for it in found.journal] == [(0, 2), (1, 1), (2, 3)]


async def test_a_duplicate_is_acknowledged_alike_and_recorded_once(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        first = await worker.step(start, 0, b'"one"')
        second = await worker.step(start, 0, b'"two"')
        assert second == first
        await worker.finish(start)
        found = await result(control, invocation_id)
    assert [it.outcome.value.data for it in found.journal] == [b'"one"']


async def test_a_step_began_when_the_worker_says_but_not_before_its_invocation(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        # The range of a valid Duration, and values beyond it that the message can hold.
        absurd = (Duration(seconds=315_576_000_000), Duration(seconds=2**63 - 1))
        for index, elapsed in enumerate((None, Duration(seconds=-5), Duration(nanos=999), *absurd)):
            message = step_entry(start, index, b'"x"')
            if elapsed is not None:
                message.entry.elapsed.CopyFrom(elapsed)
            await worker.send(message)
            assert (await worker.receive("ack")).ack.completion_number == index + 1
        await worker.send(sleep_entry(start, 5, 20))
        await worker.receive("ack")
        await worker.receive("completion")  # so old it is now, at least
        message = step_entry(start, 6, b'"x"')
        message.entry.elapsed.FromMicroseconds(20_999)
        await worker.send(message)
        await worker.receive("ack")
        await worker.finish(start)
        journal = (await result(control, invocation_id)).journal
        created = (await state_of(control, invocation_id)).create_time
    for it in journal[:3]:
        assert it.create_time == it.complete_time
    for it in journal[3:5]:
        assert it.create_time == created
    last = journal[6]
    assert last.complete_time.ToMilliseconds() - last.create_time.ToMilliseconds() == 20


async def test_a_failed_attempt_is_replayed(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0, b'"one"', "first")
        failed = message_about(start)
        failed.attempt_failed.failure.type = "ValueError"
        failed.attempt_failed.failure.message = "no"
        failed.attempt_failed.retry_delay.FromMilliseconds(1)
        await worker.send(failed)
        again = await worker.receive("start")
        assert (again.invocation_id, again.attempt) == (invocation_id, 2)
        assert again.start.start_time == start.start.start_time
        assert again.start.random_seed == start.start.random_seed
        assert again.start.version == "v1"
        assert again.start.last_failure.message == "no"
        (kept,) = again.start.journal
        assert (kept.index, kept.name, kept.completion_number) == (0, "first", 1)
        assert kept.outcome.value.data == b'"one"'
        assert kept.HasField("complete_time")
        # Messages of the first attempt do not count any more.
        await worker.send(step_entry(start, 1, b'"late"'))
        assert (await worker.step(again, 1, b'"two"')).completion_number == 2
        await worker.finish(again)
        found = await result(control, invocation_id)
    assert [it.outcome.value.data for it in found.journal] == [b'"one"', b'"two"']


async def test_a_lost_worker_s_work_goes_to_another(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "first") as first:
        invocation_id = await invoke(control)
        start = await first.receive("start")
        await first.step(start, 0)
        first.disconnect()
        async with ManualWorker(channel, "second") as second:
            again = await second.receive("start")
            assert (again.invocation_id, again.attempt) == (invocation_id, 2)
            assert len(again.start.journal) == 1
            await second.finish(again)
            assert (await result(control, invocation_id)).state == COMPLETED


async def test_a_reconnect_takes_its_work_up(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as first:
        kept = await invoke(control)
        start = await first.receive("start")
        await first.step(start, 0)
        await first.send(sleep_entry(start, 1, 1))
        await first.receive("ack")
        assert (await first.receive("completion")).completion.completion_number == 2
        dropped = await invoke(control)
        lost = await first.receive("start")
        assert lost.invocation_id == dropped
        first.disconnect()
    second = ManualWorker(channel)
    second.hello.resumed.add(invocation_id=kept, attempt=1)
    second.hello.resumed.add(invocation_id="0" * 32, attempt=3)
    async with second:
        # The server repeats what the worker may have missed, and takes away attempts it does not own.
        told = await second.receive("completion")
        assert (told.completion.index, told.completion.completion_number) == (1, 2)
        assert (await second.receive("abandon")).invocation_id == "0" * 32
        again = await second.receive("start")
        assert (again.invocation_id, again.attempt) == (dropped, 2)
        # The kept attempt continues.
        assert (await second.step(start, 0)).completion_number == 1
        assert (await second.step(start, 2)).completion_number == 3
        await second.finish(start)
        assert (await result(control, kept)).state == COMPLETED


async def test_leaving_gives_the_rest_to_others_at_once(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "first") as first, ManualWorker(channel, "second") as second:
        await second.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
        invocation_id = await invoke(control)
        start = await first.receive("start")
        await first.step(start, 0)
        third = ManualWorker(channel, "third")
        await first.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining()))
        await first.half_close()
        async with third:
            again = await third.receive("start")
            assert (again.invocation_id, again.attempt) == (invocation_id, 2)


async def test_released_work_is_started_anew(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        released = message_about(start)
        released.released.SetInParent()
        await worker.send(released)
        again = await worker.receive("start")
        assert (again.invocation_id, again.attempt) == (invocation_id, 2)


async def test_suspension_and_wake_up(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "SIGNAL", "go"))
        await worker.receive("ack")
        suspend = message_about(start)
        suspend.suspend.completion_number = 0
        await worker.send(suspend)
        assert (await worker.receive("suspended")).invocation_id == invocation_id
        assert (await state_of(control, invocation_id)).state == SUSPENDED
        # It uses no slot while it waits.
        other = await invoke(control)
        beside = await worker.receive("start")
        assert beside.invocation_id == other
        await worker.finish(beside)
        await wake(control, invocation_id)
        again = await worker.receive("start")
        assert (again.invocation_id, again.attempt) == (invocation_id, 2)
        assert again.start.journal[0].completion_number == 1
        await worker.finish(again)
        assert (await result(control, invocation_id)).state == COMPLETED


async def test_a_suspension_that_comes_too_late_is_not_answered(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await invoke(control)
        start = await worker.receive("start")
        await worker.send(sleep_entry(start, 0, 1))
        await worker.receive("ack")
        await worker.receive("completion")
        suspend = message_about(start)
        suspend.suspend.completion_number = 0
        await worker.send(suspend)
        assert (await worker.step(start, 1)).completion_number == 2


async def test_slots_bound_what_is_sent(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, slots=2) as worker:
        ids = [await invoke(control) for _ in range(4)]
        starts = [await worker.receive("start") for _ in range(2)]
        assert [it.invocation_id for it in starts] == ids[:2]
        states = [(await state_of(control, it)).state for it in ids]
        assert states[2:] == [PENDING, PENDING]
        await worker.finish(starts[0])
        assert (await worker.receive("start")).invocation_id == ids[2]


async def test_what_was_paused_and_resumed_in_the_queue_is_given_out_once(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "busy", slots=1) as busy:
        await invoke(control)
        await busy.receive("start")
        waiting = await invoke(control)
        await control.Pause(control_pb2.PauseRequest(invocation_id=waiting))
        await control.Resume(control_pb2.ResumeRequest(invocation_id=waiting))
        async with ManualWorker(channel, "free") as free:
            begun = await free.receive("start")
            await free.finish(begun)
            assert (await result(control, waiting)).state == COMPLETED


async def test_a_held_invocation_waits_for_resume(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        held = message_about(start)
        held.held.failure.type = "durable.DeterminismError"
        held.held.failure.message = "expected RUN a, got RUN b"
        await worker.send(held)
        found = await reached(control, invocation_id, PAUSED)
        assert found.last_failure.message == "expected RUN a, got RUN b"
        assert found.pause.identity == "durable"
        assert (await result(control, invocation_id)).state == PAUSED
        await control.Resume(control_pb2.ResumeRequest(invocation_id=invocation_id))
        again = await worker.receive("start")
        assert again.attempt == 2
        await worker.finish(again)
        assert (await result(control, invocation_id)).state == COMPLETED


async def test_an_oversized_result_fails_the_invocation(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.send(step_entry(start, 0, b"x" * 70_000))
        assert (await worker.receive("abandon")).invocation_id == invocation_id
        found = await result(control, invocation_id)
    assert found.state == FAILED
    assert found.outcome.failure.type == "durable.PayloadTooLarge"
    assert "payload_bytes (65536)" in found.outcome.failure.message


async def test_a_journal_beyond_its_limit_is_held(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.send(step_entry(start, 100, b'"x"'))
        await worker.receive("abandon")
        found = await reached(control, invocation_id, PAUSED)
    assert "journal_entries (100)" in found.last_failure.message


@pytest.mark.parametrize(("index", "problem"), [(150, "journal_entries (100)"), (49, "has 50")])
async def test_a_later_run_has_indexes_of_its_own(
    control: Control, channel: grpc.aio.Channel, index: int, problem: str
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        first = await worker.receive("start")
        await worker.step(first, 0, b'"x"')
        continued = message_about(first)
        continued.continued.input.data = b'"again"'
        continued.continued.completion_number = 1
        continued.continued.next_index = 50
        await worker.send(continued)
        start = await worker.receive("start")
        assert (start.invocation_id, start.attempt) == (invocation_id, first.attempt + 1)
        begun = start.start
        assert (begun.run, begun.first_index, begun.completions_before) == (2, 50, 1)
        assert begun.input.data == b'"again"'
        assert not begun.journal
        assert begun.random_seed != first.start.random_seed
        await worker.step(start, 149, b'"x"')
        await worker.send(step_entry(start, index, b'"x"'))
        await worker.receive("abandon")
        found = await reached(control, invocation_id, PAUSED)
    assert problem in found.last_failure.message


@pytest.mark.parametrize(("next_index", "completion"), [(2**31 - 1, 0), (101, 0), (-1, 0), (0, -1)])
async def test_a_run_that_ends_at_an_impossible_place_is_held(
    control: Control, channel: grpc.aio.Channel, next_index: int, completion: int
) -> None:
    """Indexes go on from there for ever, and a number that no message can hold ends the partition."""
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        continued = message_about(await worker.receive("start"))
        continued.continued.next_index = next_index
        continued.continued.completion_number = completion
        await worker.send(continued)
        await worker.receive("abandon")
        found = await reached(control, invocation_id, PAUSED)
    assert found.last_failure.type == "durable.ProtocolError"
    assert f"next_index is {next_index} and must be from 0 to 100" in found.last_failure.message


async def test_an_input_of_the_next_run_over_its_limit_fails_the_invocation(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        continued = message_about(await worker.receive("start"))
        continued.continued.input.data = b"x" * 70_000
        await worker.send(continued)
        await worker.receive("abandon")
        found = await result(control, invocation_id)
    assert found.outcome.failure.type == "durable.PayloadTooLarge"


async def test_a_journal_of_too_many_bytes_is_held(config: Config) -> None:
    """Whether steps or what comes from outside makes it so large; a retry could not be sent."""
    limits = config.limits._replace(journal_bytes=100_000)
    async with (
        ControlPlane(replace(config, limits=limits)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel) as worker,
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        by_steps, by_others = await invoke(control), await invoke(control)
        starts = [await worker.receive("start"), await worker.receive("start")]
        await worker.step(starts[0], 0, b"x" * 60_000)
        await worker.send(step_entry(starts[0], 1, b"x" * 60_000))
        assert (await worker.receive("abandon")).invocation_id == by_steps
        found = await reached(control, by_steps, PAUSED)
        assert found.last_failure.type == "durable.LimitReached"
        assert "journal_bytes (100000)" in found.last_failure.message
        for index in range(2):
            await worker.send(open_entry(starts[1], index, "AWAKEABLE", f"a-{index}"))
            await worker.receive("ack")
        for index in range(2):
            outcome = payload_pb2.Outcome(value=payload_pb2.Payload(data=b"x" * 60_000))
            await control.ResolveAwakeable(
                control_pb2.ResolveAwakeableRequest(awakeable_id=f"a-{index}", outcome=outcome)
            )
            await worker.receive("completion")
        released = message_about(starts[1])
        released.released.SetInParent()
        await worker.send(released)
        found = await reached(control, by_others, PAUSED)
        assert "journal_bytes (100000)" in found.last_failure.message


async def test_both_sides_send_heartbeats(channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        assert await worker.next_kind() == "heartbeat"


async def test_a_frame_over_the_limit_ends_the_session(channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        limit = worker.welcome.limits["frame_bytes"]
        about = worker_pb2.ServerMessage(invocation_id="0" * 32, attempt=1)
        await worker.send(step_entry(about, 0, b"x" * (limit + 1)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.receive("nothing more")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert f"frame_bytes ({limit})" in (caught.value.details() or "")


async def test_a_silent_worker_is_hung_up_on(channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.receive("nothing more")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "nothing was heard for 2 s" in (caught.value.details() or "")


async def test_a_session_without_a_hello_is_closed(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ManualWorker(channel).receive("welcome")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "no hello came within 2 s" in (caught.value.details() or "")


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()), "PROTOCOL_VIOLATION"),
        (worker_pb2.WorkerMessage(hello=worker_pb2.Hello()), "PROTOCOL_VIOLATION"),
        (
            worker_pb2.WorkerMessage(hello=worker_pb2.Hello(protocol_version=1)),
            "INVALID_FIELD",
        ),
        (
            worker_pb2.WorkerMessage(
                hello=worker_pb2.Hello(protocol_version=1, worker_id="w", slot_count=0)
            ),
            "INVALID_FIELD",
        ),
        (
            worker_pb2.WorkerMessage(
                hello=worker_pb2.Hello(
                    protocol_version=1,
                    worker_id="w",
                    slot_count=1,
                    handlers=[invocation_pb2.HandlerSpec(name="not a name")],
                )
            ),
            "INVALID_FIELD",
        ),
        (
            worker_pb2.WorkerMessage(
                hello=worker_pb2.Hello(
                    protocol_version=1,
                    worker_id="w",
                    slot_count=1,
                    handlers=[
                        invocation_pb2.HandlerSpec(
                            name="pinned", versioning=invocation_pb2.VERSIONING_PINNED
                        )
                    ],
                )
            ),
            "the handler 'pinned' is pinned, so the worker must say which build",
        ),
        (
            worker_pb2.WorkerMessage(
                hello=worker_pb2.Hello(
                    protocol_version=1,
                    worker_id="w",
                    slot_count=1,
                    build_id="b",
                    handlers=[
                        invocation_pb2.HandlerSpec(
                            name="later",
                            versioning=7,  # type: ignore[arg-type]
                        )
                    ],
                )
            ),
            "handlers.versioning",
        ),
    ],
)
async def test_a_wrong_hello_is_refused(
    channel: grpc.aio.Channel, first: worker_pb2.WorkerMessage, reason: str
) -> None:
    worker = ManualWorker(channel)
    await worker.send(first)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await worker.receive("welcome")
    trailer = dict(caught.value.trailing_metadata() or ())
    assert reason.encode() in trailer["grpc-status-details-bin"]


async def test_the_journal_goes_with_a_restart_of_the_control_plane(
    plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.step(start, 0, b'"one"')
    await plane.__aexit__(None, None, None)
    async with (
        ControlPlane(plane.config) as second,
        grpc.aio.insecure_channel(second.address) as fresh,
        ManualWorker(fresh, "other") as worker,
    ):
        assert worker.welcome.epoch == 2
        again = await worker.receive("start")
        assert (again.invocation_id, again.attempt) == (invocation_id, 2)
        assert [it.outcome.value.data for it in again.start.journal] == [b'"one"']
        await worker.finish(again)
        control = control_pb2_grpc.DurableControlStub(fresh)
        assert (await result(control, invocation_id)).state == COMPLETED
