"""Every primitive over worker.proto and control.proto, message by message."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2
from durable_server.core.dedup import REQUESTS_MAX
from tests.support.manual_worker import ManualWorker, message_about, open_entry, sleep_entry

from .calls import invoke, reached, reason, result, state_of

if TYPE_CHECKING:
    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

CANCELLED = invocation_pb2.INVOCATION_STATE_CANCELLED
COMPLETED = invocation_pb2.INVOCATION_STATE_COMPLETED
FAILED = invocation_pb2.INVOCATION_STATE_FAILED
PAUSED = invocation_pb2.INVOCATION_STATE_PAUSED
PENDING = invocation_pb2.INVOCATION_STATE_PENDING
RUNNING = invocation_pb2.INVOCATION_STATE_RUNNING
SUSPENDED = invocation_pb2.INVOCATION_STATE_SUSPENDED
EXCLUSIVE = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE
SHARED = invocation_pb2.HANDLER_KIND_OBJECT_SHARED


def value(data: bytes) -> payload_pb2.Outcome:
    return payload_pb2.Outcome(value=payload_pb2.Payload(data=data))


def cart(worker: ManualWorker) -> ManualWorker:
    worker.hello.handlers.add(name="cart.add", kind=EXCLUSIVE)
    worker.hello.handlers.add(name="cart.show", kind=SHARED)
    return worker


async def resolve(control: Control, awakeable_id: str, data: bytes = b"1") -> str:
    request = control_pb2.ResolveAwakeableRequest(awakeable_id=awakeable_id, outcome=value(data))
    return (await control.ResolveAwakeable(request)).invocation_id


# Awakeables


async def test_an_awakeable_gets_the_first_outcome_that_anybody_gives(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "AWAKEABLE", "approval-1"))
        assert (await worker.receive("ack")).ack.completion_number == 0
        assert await resolve(control, "approval-1") == invocation_id
        heard = (await worker.receive("completion")).completion
        assert (heard.index, heard.outcome, heard.completion_number) == (0, value(b"1"), 1)
        assert await resolve(control, "approval-1") == invocation_id
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await resolve(control, "approval-1", b"2")
        assert reason(caught.value)[0] == "AWAKEABLE_ALREADY_RESOLVED"
        shown = await control.GetInvocation(
            control_pb2.GetInvocationRequest(invocation_id=invocation_id, include_journal=True)
        )
        [awakeable] = shown.invocation.awakeables
        assert awakeable.awakeable_id == "approval-1"
        assert awakeable.outcome == value(b"1")


async def test_an_outcome_may_come_before_the_wait_for_it(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        assert await resolve(control, "early-1") == ""
        invocation_id = await invoke(control)
        generated = f"{invocation_id}-1"
        assert await resolve(control, generated, b"2") == invocation_id
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "AWAKEABLE", "early-1"))
        await worker.receive("ack")
        assert (await worker.receive("completion")).completion.outcome == value(b"1")
        await worker.send(open_entry(start, 1, "AWAKEABLE", generated))
        await worker.receive("ack")
        assert (await worker.receive("completion")).completion.outcome == value(b"2")


@pytest.mark.parametrize("awakeable_id", ["f" * 32 + "-0", "f" * 32 + ".paid"])
async def test_an_awakeable_of_no_invocation_is_not_found(
    control: Control, awakeable_id: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await resolve(control, awakeable_id)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert reason(caught.value)[0] == "AWAKEABLE_NOT_FOUND"


async def test_an_awakeable_wakes_what_is_suspended(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        suspend = message_about(start)
        suspend.suspend.SetInParent()
        await worker.send(open_entry(start, 0, "AWAKEABLE", "a-1"), suspend)
        await worker.receive("ack")
        await worker.receive("suspended")
        failure = payload_pb2.Failure(type="durable.Rejected", message="no", terminal=True)
        await control.ResolveAwakeable(
            control_pb2.ResolveAwakeableRequest(
                awakeable_id="a-1", outcome=payload_pb2.Outcome(failure=failure)
            )
        )
        again = await worker.receive("start")
        [entry] = again.start.journal
        assert entry.outcome.failure == failure
        await worker.finish(again)
        assert (await result(control, invocation_id)).state == COMPLETED


# Signals


async def test_signals_wait_in_order_and_are_delivered_once(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        for number, request_id in ((b"1", "r-1"), (b"1", "r-1"), (b"2", "")):
            await control.Signal(
                control_pb2.SignalRequest(
                    invocation_id=invocation_id,
                    name="item",
                    outcome=value(number),
                    request_id=request_id,
                )
            )
        for index, expected in enumerate((b"1", b"2")):
            await worker.send(open_entry(start, index, "SIGNAL", "item"))
            await worker.receive("ack")
            assert (await worker.receive("completion")).completion.outcome == value(expected)
        await worker.send(open_entry(start, 2, "SIGNAL", "item"))
        await worker.receive("ack")
        await worker.send(
            open_entry(start, 3, "RESOLVE", "item", target=invocation_id, argument=b"3")
        )
        await worker.receive("ack")
        assert (await worker.receive("completion")).completion.outcome == value(b"3")
        assert (await worker.receive("completion")).completion.outcome == value(b"null")


# Other invocations


async def test_a_childs_outcome_is_its_parents_completion(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        parent_id = await invoke(control, headers={"trace": "7"}, service="shop")
        parent = await worker.receive("start")
        await worker.send(open_entry(parent, 0, "INVOKE", "three", argument=b'"child"'))
        await worker.receive("ack")
        child = await worker.receive("start")
        assert child.start.input.data == b'"child"'
        assert dict(child.start.headers) == {"trace": "7"}
        assert child.start.service == "shop"
        await worker.finish(child, b'"grown"')
        heard = await worker.receive("completion")
        assert heard.invocation_id == parent_id
        assert heard.completion.outcome == value(b'"grown"')
        listed = await control.Query(control_pb2.QueryRequest(parent_invocation_id=parent_id))
        assert [it.invocation_id for it in listed.invocations] == [child.invocation_id]


async def test_a_send_is_answered_with_its_id_and_starts_later(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await invoke(control)
        start = await worker.receive("start")
        message = open_entry(start, 0, "SEND", "three", argument=b"1")
        message.entry.delay.FromMilliseconds(300)
        await worker.send(message)
        await worker.receive("ack")
        sent = json.loads((await worker.receive("completion")).completion.outcome.value.data)
        found = await state_of(control, sent)
        assert found.state == invocation_pb2.INVOCATION_STATE_SCHEDULED
        # A duplicate, as after a reconnect, starts nothing.
        await worker.send(message)
        await worker.receive("ack")
        assert (await worker.receive("start")).invocation_id == sent
        assert (await control.GetStats(control_pb2.GetStatsRequest())).total_count == 2


async def test_a_child_of_an_unknown_handler_is_tried_again(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "INVOKE", "nobody"))
        assert "nobody" in (await worker.receive("abandon")).abandon.reason
        again = await worker.receive("start")
        assert again.attempt == 2
        assert again.start.last_failure.type == "durable.HandlerNotFound"
        assert (await state_of(control, invocation_id)).journal_length == 0


async def test_a_childs_cancellation_by_its_place(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        await invoke(control)
        parent = await worker.receive("start")
        await worker.send(open_entry(parent, 0, "INVOKE", "three"))
        await worker.receive("ack")
        child = await worker.receive("start")
        await worker.send(open_entry(parent, 1, "CANCEL", "", target="#0"))
        await worker.receive("ack")
        asked = await worker.receive("cancel_requested")
        assert asked.invocation_id == child.invocation_id
        await worker.receive("completion")
        ended = message_about(child)
        ended.finished.outcome.failure.type = "durable.Cancelled"
        await worker.send(ended)
        heard = (await worker.receive("completion")).completion
        assert heard.outcome.failure.type == "durable.Cancelled"
        assert (await state_of(control, child.invocation_id)).state == CANCELLED


# State and objects


async def test_state_travels_with_the_next_attempt(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        assert start.start.state_complete
        assert not start.start.state
        await worker.send(open_entry(start, 0, "SET_STATE", "cart", argument=b'["T-1"]'))
        assert (await worker.receive("ack")).ack.completion_number == 0
        eager = open_entry(start, 1, "GET_STATE", "cart")
        eager.entry.outcome.value.data = b'["T-1"]'
        failed = message_about(start)
        failed.attempt_failed.failure.type = "ValueError"
        await worker.send(eager, failed)
        await worker.receive("ack")
        again = await worker.receive("start")
        assert again.start.state["cart"].data == b'["T-1"]'
        assert [it.completion_number for it in again.start.journal] == [0, 0]
        shown = await control.GetState(control_pb2.GetStateRequest(invocation_id=invocation_id))
        assert shown.state["cart"].data == b'["T-1"]'


async def test_one_exclusive_handler_at_a_time_and_a_shared_one_beside(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with cart(ManualWorker(channel)) as worker:
        first = await invoke(control, "cart.add", key="u1")
        start = await worker.receive("start")
        second = await invoke(control, "cart.add", key="u1")
        third = await invoke(control, "cart.add", key="u1")
        other = await invoke(control, "cart.add", key="u2")
        assert (await worker.receive("start")).invocation_id == other
        await worker.send(open_entry(start, 0, "SET_STATE", "n", argument=b"1"))
        await worker.receive("ack")
        await invoke(control, "cart.show", key="u1")
        show = await worker.receive("start")
        assert not show.start.state_complete
        await worker.send(open_entry(show, 0, "GET_STATE", "n"))
        await worker.receive("ack")
        assert (await worker.receive("completion")).completion.outcome == value(b"1")
        await worker.send(open_entry(show, 1, "SET_STATE", "n", argument=b"2"))
        assert "shared" in (await worker.receive("abandon")).abandon.reason
        assert start.invocation_id == first
        await worker.finish(start)
        following = await worker.receive("start")
        assert following.invocation_id == second
        assert following.start.state["n"].data == b"1"
        await worker.finish(following)
        assert (await worker.receive("start")).invocation_id == third


async def test_state_is_edited_between_two_turns(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with cart(ManualWorker(channel)) as worker:
        edit = control_pb2.SetStateRequest(object="cart", key="u1")
        edit.state["n"].data = b"7"
        await control.SetState(edit)
        await invoke(control, "cart.add", key="u1")
        start = await worker.receive("start")
        assert start.start.state["n"].data == b"7"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.SetState(edit)
        assert reason(caught.value)[0] == "INVALID_STATE"
        await worker.finish(start)
        await reached(control, start.invocation_id, COMPLETED)
        await control.SetState(
            control_pb2.SetStateRequest(object="cart", key="u1", cleared_names=["n"])
        )
        shown = await control.GetState(control_pb2.GetStateRequest(object="cart", key="u1"))
        assert not shown.state


async def test_an_edit_of_state_that_is_repeated_has_no_second_effect(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with cart(ManualWorker(channel)) as worker:
        first = control_pb2.SetStateRequest(object="cart", key="u1", request_id="first")
        first.state["n"].data = b"1"
        second = control_pb2.SetStateRequest(object="cart", key="u1", clear_all=True)
        second.state["n"].data = b"2"
        get = control_pb2.GetStateRequest(object="cart", key="u1")
        for edit in (first, second, first):
            await control.SetState(edit)
        shown = await control.GetState(get)
        assert {name: value.data for name, value in shown.state.items()} == {"n": b"2"}
        # A repetition gets the first answer, also while an invocation holds the key.
        await invoke(control, "cart.add", key="u1")
        start = await worker.receive("start")
        await control.SetState(first)
        await worker.finish(start)
        await reached(control, start.invocation_id, COMPLETED)
        # Only the last ones are remembered.
        for number in range(REQUESTS_MAX):
            second.request_id = f"later {number}"
            await control.SetState(second)
        await control.SetState(first)
        assert (await control.GetState(get)).state["n"].data == b"1"


# Steering


async def test_a_pause_waits_for_the_worker_and_resume_goes_on(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        answer = await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
        assert answer.state == RUNNING
        await worker.receive("pause_requested")
        await worker.step(start, 0)
        held = message_about(start)
        held.paused.SetInParent()
        await worker.send(held)
        answer = await control.Pause(
            control_pb2.PauseRequest(invocation_id=invocation_id, wait_timeout=Duration(seconds=10))
        )
        assert answer.state == PAUSED
        await control.Resume(control_pb2.ResumeRequest(invocation_id=invocation_id))
        again = await worker.receive("start")
        assert (again.attempt, len(again.start.journal)) == (2, 1)


async def test_a_reconnected_worker_gets_what_it_missed(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        worker.disconnect()
    await control.Cancel(control_pb2.CancelRequest(invocation_id=invocation_id, reason="enough"))
    back = ManualWorker(channel)
    back.hello.resumed.add(invocation_id=invocation_id, attempt=start.attempt)
    async with back:
        heard = (await back.receive("cancel_requested")).cancel_requested
        assert (heard.reason, heard.completion_number) == ("enough", 1)


async def test_a_cancellation_is_seen_by_the_next_attempt_too(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        suspend = message_about(start)
        suspend.suspend.SetInParent()
        await worker.send(sleep_entry(start, 0, 600_000), suspend)
        await worker.receive("ack")
        await worker.receive("suspended")
        answer = await control.Cancel(
            control_pb2.CancelRequest(invocation_id=invocation_id, reason="enough")
        )
        assert answer.state == PENDING
        again = await worker.receive("start")
        assert again.start.cancel_requested.reason == "enough"
        assert again.start.cancel_requested.completion_number == 1
        # A compensation, and the end.
        await worker.step(again, 1)
        ended = message_about(again)
        ended.finished.outcome.failure.type = "durable.Cancelled"
        await worker.send(ended)
        shown = await reached(control, invocation_id, CANCELLED)
        assert shown.cancel.reason == "enough"


async def test_force_takes_the_attempt_away(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        await worker.receive("start")
        answer = await control.Cancel(
            control_pb2.CancelRequest(invocation_id=invocation_id, force=True)
        )
        assert answer.state == CANCELLED
        await worker.receive("abandon")
        ended = await result(control, invocation_id)
        assert ended.outcome.failure.type == "durable.Cancelled"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Pause(control_pb2.PauseRequest(invocation_id=invocation_id))
        assert reason(caught.value)[0] == "INVALID_STATE"


async def test_a_restart_keeps_the_beginning(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        for index in range(3):
            await worker.step(start, index, b"%d" % index)
        await worker.finish(start)
        await result(control, invocation_id)
        request = control_pb2.RestartRequest(
            invocation_id=invocation_id, from_index=2, request_id="r-1"
        )
        new_id = (await control.Restart(request)).invocation_id
        assert (await control.Restart(request)).invocation_id == new_id
        again = await worker.receive("start")
        assert again.invocation_id == new_id
        assert again.start.input == start.start.input
        assert [it.outcome.value.data for it in again.start.journal] == [b"0", b"1"]
        assert (await state_of(control, new_id)).parent_invocation_id == invocation_id
        beyond = control_pb2.RestartRequest(invocation_id=invocation_id, from_index=4)
        with pytest.raises(grpc.aio.AioRpcError, match="the entries 0 to 2: use 1 to 3"):
            await control.Restart(beyond)


# What handlers declare


def declares(**fields: object) -> Callable[[ManualWorker], ManualWorker]:
    def change(worker: ManualWorker) -> ManualWorker:
        spec = invocation_pb2.HandlerSpec(name="three", **fields)  # type: ignore[arg-type]
        worker.hello.handlers[0].CopyFrom(spec)
        return worker

    return change


async def test_a_handlers_concurrency_limit(control: Control, channel: grpc.aio.Channel) -> None:
    limited = declares(max_concurrent=1)(ManualWorker(channel))
    limited.hello.handlers.add(name="free")
    async with limited as worker:
        first, second = await invoke(control), await invoke(control)
        start = await worker.receive("start")
        assert start.invocation_id == first
        await invoke(control, "free")
        assert (await worker.receive("start")).start.handler == "free"
        assert (await state_of(control, second)).state == PENDING
        await worker.finish(start)
        assert (await worker.receive("start")).invocation_id == second


async def test_a_higher_priority_goes_first(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel, slots=1) as worker:
        await invoke(control)
        start = await worker.receive("start")
        late = [await invoke(control, priority=it) for it in (0, -1, 7, 0, 7)]
        order = []
        for _ in late:
            await worker.finish(start)
            start = await worker.receive("start")
            order.append(late.index(start.invocation_id))
        assert order == [2, 4, 0, 3, 1]


async def test_an_invocation_has_its_time(control: Control, channel: grpc.aio.Channel) -> None:
    timed = declares(timeout=Duration(nanos=200_000_000))(ManualWorker(channel))
    async with timed as worker:
        invocation_id = await invoke(control)
        start = await worker.receive("start")
        heard = await worker.receive("cancel_requested")
        assert "0.2 s" in heard.cancel_requested.reason
        ended = message_about(start)
        ended.finished.outcome.failure.type = "durable.Cancelled"
        await worker.send(ended)
        end = await result(control, invocation_id)
        assert end.state == FAILED
        assert end.outcome.failure.type == "durable.TimedOut"


async def test_a_step_with_a_policy_of_its_own_is_counted_apart(
    control: Control, channel: grpc.aio.Channel
) -> None:
    policy = invocation_pb2.RetryPolicy(max_attempts=1)
    async with declares(retry_policy=policy)(ManualWorker(channel)) as worker:
        await invoke(control)
        longest = 0
        for count in (0, 1, 2):
            start = await worker.receive("start")
            assert dict(start.start.step_failures) == ({4: count} if count else {})
            assert list(start.start.step_failing) == ([4] if count else [])
            failing = start.start.step_failing[4].ToMilliseconds()
            assert failing >= longest
            longest = failing
            failed = message_about(start)
            failed.attempt_failed.index = 4
            failed.attempt_failed.retry_delay.FromMilliseconds(1)
            await worker.send(failed)


async def test_lists_know_how_long_journals_are(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        ended, _ = await invoke(control), await invoke(control)
        start = await worker.receive("start")
        await worker.receive("start")
        await worker.send(open_entry(start, 0, "SET_STATE", "n", argument=b"1"))
        await worker.receive("ack")
        await worker.step(start, 1)
        await worker.finish(start)
        await result(control, ended)
        listed = await control.Query(control_pb2.QueryRequest(oldest_first=True))
        assert [it.journal_length for it in listed.invocations] == [2, 0]
