"""What the clients send to steer and what they show of it, both clients through the same tests.

The control plane plays a script, as in `test_client_calls`; against the real one the same surface is
tried in `test_client_steering` and `test_client_real_work`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

import durable
from durable._client.options import default_identity
from durable_proto.v1 import control_pb2, invocation_pb2, payload_pb2
from examples.services.hello_v1 import hello_pb2

from .clients import KINDS, Facade, client_of
from .peers import Control, Refused, completed, serving
from .test_client_calls import ID

RUNNING = invocation_pb2.INVOCATION_STATE_RUNNING
COMPLETED = invocation_pb2.INVOCATION_STATE_COMPLETED


class Watched(Control):
    """A control plane whose watches play one script after another: messages, then an error or not."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[list[Any]] = []

    async def WatchInvocation(self, request: Any, context: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        self.requests.append(("WatchInvocation", request))
        for item in self.streams.pop(0):
            if isinstance(item, Refused):
                await item.abort(context)
            yield control_pb2.WatchInvocationResponse(invocation=item)


@pytest.fixture
async def control() -> Watched:
    return Watched()


@pytest.fixture
async def address(control: Watched) -> AsyncIterator[str]:
    async with serving(control) as address:
        yield address


@pytest.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Facade]:
    async with client_of(request.param, address) as one:
        yield one


async def items(client: Facade, method: str, *args: Any, **kwargs: Any) -> list[Any]:
    """All that an iterating method gives."""
    function = getattr(client.client, method)
    if isinstance(client.client, durable.Client):
        return await asyncio.to_thread(lambda: list(function(*args, **kwargs)))
    return [item async for item in function(*args, **kwargs)]


async def test_a_pause_waits_and_says_who_asks(control: Watched, client: Facade) -> None:
    control.answers("Pause", control_pb2.PauseResponse(state=6))
    assert await client("pause", ID) == "paused"
    assert await client("pause", ID, timeout=0.5, identity="me") == "paused"
    assert await client("pause", ID, timeout=500) == "paused"
    default, short, long = control.asked("Pause")
    assert default.identity == default_identity()
    assert "@" in default.identity
    assert default.wait_timeout.ToMilliseconds() == 5000
    assert short.identity == "me"
    assert short.wait_timeout.ToMilliseconds() == 500
    # No longer than the client's own timeout.
    assert long.wait_timeout.ToMilliseconds() <= 10_000


async def test_restart(control: Watched, client: Facade) -> None:
    control.answers("Restart", control_pb2.RestartResponse(invocation_id="b" * 32))
    assert await client("restart", ID, from_index=3, reason="again") == "b" * 32
    await client("restart", ID, input=None)
    await client("restart", ID, outcomes={0: [1]}, failures={2: "no"}, while_running=True)
    with pytest.raises(ValueError, match="both have the step 2"):
        await client("restart", ID, outcomes={2: 1}, failures={2: "no"})
    first, second, third = control.asked("Restart")
    assert (first.while_running, len(first.outcomes)) == (False, 0)
    assert third.while_running
    assert third.outcomes[0].value.data == b"[1]"
    failure = third.outcomes[2].failure
    assert (failure.type, failure.message, failure.terminal) == ("durable.Edited", "no", True)
    assert (first.from_index, first.reason) == (3, "again")
    assert not first.HasField("input")
    assert first.request_id
    assert second.input.data == b"null"


async def test_signals_and_promises(control: Watched, client: Facade) -> None:
    control.answers("Signal", control_pb2.SignalResponse())
    control.answers("ResolveAwakeable", control_pb2.ResolveAwakeableResponse())
    await client("signal", ID, "price", 3)
    await client("resolve_promise", ID, "approval", True)
    await client("reject_promise", ID, "approval", "no", code=409)
    (signal,) = control.asked("Signal")
    assert (signal.invocation_id, signal.name, signal.outcome.value.data) == (ID, "price", b"3")
    assert signal.request_id
    resolved, rejected = control.asked("ResolveAwakeable")
    assert resolved.awakeable_id == rejected.awakeable_id == f"{ID}.approval"
    assert resolved.outcome.value.data == b"true"
    assert rejected.outcome.failure.code == 409


async def test_a_webhook_is_asked_for_and_shown(control: Watched, client: Facade) -> None:
    until = datetime(2030, 1, 2, tzinfo=UTC)
    answer = control_pb2.CreateWebhookResponse(url="https://x/webhooks/t", webhook_id="a#1")
    answer.expire_time.FromDatetime(until)
    control.answers("CreateWebhook", answer)
    made = await client("create_webhook", "a")
    assert made == durable.Webhook("https://x/webhooks/t", until, "a#1")
    assert made.url not in repr(made)
    span = timedelta(hours=1)
    await client("create_webhook", "a", expires_in=span, scheme="stripe", secret="shop")
    await client("create_webhook", "a", expires_in=0.5)
    plain, full, short = control.asked("CreateWebhook")
    assert plain == control_pb2.CreateWebhookRequest(awakeable_id="a")
    assert full.expires_in.ToTimedelta() == span
    assert (full.scheme, full.secret_name) == ("stripe", "shop")
    assert short.expires_in.ToMilliseconds() == 500


async def test_webhooks_are_revoked(control: Watched, client: Facade) -> None:
    answer = control_pb2.RevokeWebhookResponse(awakeable_id="a", invocation_id=ID, resolved=True)
    control.answers("RevokeWebhook", answer)
    assert await client("revoke_webhook", "a#1") == durable.Revocation("a", ID, True)
    assert await client("revoke_webhooks", "a") == durable.Revocation("a", ID, True)
    one, every = control.asked("RevokeWebhook")
    assert one == control_pb2.RevokeWebhookRequest(webhook="a#1")
    assert every == control_pb2.RevokeWebhookRequest(awakeable_id="a")


async def test_states(control: Watched, client: Facade) -> None:
    payload = payload_pb2.Payload(data=b"[1]")
    control.answers("GetState", control_pb2.GetStateResponse(state={"b": payload, "a": payload}))
    control.answers("SetState", control_pb2.SetStateResponse())
    assert await client("get_state", object="cart", key="k") == {"a": [1], "b": [1]}
    await client("get_state", invocation_id=ID)
    await client("set_state", object="cart", key="k", values={"a": {"x": 1}}, clear=["b"])
    await client("set_state", object="cart", key="k", clear_all=True)
    by_key, by_id = control.asked("GetState")
    assert (by_key.object, by_key.key, by_id.invocation_id) == ("cart", "k", ID)
    changed, cleared = control.asked("SetState")
    assert changed.state["a"].data == b'{"x":1}'
    assert list(changed.cleared_names) == ["b"]
    assert cleared.clear_all
    with pytest.raises(TypeError, match="several names"):
        await client("set_state", object="cart", key="k", clear="b")


async def test_start_time_and_delay_take_each_other_back(control: Watched, client: Facade) -> None:
    control.answers("Invoke", completed("1"))
    at = datetime(2030, 1, 1, tzinfo=UTC)
    view = client.options(delay=timedelta(seconds=5)).options(start_time=at)
    await view("invoke", "x")
    await view.options(delay=timedelta(seconds=5))("invoke", "x")
    first, second = control.asked("Invoke")
    assert first.start_time.ToDatetime(tzinfo=UTC) == at
    assert not first.HasField("delay")
    assert second.delay.seconds == 5
    assert not second.HasField("start_time")
    with pytest.raises(ValueError, match="one of them"):
        client.options(delay=timedelta(seconds=5), start_time=at)


async def test_query_all_goes_through_the_pages(control: Watched, client: Facade) -> None:
    def page(name: str, token: str) -> control_pb2.QueryResponse:
        one = invocation_pb2.Invocation(invocation_id=name)
        return control_pb2.QueryResponse(invocations=[one], next_page_token=token)

    control.answers("Query", page("a", "1"), page("b", "2"), page("c", ""))
    found = await items(client, "query_all", parent_invocation_id=ID, page_size=1)
    assert [it.invocation_id for it in found] == ["a", "b", "c"]
    asked = control.asked("Query")
    assert [request.page_token for request in asked] == ["", "1", "2"]
    assert {request.parent_invocation_id for request in asked} == {ID}


async def test_workers_and_server_info(control: Watched, client: Facade) -> None:
    worker = control_pb2.WorkerInfo(worker_id="w", handlers=["a"], slot_count=3, running_count=1)
    worker.connect_time.seconds = 1_700_000_000
    control.answers("ListWorkers", control_pb2.ListWorkersResponse(workers=[worker]))
    info = control_pb2.GetServerInfoResponse(version="1", limits={"b": 2, "a": 1}, epoch=4)
    control.answers("GetServerInfo", info)
    (found,) = await client("list_workers")
    assert (found.worker_id, found.handlers, found.slot_count) == ("w", ("a",), 3)
    assert found.to_dict()["connect_time"] == "2023-11-14T22:13:20Z"
    server = await client("server_info")
    assert (server.version, server.limits, server.epoch) == ("1", {"a": 1, "b": 2}, 4)
    # A version that does not tell the number has one partition.
    assert server.partition_count == 1
    json.dumps([found.to_dict(), server.to_dict()])


async def test_an_invocation_shows_all_that_is_known(control: Watched, client: Facade) -> None:
    message = invocation_pb2.Invocation(
        invocation_id=ID,
        handler="h",
        state=RUNNING,
        parent_invocation_id="p",
        headers={"a": "b"},
        cancel=invocation_pb2.CancelInfo(identity="ann", reason="wrong order"),
        pause=invocation_pb2.PauseInfo(identity="bob", reason="look"),
        deadline=datetime(2030, 1, 1, tzinfo=UTC),
        awakeables=[invocation_pb2.Awakeable(awakeable_id="w1", invocation_id=ID)],
        workflow_state={"cart": payload_pb2.Payload(data=b"[1]")},
        attempts=[
            invocation_pb2.InvocationAttempt(
                attempt=1,
                run=1,
                worker_id="w",
                end=invocation_pb2.ATTEMPT_END_RETRIED,
                failure=payload_pb2.Failure(type="E", message="no"),
            ),
            invocation_pb2.InvocationAttempt(attempt=2, run=1, worker_id="w", build_id="b2"),
        ],
        input=payload_pb2.Payload(content_type="image/png", data=b"\x89"),
    )
    entry = message.journal.add(kind=invocation_pb2.ENTRY_KIND_CALL, name="S.M")
    entry.outcome.value.content_type = "application/x-protobuf; message=hello.v1.HelloResponse"
    entry.outcome.value.data = hello_pb2.HelloResponse(message="hi").SerializeToString()
    full_name = hello_pb2.HelloResponse.DESCRIPTOR.full_name
    entry.outcome.value.content_type = f"application/x-protobuf; message={full_name}"
    control.answers("GetInvocation", control_pb2.GetInvocationResponse(invocation=message))
    found = await client("get", ID)
    assert found.cancel == durable.Request("ann", "wrong order", None)
    assert found.pause.reason == found.pause_reason == "look"
    assert found.deadline == datetime(2030, 1, 1, tzinfo=UTC)
    assert [it.awakeable_id for it in found.awakeables if not it.resolved] == ["w1"]
    assert found.workflow_state == {"cart": [1]}
    assert found.parent_invocation_id == "p"
    with pytest.raises(TypeError):
        found.headers["a"] = "c"
    with pytest.raises(AttributeError):
        found.status = "completed"
    data = json.loads(json.dumps(found.to_dict()))
    assert data["status"] == "running"
    assert data["deadline"] == "2030-01-01T00:00:00Z"
    assert data["cancel"]["identity"] == "ann"
    # What this program cannot decode is shown as what it is.
    assert data["input"] == {"content_type": "image/png", "base64": "iQ=="}
    assert data["journal"][0]["value"] == {"message": "hi"}
    assert data["workflow_state"] == {"cart": [1]}
    first, second = found.attempts
    assert (first.attempt, first.end, first.failure.message) == (1, "retried", "no")
    assert (second.build_id, second.end, second.end_time, second.failure) == ("b2", "", None, None)
    assert [it["end"] for it in data["attempts"]] == ["retried", ""]
    assert set(data) - set(found.to_dict(brief=True)) == {
        *("input", "headers", "journal", "failing_steps", "attempts", "awakeables"),
        "workflow_state",
    }


def shape(state: int, *entries: tuple[int, int], **fields: Any) -> invocation_pb2.Invocation:
    """An invocation with journal entries: index and completion number."""
    message = invocation_pb2.Invocation(invocation_id=ID, state=state, **fields)
    for index, number in entries:
        message.journal.add(index=index, completion_number=number)
    return message


async def test_a_watch_survives_and_shows_nothing_twice(control: Watched, client: Facade) -> None:
    control.streams = [
        [shape(RUNNING, (0, 0)), shape(RUNNING, (0, 1)), Refused(grpc.StatusCode.UNAVAILABLE)],
        [shape(RUNNING, (0, 1)), Refused(grpc.StatusCode.UNAVAILABLE)],
        [],
        [shape(RUNNING, (0, 1), (1, 0)), shape(COMPLETED, (1, 2))],
    ]
    found = await items(client, "watch", ID)
    assert [it.status for it in found] == ["running", "running", "running", "completed"]
    shown = [[(e.step_number, e.message.completion_number) for e in it.journal] for it in found]
    assert shown == [[(0, 0)], [(0, 1)], [(1, 0)], [(1, 2)]]
    assert not control.streams


async def test_a_watch_shows_an_attempt_when_it_begins_and_when_it_ends(
    control: Watched, client: Facade
) -> None:
    def form(state: int, *attempts: tuple[int, int]) -> invocation_pb2.Invocation:
        shown = [invocation_pb2.InvocationAttempt(attempt=it, end=end) for it, end in attempts]
        return shape(state, attempts=shown)

    lost, done = invocation_pb2.ATTEMPT_END_LOST, invocation_pb2.ATTEMPT_END_COMPLETED
    control.streams = [
        [form(RUNNING, (1, 0)), Refused(grpc.StatusCode.UNAVAILABLE)],
        # The next stream begins with all of them.
        [form(RUNNING, (1, 0)), Refused(grpc.StatusCode.UNAVAILABLE)],
        [form(RUNNING, (1, lost), (2, 0)), Refused(grpc.StatusCode.UNAVAILABLE)],
        [form(COMPLETED, (1, lost), (2, done))],
    ]
    found = await items(client, "watch", ID)
    shown = [[(it.attempt, it.end) for it in view.attempts] for view in found]
    assert shown == [[(1, "")], [(1, "lost"), (2, "")], [(2, "completed")]]


async def test_a_watch_that_is_refused_or_left(control: Watched, client: Facade) -> None:
    refused = Refused(grpc.StatusCode.NOT_FOUND, "INVOCATION_NOT_FOUND")
    control.streams = [[refused]]
    with pytest.raises(durable.NotFoundError, match="refused"):
        await items(client, "watch", ID)
    away = Refused(grpc.StatusCode.UNAVAILABLE)
    control.streams = [[away] for _ in range(1000)]
    with pytest.raises(durable.UnavailableError):
        await items(client.options(timeout=0.3), "watch", ID)
