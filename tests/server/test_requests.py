"""Requests of clients: every refusal has a type, and names the field and the value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import control_pb2, control_pb2_grpc, invocation_pb2, payload_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.manual_worker import ManualWorker, message_about, sleep_entry

from .calls import reason

if TYPE_CHECKING:
    from typing import TypeAlias

    Control: TypeAlias = control_pb2_grpc.DurableControlAsyncStub

Invoke = control_pb2.InvokeRequest
Payload = payload_pb2.Payload
NO_ID = "0" * 32


CASES: list[tuple[str, Any, str, str, dict[str, str]]] = [
    ("Invoke", Invoke(), "INVALID_ARGUMENT", "INVALID_FIELD", {"field": "handler"}),
    ("Invoke", Invoke(handler="a b"), "INVALID_ARGUMENT", "INVALID_FIELD", {"field": "handler"}),
    (
        "Invoke",
        Invoke(handler="thre"),
        "NOT_FOUND",
        "HANDLER_NOT_FOUND",
        {"handler": "thre", "known": "three"},
    ),
    (
        "Invoke",
        Invoke(handler="three", input=Payload(data=b"x" * 65_537)),
        "INVALID_ARGUMENT",
        "PAYLOAD_TOO_LARGE",
        {"field": "input", "size_bytes": "65537", "limit_bytes": "65536"},
    ),
    (
        "Invoke",
        Invoke(handler="three", key="k"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "key"},
    ),
    (
        "Invoke",
        Invoke(handler="three", partition_key="p" * 257),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "partition_key", "value": "257 bytes", "limit": "256"},
    ),
    (
        "Invoke",
        Invoke(handler="three", wait_timeout=Duration(seconds=-1)),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "wait_timeout"},
    ),
    (
        "Invoke",
        Invoke(handler="three", delay=Duration(seconds=1), start_time=Timestamp(seconds=1)),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "start_time"},
    ),
    (
        "Invoke",
        Invoke(handler="three", headers={str(n): "" for n in range(33)}),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "headers", "limit": "32"},
    ),
    (
        "Invoke",
        Invoke(handler="three", headers={"a": "é" * 5000}),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "headers", "limit": "8192"},
    ),
    (
        "GetResult",
        control_pb2.GetResultRequest(),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id"},
    ),
    (
        "GetResult",
        control_pb2.GetResultRequest(invocation_id="ABC"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id", "value": "3 characters"},
    ),
    (
        "GetResult",
        control_pb2.GetResultRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "GetInvocation",
        control_pb2.GetInvocationRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "Resume",
        control_pb2.ResumeRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "Query",
        control_pb2.QueryRequest(page_size=-1),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "page_size"},
    ),
    (
        "Query",
        control_pb2.QueryRequest(page_token="nonsense"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "page_token"},
    ),
    (
        "Pause",
        control_pb2.PauseRequest(),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id"},
    ),
    (
        "Pause",
        control_pb2.PauseRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "Pause",
        control_pb2.PauseRequest(reason="x" * 1025),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "reason", "limit": "1024"},
    ),
    (
        "Cancel",
        control_pb2.CancelRequest(),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id"},
    ),
    (
        "Cancel",
        control_pb2.CancelRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "Cancel",
        control_pb2.CancelRequest(reason="x" * 1025),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "reason", "limit": "1024"},
    ),
    (
        "Restart",
        control_pb2.RestartRequest(),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id"},
    ),
    (
        "Restart",
        control_pb2.RestartRequest(invocation_id=NO_ID),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {"invocation_id": NO_ID},
    ),
    (
        "Restart",
        control_pb2.RestartRequest(reason="x" * 1025),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "reason", "limit": "1024"},
    ),
    (
        "Restart",
        control_pb2.RestartRequest(invocation_id=NO_ID, from_index=-1),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {},
    ),
    (
        "Signal",
        control_pb2.SignalRequest(invocation_id=NO_ID),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "name"},
    ),
    (
        "Signal",
        control_pb2.SignalRequest(invocation_id=NO_ID, name="n"),
        "NOT_FOUND",
        "INVOCATION_NOT_FOUND",
        {},
    ),
    (
        "ResolveAwakeable",
        control_pb2.ResolveAwakeableRequest(),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "awakeable_id"},
    ),
    (
        "ResolveAwakeable",
        control_pb2.ResolveAwakeableRequest(awakeable_id="a"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "outcome"},
    ),
    (
        "ResolveAwakeable",
        control_pb2.ResolveAwakeableRequest(awakeable_id="a" * 257),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "awakeable_id", "limit": "256"},
    ),
    (
        "GetState",
        control_pb2.GetStateRequest(object="cart"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "key"},
    ),
    (
        "GetState",
        control_pb2.GetStateRequest(object="cart", key="k"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "object"},
    ),
    (
        "GetState",
        control_pb2.GetStateRequest(object="cart", invocation_id=NO_ID),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "invocation_id"},
    ),
    (
        "SetState",
        control_pb2.SetStateRequest(key="k"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "object"},
    ),
    (
        "SetState",
        control_pb2.SetStateRequest(object="cart", key="k\0requests"),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "key"},
    ),
    (
        "SetState",
        control_pb2.SetStateRequest(object="cart", key="k", request_id="k" * 257),
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
        {"field": "request_id"},
    ),
]


@pytest.mark.parametrize(
    ("method", "request_", "code", "why", "parts"), CASES, ids=lambda value: None
)
async def test_a_refusal_is_typed(
    control: Control,
    channel: grpc.aio.Channel,
    method: str,
    request_: Any,
    code: str,
    why: str,
    parts: dict[str, str],
) -> None:
    async with ManualWorker(channel):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(control, method)(request_)
    assert caught.value.code().name == code
    found, metadata = reason(caught.value)
    assert found == why
    assert parts.items() <= metadata.items()


async def test_a_known_handler_without_a_worker_waits(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, "first"):
        pass
    response = await control.Invoke(Invoke(handler="three"))
    assert response.state == invocation_pb2.INVOCATION_STATE_PENDING
    async with ManualWorker(channel, "second") as worker:
        start = await worker.receive("start")
        assert start.invocation_id == response.invocation_id
        assert not start.start.HasField("input")


async def test_the_same_request_gets_the_same_answer(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        for name in ("request_id", "idempotency_key"):
            asked = Invoke(handler="three", input=Payload(data=b"1"), **{name: "once"})  # type: ignore[arg-type]  # a field's name
            first = await control.Invoke(asked)
            second = await control.Invoke(asked)
            assert first.created
            assert not second.created
            assert second.invocation_id == first.invocation_id
            await worker.finish(await worker.receive("start"))
            asked.wait_timeout.FromSeconds(20)
            third = await control.Invoke(asked)
            assert third.outcome.value.data == b'"done"'
            asked.input.data = b"2"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await control.Invoke(asked)
            assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
            found, metadata = reason(caught.value)
            assert found == "IDEMPOTENCY_MISMATCH"
            assert metadata == {"invocation_id": first.invocation_id, "field": "input"}


async def test_concurrent_requests_with_one_id_start_once(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        asked = Invoke(handler="three", request_id="once", wait_timeout=Duration(seconds=20))
        answers = [asyncio.ensure_future(control.Invoke(asked)) for _ in range(20)]
        await worker.finish(await worker.receive("start"))
        responses = await asyncio.gather(*answers)
    assert len({it.invocation_id for it in responses}) == 1
    assert sum(it.created for it in responses) == 1
    assert {it.outcome.value.data for it in responses} == {b'"done"'}


async def test_a_wait_that_times_out_returns_the_state(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        wait = Duration(nanos=1_000_000)
        response = await control.Invoke(Invoke(handler="three", wait_timeout=wait))
        assert response.state == invocation_pb2.INVOCATION_STATE_RUNNING
        assert not response.HasField("outcome")
        asked = control_pb2.GetResultRequest(
            invocation_id=response.invocation_id, wait_timeout=wait
        )
        result = await control.GetResult(asked)
        assert result.state == invocation_pb2.INVOCATION_STATE_RUNNING
        await worker.finish(await worker.receive("start"))
        asked.wait_timeout.FromSeconds(20)
        assert (await control.GetResult(asked)).outcome.value.data == b'"done"'


async def test_a_delayed_start(control: Control, channel: grpc.aio.Channel) -> None:
    async with ManualWorker(channel) as worker:
        delay = Duration(nanos=300_000_000)
        response = await control.Invoke(Invoke(handler="three", delay=delay))
        assert response.state == invocation_pb2.INVOCATION_STATE_SCHEDULED
        start = await worker.receive("start")
        assert start.invocation_id == response.invocation_id


async def test_purge_and_resume_need_their_states(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = (await control.Invoke(Invoke(handler="three"))).invocation_id
        start = await worker.receive("start")
        for method, request in (
            (control.Purge, control_pb2.PurgeRequest(invocation_id=invocation_id)),
            (control.Resume, control_pb2.ResumeRequest(invocation_id=invocation_id)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(request)  # type: ignore[operator]  # each with its own request
            assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            found, metadata = reason(caught.value)
            assert found == "INVALID_STATE"
            assert metadata["state"] == "running"
        await worker.finish(start)
        ended = control_pb2.GetResultRequest(
            invocation_id=invocation_id, wait_timeout=Duration(seconds=20)
        )
        await control.GetResult(ended)
        await control.Purge(control_pb2.PurgeRequest(invocation_id=invocation_id))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.GetResult(ended)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_query_pages_stay_stable_and_filter(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel, handlers=("three", "four")) as worker:
        ids = []
        for number in range(7):
            asked = Invoke(handler="three" if number % 2 else "four", service=f"s{number}")
            ids.append((await control.Invoke(asked)).invocation_id)
        seen: list[str] = []
        tokens: list[str] = []
        asked = control_pb2.QueryRequest(page_size=3)
        while True:
            page = await control.Query(asked)
            tokens.append(page.next_page_token)
            seen += [it.invocation_id for it in page.invocations]
            # What comes in between does not move the pages.
            await control.Invoke(Invoke(handler="three"))
            if not page.next_page_token:
                break
            asked.page_token = page.next_page_token
        assert seen == ids[::-1]
        # A token belongs to its query.
        other = control_pb2.QueryRequest(handler="three", page_token=tokens[0])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Query(other)
        assert reason(caught.value)[1]["field"] == "page_token"
        only = control_pb2.QueryRequest(handler="four", oldest_first=True)
        found = [it.invocation_id for it in (await control.Query(only)).invocations]
        assert found == ids[::2]
        one = control_pb2.QueryRequest(service="s3")
        assert [it.invocation_id for it in (await control.Query(one)).invocations] == [ids[3]]
        await worker.finish(await worker.receive("start"))
        completed = control_pb2.QueryRequest(states=[invocation_pb2.INVOCATION_STATE_COMPLETED])
        await control.GetResult(
            control_pb2.GetResultRequest(invocation_id=ids[0], wait_timeout=Duration(seconds=20))
        )
        found = [it.invocation_id for it in (await control.Query(completed)).invocations]
        assert found == [ids[0]]


async def test_lists_and_counts(control: Control, channel: grpc.aio.Channel) -> None:
    listed = ManualWorker(channel, "one", handlers=("four", "three"))
    listed.hello.build_id = "b"
    listed.hello.handlers[0].versioning = invocation_pb2.VERSIONING_PINNED
    async with listed:
        await control.Invoke(Invoke(handler="three"))
        handlers = await control.ListHandlers(control_pb2.ListHandlersRequest())
        assert [(it.spec.name, it.worker_count) for it in handlers.handlers] == [
            ("four", 1),
            ("three", 1),
        ]
        assert handlers.handlers[1].running_count == 1
        assert [it.spec.versioning for it in handlers.handlers] == [
            invocation_pb2.VERSIONING_PINNED,
            invocation_pb2.VERSIONING_AUTO,
        ]
        workers = await control.ListWorkers(control_pb2.ListWorkersRequest())
        assert [(it.worker_id, it.running_count) for it in workers.workers] == [("one", 1)]
        stats = await control.GetStats(control_pb2.GetStatsRequest())
        assert [(it.handler, it.state, it.count) for it in stats.counts] == [("three", 3, 1)]
        assert (stats.total_count, stats.worker_count) == (1, 1)
        info = await control.GetServerInfo(control_pb2.GetServerInfoRequest())
        assert info.limits["payload_bytes"] == 64 * 1024
        assert info.append_count >= 2


async def test_a_watch_shows_changes_until_the_end(
    control: Control, channel: grpc.aio.Channel
) -> None:
    async with ManualWorker(channel) as worker:
        invocation_id = (await control.Invoke(Invoke(handler="three"))).invocation_id
        asked = control_pb2.WatchInvocationRequest(
            invocation_id=invocation_id, include_journal=True
        )
        watch = aiter(control.WatchInvocation(asked))
        first = await anext(watch)
        assert first.invocation.invocation_id == invocation_id
        start = await worker.receive("start")
        await worker.step(start, 0)
        await worker.finish(start)
        rest = [response.invocation async for response in watch]
        assert rest[-1].state == invocation_pb2.INVOCATION_STATE_COMPLETED
        assert [it.index for shown in rest for it in shown.journal] == [0]


async def test_a_burst_is_served_whole(control: Control, channel: grpc.aio.Channel) -> None:
    """More requests at once than the server library would by itself pick up."""
    async with ManualWorker(channel):
        asked = [control.Invoke(Invoke(handler="three")) for _ in range(4000)]
        responses = await asyncio.gather(*asked)
    assert len({it.invocation_id for it in responses}) == 4000


async def test_admission_is_bounded(tmp_path: Any, config: Config) -> None:
    from dataclasses import replace

    limits = config.limits._replace(admission=5)
    async with (
        ControlPlane(replace(config, limits=limits)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
        ManualWorker(channel, slots=1),
    ):
        control = control_pb2_grpc.DurableControlStub(channel)
        wait = Duration(seconds=20)
        calls = [control.Invoke(Invoke(handler="three", wait_timeout=wait)) for _ in range(6)]
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(_outcome(call)) for call in calls],
            return_when=asyncio.FIRST_COMPLETED,
        )
        error = done.pop().result()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason(error) == ("LIMIT_REACHED", {"limit": "admission", "value": "5"})
        for call in calls:
            call.cancel()


async def _outcome(call: Any) -> object:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error
    except asyncio.CancelledError:
        return None


@pytest.mark.parametrize("seconds", [2**62, 3_155_760_001])
async def test_absurd_durations_are_refused(
    control: Control, channel: grpc.aio.Channel, seconds: int
) -> None:
    """A value that a record cannot hold is refused before the log."""
    absurd = Duration(seconds=seconds)
    async with ManualWorker(channel) as worker:
        for asked in (
            Invoke(handler="three", delay=absurd),
            Invoke(handler="three", start_time=Timestamp(seconds=2**62)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await control.Invoke(asked)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason(caught.value)[0] == "INVALID_FIELD"
        listed = control_pb2.QueryRequest(create_time_max=Timestamp(seconds=-(2**62)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Query(listed)
        assert reason(caught.value)[0] == "INVALID_FIELD"
        await control.Invoke(Invoke(handler="three"))
        start = await worker.receive("start")
        message = sleep_entry(start, 0, 1)
        message.entry.delay.seconds = seconds
        await worker.send(message)
        assert "a hundred years" in (await worker.receive("abandon")).abandon.reason
        await control.Invoke(Invoke(handler="three"))
        failed = message_about(await worker.receive("start"))
        failed.attempt_failed.retry_delay.CopyFrom(absurd)
        failed.attempt_failed.failure.message = "no"
        await worker.send(failed)
        waited = await control.Invoke(Invoke(handler="three", wait_timeout=Duration(nanos=1)))
        assert waited.state == invocation_pb2.INVOCATION_STATE_RUNNING
