"""What the clients send and what they make of the answers, both clients through the same tests.

The control plane is a real gRPC server that plays a script. The sync client runs in a thread, because
the server lives on the test's loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

import durable
from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2
from examples.services.hello_v1 import hello_pb2

from .clients import KINDS, Facade, client_of
from .peers import Control, Refused, completed, serving, wire

ID = "a" * 32


@durable.workflow
async def hello(ctx: durable.Context, name: str = "World") -> str:
    return name


@pytest.fixture
async def control() -> Control:
    return Control()


@pytest.fixture
async def address(control: Control) -> AsyncIterator[str]:
    async with serving(control) as address:
        yield address


@pytest.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Facade]:
    async with client_of(request.param, address) as one:
        yield one


def running(invocation_id: str = ID) -> control_pb2.InvokeResponse:
    return control_pb2.InvokeResponse(
        invocation_id=invocation_id, state=invocation_pb2.INVOCATION_STATE_RUNNING
    )


def result(state: int, **fields: Any) -> control_pb2.GetResultResponse:
    return control_pb2.GetResultResponse(invocation_id=ID, state=state, **fields)


async def test_invoke_returns_the_value(control: Control, client: Facade) -> None:
    control.answers("Invoke", completed('"Hello, x"'))
    assert await client("invoke", hello, "x") == "Hello, x"
    (request,) = control.asked("Invoke")
    assert request.handler == "hello"
    assert request.input.data == b'"x"'
    assert len(request.request_id) == 32
    assert not request.include_journal
    # All of it is asked for in one call: less than what one call may wait.
    assert 9 < request.wait_timeout.ToMilliseconds() / 1000 <= 10


async def test_invoke_by_name_returns_the_result(control: Control, client: Facade) -> None:
    greeting = hello_pb2.HelloResponse(message="Hello")
    entry = invocation_pb2.JournalEntry(
        index=0, kind=invocation_pb2.ENTRY_KIND_CALL, name="HelloService.SayHello"
    )
    entry.outcome.value.content_type = (
        f"application/x-protobuf; message={greeting.DESCRIPTOR.full_name}"
    )
    entry.outcome.value.data = greeting.SerializeToString()
    control.answers("Invoke", completed('{"a": 1}', journal=[entry]))
    found = await client("invoke", "hello_workflow")
    assert (found.status, found.invocation_id, found.finished) == ("completed", ID, True)
    assert found.value() == {"a": 1}
    assert found.first_response(hello_pb2.HelloResponse).message == "Hello"
    (step,) = found.journal
    assert (step.step_number, step.step_type) == (0, "HelloService.SayHello")
    assert step.outcome.value.data
    (request,) = control.asked("Invoke")
    assert request.include_journal
    assert not request.HasField("input")
    with pytest.raises(ValueError, match="not a"):
        found.first_response(hello_pb2.HelloRequest)


async def test_invoke_by_name_takes_one_argument(control: Control, client: Facade) -> None:
    control.answers("Invoke", completed("null"))
    await client("invoke", "other", {"a": [1]})
    assert control.asked("Invoke")[0].input.data.replace(b" ", b"") == b'{"a":[1]}'
    with pytest.raises(TypeError, match="at most one argument"):
        await client("invoke", "other", 1, 2)
    with pytest.raises(TypeError, match="not name"):
        await client("invoke", "other", name=1)


async def test_options_are_sent_and_views_do_not_change_the_client(
    control: Control, client: Facade
) -> None:
    control.answers("Invoke", completed('""'))
    view = client.options(partition_key="user-123", service="HelloService").options(
        key="k", idempotency_key="i", headers={"a": "b"}, delay=timedelta(seconds=90)
    )
    await view("invoke", hello)
    await client("invoke", hello)
    with_options, without = control.asked("Invoke")
    assert with_options.partition_key == "user-123"
    assert with_options.service == "HelloService"
    assert with_options.key == "k"
    assert with_options.idempotency_key == "i"
    assert dict(with_options.headers) == {"a": "b"}
    assert with_options.delay.seconds == 90
    assert not without.partition_key
    assert not without.HasField("delay")
    assert with_options.request_id != without.request_id


async def test_invoke_async_does_not_wait(control: Control, client: Facade) -> None:
    control.answers("Invoke", running())
    assert await client("invoke_async", hello, name="x") == ID
    (request,) = control.asked("Invoke")
    assert not request.HasField("wait_timeout")
    assert request.input.data == b'"x"'


async def test_long_waits_come_in_chunks(control: Control, client: Facade) -> None:
    """No call asks for more than 50 s, and the client asks on until there is an end."""
    control.answers("Invoke", running())
    done = result(
        invocation_pb2.INVOCATION_STATE_COMPLETED,
        outcome=payload_pb2.Outcome(value=payload_pb2.Payload(data=b'"late"')),
    )
    still = result(invocation_pb2.INVOCATION_STATE_SUSPENDED)
    control.answers("GetResult", still, still, done)
    assert await client.options(timeout=None)("invoke", hello) == "late"
    (invoke,) = control.asked("Invoke")
    polls = control.asked("GetResult")
    assert len(polls) == 3
    assert {it.invocation_id for it in polls} == {ID}
    assert [it.wait_timeout.seconds for it in [invoke, *polls]] == [50] * 4
    assert not any(it.include_journal for it in polls)


async def test_the_timeout_names_the_invocation(control: Control, client: Facade) -> None:
    async def slow(request: Any) -> Any:
        await asyncio.sleep(request.wait_timeout.ToMilliseconds() / 1000)
        return running() if isinstance(request, control_pb2.InvokeRequest) else still

    still = result(invocation_pb2.INVOCATION_STATE_RUNNING)
    control.script["Invoke"] = control.script["GetResult"] = slow
    with pytest.raises(durable.WaitTimeoutError) as caught:
        await client.options(timeout=0.1)("invoke", hello)
    assert caught.value.invocation_id == ID
    found = await client("get_result", ID, timeout=0.05)
    assert found.status == "running"
    assert not found.finished
    with pytest.raises(durable.WaitTimeoutError):
        found.value()


async def test_a_server_that_stops_answering_is_a_wait_timeout_too(
    control: Control, client: Facade
) -> None:
    """The id is known, so it must be in the error even when the network has failed since."""
    control.answers("Invoke", running())
    control.answers("GetResult", Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "draining"))
    with pytest.raises(durable.WaitTimeoutError) as caught:
        await client.options(timeout=0.3)("invoke", hello)
    assert caught.value.invocation_id == ID
    assert isinstance(caught.value.__cause__, durable.UnavailableError)


async def test_work_that_failed(control: Control, client: Facade) -> None:
    failure = payload_pb2.Failure(
        type="app.CardDeclined", message="no money", code=402, terminal=True
    )
    answer = control_pb2.InvokeResponse(
        invocation_id=ID,
        state=invocation_pb2.INVOCATION_STATE_FAILED,
        outcome=payload_pb2.Outcome(failure=failure),
    )
    control.answers("Invoke", answer)
    with pytest.raises(durable.InvocationFailedError, match="no money") as caught:
        await client("invoke", hello)
    assert caught.value.invocation_id == ID
    assert caught.value.failure.code == 402
    found = await client("invoke", "hello")
    assert found.status == "failed"
    assert found.failure.type == "app.CardDeclined"
    with pytest.raises(durable.InvocationFailedError):
        found.value()


async def test_work_that_was_cancelled_or_paused(control: Control, client: Facade) -> None:
    control.answers(
        "GetResult",
        result(
            invocation_pb2.INVOCATION_STATE_CANCELLED,
            outcome=payload_pb2.Outcome(failure=payload_pb2.Failure(message="by hand")),
        ),
        result(
            invocation_pb2.INVOCATION_STATE_PAUSED,
            last_failure=payload_pb2.Failure(message="looked wrong"),
        ),
    )
    cancelled = await client("get_result", ID)
    assert cancelled.status == "cancelled"
    with pytest.raises(durable.InvocationCancelledError):
        cancelled.value()
    paused = await client("get_result", ID)
    assert paused.status == "paused"
    assert paused.failure.message == "looked wrong"
    with pytest.raises(durable.DurableError) as caught:
        paused.value()
    assert getattr(caught.value, "invocation_id", None) == ID


async def test_get_result_decodes_by_the_workflow(control: Control, client: Facade) -> None:
    value = payload_pb2.Payload(content_type="application/json", data=b'"typed"')
    control.answers(
        "GetResult",
        result(invocation_pb2.INVOCATION_STATE_COMPLETED, outcome=payload_pb2.Outcome(value=value)),
    )
    assert (await client("get_result", ID, hello)).value() == "typed"
    assert control.asked("GetResult")[0].include_journal


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, "HANDLER_NOT_FOUND", durable.NotFoundError),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", durable.InvalidArgumentError),
        (grpc.StatusCode.INVALID_ARGUMENT, "PAYLOAD_TOO_LARGE", durable.InvalidArgumentError),
        (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_MISMATCH", durable.AlreadyExistsError),
        (grpc.StatusCode.FAILED_PRECONDITION, "INVALID_STATE", durable.PreconditionError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_REACHED", durable.LimitError),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", durable.UnavailableError),
        (grpc.StatusCode.INTERNAL, "INTERNAL", durable.RpcError),
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", durable.RpcError),
    ],
)
async def test_errors_are_typed(
    control: Control, client: Facade, code: grpc.StatusCode, reason: str, kind: type[Exception]
) -> None:
    control.answers("Invoke", Refused(code, reason, "what happened", {"k": "v"}))
    with pytest.raises(kind, match="what happened") as caught:
        await client.options(timeout=0.2)("invoke", hello)
    assert type(caught.value) is kind
    assert isinstance(caught.value, durable.RpcError)
    assert caught.value.code is code
    assert caught.value.reason == reason
    assert caught.value.metadata == {"k": "v"}


async def test_errors_without_our_details_go_by_their_code(
    control: Control, client: Facade
) -> None:
    control.answers(
        "GetInvocation",
        Refused(grpc.StatusCode.NOT_FOUND, message="some proxy"),
        Refused(grpc.StatusCode.NOT_FOUND, "THEIRS", domain="example.com"),
    )
    for _ in range(2):
        with pytest.raises(durable.NotFoundError) as caught:
            await client("get", ID)
        assert caught.value.reason == ""


async def test_nobody_there(unused_tcp_port_factory: Any, client: Facade) -> None:
    kind = type(client.client)
    nobody = Facade(kind(f"127.0.0.1:{unused_tcp_port_factory()}", timeout=0.2))
    with pytest.raises(durable.UnavailableError, match="no control plane answers at 127"):
        await nobody("stats")
    closed = nobody.client.close()
    if closed is not None:
        await closed


@pytest.mark.parametrize(
    "error",
    [
        Refused(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
        Refused(grpc.StatusCode.UNAVAILABLE),
        Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_REACHED"),
    ],
)
async def test_retries_keep_the_request_id(
    control: Control, client: Facade, error: Refused
) -> None:
    control.answers("Invoke", error, error, completed('"ok"'))
    assert await client("invoke", hello) == "ok"
    ids = [request.request_id for request in control.asked("Invoke")]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert ids[0]


@pytest.mark.parametrize(
    ("method", "args", "rpc"),
    [
        ("pause", (ID,), "Pause"),
        ("resume", (ID,), "Resume"),
        ("cancel", (ID,), "Cancel"),
        ("resolve_awakeable", ("w", 1), "ResolveAwakeable"),
        ("reject_awakeable", ("w", "no"), "ResolveAwakeable"),
        ("invoke_async", (hello,), "Invoke"),
    ],
)
async def test_every_change_is_retried_with_its_id(
    control: Control, client: Facade, method: str, args: tuple[Any, ...], rpc: str
) -> None:
    answer = getattr(control_pb2, f"{rpc}Response")()
    control.answers(rpc, Refused(grpc.StatusCode.UNAVAILABLE), answer)
    await client(method, *args)
    ids = [request.request_id for request in control.asked(rpc)]
    assert len(ids) == 2
    assert ids[0]
    assert ids[0] == ids[1]


async def test_a_retry_after_the_connection_was_cut(control: Control, address: str) -> None:
    """The request was served and its answer lost: the same id comes again."""
    async with wire(address) as relay, durable.AsyncClient(relay.address) as client:

        async def lost(request: Any) -> Any:
            control.answers("Invoke", completed('"again"'))
            relay.cut()
            return completed('"lost"')

        control.script["Invoke"] = lost
        assert await client.invoke(hello) == "again"
        first, second = control.asked("Invoke")
        assert first.request_id == second.request_id


async def test_what_would_fail_again_is_not_retried(control: Control, client: Facade) -> None:
    control.answers("Invoke", Refused(grpc.StatusCode.INTERNAL, "INTERNAL"))
    with pytest.raises(durable.RpcError):
        await client("invoke", hello)
    assert len(control.asked("Invoke")) == 1
    control.requests.clear()
    with pytest.raises(durable.RpcError, match="larger than max"):
        await client("invoke", hello, "x" * (17 * 1024 * 1024))
    assert not control.requests


async def test_steering(control: Control, client: Facade) -> None:
    control.answers("Pause", control_pb2.PauseResponse(state=6))
    control.answers("Resume", control_pb2.ResumeResponse(state=2))
    control.answers("Cancel", control_pb2.CancelResponse(state=9))
    assert await client("pause", ID, reason="r", identity="me") == "paused"
    assert await client("resume", ID) == "pending"
    assert await client("cancel", ID, reason="r", force=True) == "cancelled"
    (pause,) = control.asked("Pause")
    assert (pause.invocation_id, pause.reason, pause.identity) == (ID, "r", "me")
    (cancel,) = control.asked("Cancel")
    assert cancel.force


async def test_awakeables(control: Control, client: Facade) -> None:
    control.answers("ResolveAwakeable", control_pb2.ResolveAwakeableResponse())
    await client("resolve_awakeable", "w", {"approved": True})
    await client("reject_awakeable", "w", "no budget", code=403)
    resolved, rejected = control.asked("ResolveAwakeable")
    assert resolved.outcome.value.data.replace(b" ", b"") == b'{"approved":true}'
    assert rejected.outcome.failure.message == "no budget"
    assert rejected.outcome.failure.code == 403
    assert rejected.outcome.failure.terminal


async def test_get(control: Control, client: Facade) -> None:
    message = invocation_pb2.Invocation(
        invocation_id=ID,
        handler="hello",
        state=invocation_pb2.INVOCATION_STATE_BACKING_OFF,
        input=payload_pb2.Payload(data=b'"x"'),
        attempt=3,
        last_failure=payload_pb2.Failure(message="boom"),
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        workflow_state={"cart": payload_pb2.Payload(data=b"[1]")},
        journal=[
            invocation_pb2.JournalEntry(
                index=0, kind=invocation_pb2.ENTRY_KIND_AWAKEABLE, name="approval"
            )
        ],
    )
    control.answers("GetInvocation", control_pb2.GetInvocationResponse(invocation=message))
    found = await client("get", ID)
    assert (found.status, found.finished, found.attempt) == ("backing_off", False, 3)
    assert found.input == "x"
    assert found.failure.message == "boom"
    assert found.create_time == datetime(2026, 1, 2, tzinfo=UTC)
    assert found.start_time is None
    assert found.workflow_state == {"cart": [1]}
    assert found.journal[0].step_type == "AWAKEABLE:approval"
    assert not found.journal[0].completed


async def test_query_list_and_stats(control: Control, client: Facade) -> None:
    one = invocation_pb2.Invocation(invocation_id=ID, handler="hello", state=8)
    control.answers("Query", control_pb2.QueryResponse(invocations=[one], next_page_token="t"))
    page = await client(
        "query",
        status=["failed", "paused"],
        handler="hello",
        create_time_min=datetime(2026, 1, 1, tzinfo=UTC),
        page_size=10,
    )
    assert page.next_page_token == "t"
    assert [it.status for it in page.invocations] == ["failed"]
    (request,) = control.asked("Query")
    assert list(request.states) == [8, 6]
    assert request.create_time_min.ToDatetime(tzinfo=UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no invocation status"):
        await client("query", status="broken")

    def handlers(name: str, token: str) -> control_pb2.ListHandlersResponse:
        info = invocation_pb2.HandlerInfo(spec={"name": name}, worker_count=2, pending_count=1)
        return control_pb2.ListHandlersResponse(handlers=[info], next_page_token=token)

    control.answers("ListHandlers", handlers("a", "more"), handlers("b", ""))
    found = await client("list_handlers")
    assert [it.name for it in found] == ["a", "b"]
    assert found[0].worker_count == 2
    assert control.asked("ListHandlers")[1].page_token == "more"

    counts = [
        control_pb2.StateCount(handler="a", state=7, count=2),
        control_pb2.StateCount(handler="b", state=7, count=1),
    ]
    control.answers(
        "GetStats", control_pb2.GetStatsResponse(counts=counts, total_count=3, worker_count=1)
    )
    stats = await client("stats")
    assert (stats.total, stats.worker_count) == (3, 1)
    assert stats.by_status == {"completed": 3}
    assert stats.by_handler == {"a": {"completed": 2}, "b": {"completed": 1}}


async def test_one_sync_client_in_many_threads(control: Control, address: str) -> None:
    async def echo(request: Any) -> Any:
        return completed(request.input)

    control.script["Invoke"] = echo
    with durable.Client(address) as client, ThreadPoolExecutor(16) as threads:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(threads, client.invoke, hello, str(n)) for n in range(200)]
        assert await asyncio.gather(*calls) == [str(n) for n in range(200)]
    assert len({request.request_id for request in control.asked("Invoke")}) == 200


async def test_many_concurrent_calls_of_one_async_client(control: Control, address: str) -> None:
    async def echo(request: Any) -> Any:
        return completed(request.input)

    control.script["Invoke"] = echo
    async with durable.AsyncClient(address) as client:
        values = await asyncio.gather(*(client.invoke(hello, str(n)) for n in range(500)))
        assert values == [str(n) for n in range(500)]


async def test_an_async_client_belongs_to_one_loop(control: Control, address: str) -> None:
    control.answers("Invoke", completed('"x"'))
    async with durable.AsyncClient(address) as client:
        await client.invoke(hello)

        def elsewhere() -> None:
            async def use() -> None:
                await client.invoke(hello)

            asyncio.run(use())

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(elsewhere)
    with pytest.raises(RuntimeError, match="closed"):
        await client.invoke(hello)


async def test_cancelling_a_call_cancels_only_the_waiting(control: Control, address: str) -> None:
    asked = asyncio.Event()

    async def never(request: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    control.script["Invoke"] = never
    async with durable.AsyncClient(address) as client:
        call = asyncio.create_task(client.invoke(hello))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        control.answers("Invoke", completed('"x"'))
        assert await client.invoke(hello) == "x"
