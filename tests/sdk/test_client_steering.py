"""What the clients do to invocations, both clients, on a real control plane with a worker by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

import durable
from durable_proto.v1 import control_pb2, invocation_pb2, worker_pb2
from durable_server.app import ControlPlane
from tests.support.manual_worker import ManualWorker, message_about, open_entry
from tests.support.waiting import eventually

from .clients import KINDS, Facade, client_of
from .peers import Control, Refused, completed, serving

EXCLUSIVE = invocation_pb2.HANDLER_KIND_OBJECT_EXCLUSIVE


@pytest.fixture(params=KINDS)
async def client(
    request: pytest.FixtureRequest,
    plane: ControlPlane,
) -> AsyncIterator[Facade]:
    async with client_of(request.param, plane.address) as one:
        yield one


@pytest.fixture
async def worker(channel: grpc.aio.Channel) -> AsyncIterator[ManualWorker]:
    async with ManualWorker(channel) as one:
        yield one


async def views(client: Facade, invocation_id: str, **how: Any) -> list[durable.Invocation]:
    """All that a watch shows."""
    if isinstance(client.client, durable.Client):
        sync = client.client
        return await asyncio.to_thread(lambda: list(sync.watch(invocation_id, **how)))
    return [view async for view in client.client.watch(invocation_id, **how)]


async def watched(plane: ControlPlane, invocation_id: str) -> None:
    """Returns when a request follows the changes of the invocation."""
    await eventually(lambda: invocation_id in plane.router.any().subscriptions.watchers)


def say_paused(start: worker_pb2.ServerMessage) -> worker_pb2.WorkerMessage:
    message = message_about(start)
    message.paused.SetInParent()
    return message


async def test_pause_returns_when_it_is_paused(
    client: Facade, worker: ManualWorker, plane: ControlPlane
) -> None:
    invocation_id = await client("invoke_async", "three", "in")
    start = await worker.receive("start")
    assert await client("pause", invocation_id, timeout=0) == "running"
    await worker.receive("pause_requested")
    pausing = asyncio.create_task(client("pause", invocation_id, reason="look", identity="me"))
    await watched(plane, invocation_id)
    assert not pausing.done()
    await worker.step(start, 0)
    await worker.send(say_paused(start))
    assert await pausing == "paused"
    found = await client("get", invocation_id)
    assert found.pause.identity
    assert found.status == "paused"
    assert await client("resume", invocation_id) in ("pending", "running")
    again = await worker.receive("start")
    assert len(again.start.journal) == 1


async def test_who_asks_is_user_and_host(client: Facade, worker: ManualWorker) -> None:
    later = client.options(start_time=datetime.now(UTC) + timedelta(hours=1))
    invocation_id = await later("invoke_async", "three")
    assert (await client("get", invocation_id)).status == "scheduled"
    assert await client("pause", invocation_id, reason="look") == "paused"
    found = await client("get", invocation_id)
    assert "@" in found.pause.identity
    assert found.pause_reason == "look"
    assert await client("cancel", invocation_id, reason="enough") == "cancelled"
    found = await client("get", invocation_id)
    assert found.cancel.reason == "enough"
    assert "@" in found.cancel.identity
    assert found.cancel.time is not None
    with pytest.raises(durable.PreconditionError):
        await client("pause", invocation_id)


async def test_delay_and_start_time_take_each_others_place() -> None:
    now = datetime.now(UTC)
    control = Control()
    control.answers("Invoke", completed("1"))
    async with serving(control) as address, durable.AsyncClient(address) as caller:
        await caller.options(delay=timedelta(1)).options(start_time=now).invoke_async("three")
        await caller.options(start_time=now).options(delay=1.5).invoke_async("three")
    first, second = control.asked("Invoke")
    assert (first.HasField("delay"), first.start_time.ToDatetime(UTC)) == (False, now)
    assert (second.delay.ToMilliseconds(), second.HasField("start_time")) == (1500, False)


def test_a_delay_that_cannot_be_is_refused() -> None:
    client = durable.Client("127.0.0.1:1")
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="give one"):
        client.options(delay=timedelta(1), start_time=now)
    with pytest.raises(TypeError, match="seconds or a timedelta, not '5m'"):
        client.options(delay="5m")  # type: ignore[arg-type]  # what is wrong with it
    with pytest.raises(ValueError, match="delay is nan"):
        client.options(delay=float("nan"))
    client.close()


async def test_cancel_with_force(client: Facade, worker: ManualWorker) -> None:
    invocation_id = await client("invoke_async", "three")
    await worker.receive("start")
    assert await client("cancel", invocation_id, force=True) == "cancelled"
    await worker.receive("abandon")


async def test_restart_and_purge(client: Facade, worker: ManualWorker) -> None:
    old = await client("invoke_async", "three", "in")
    start = await worker.receive("start")
    with pytest.raises(durable.PreconditionError):
        await client("restart", old)
    await worker.step(start, 0)
    await worker.step(start, 1)
    await worker.finish(start)
    await client("get_result", old)
    new = await client("restart", old, from_index=1)
    again = await worker.receive("start")
    assert again.invocation_id == new
    assert (again.start.input.data, len(again.start.journal)) == (b'"in"', 1)
    other = await client("restart", old, input={"a": 1}, reason="again")
    third = await worker.receive("start")
    assert third.invocation_id == other
    assert third.start.input.data.replace(b" ", b"") == b'{"a":1}'
    page = await client("query", parent_invocation_id=old)
    assert {it.invocation_id for it in page.invocations} == {new, other}
    assert {it.parent_invocation_id for it in page.invocations} == {old}
    await client("purge", old)
    with pytest.raises(durable.NotFoundError):
        await client("get", old)


async def test_signals_and_awakeables(client: Facade, worker: ManualWorker) -> None:
    invocation_id = await client("invoke_async", "three")
    start = await worker.receive("start")
    await worker.send(open_entry(start, 0, "SIGNAL", "go"))
    await worker.receive("ack")
    await client("signal", invocation_id, "go", [1])
    assert (await worker.receive("completion")).completion.outcome.value.data == b"[1]"
    for index, name in ((1, "yes"), (2, "no"), (3, "open")):
        await worker.send(open_entry(start, index, "AWAKEABLE", f"{invocation_id}.{name}"))
        await worker.receive("ack")
    await client("resolve_awakeable", f"{invocation_id}.yes", {"ok": True})
    await worker.receive("completion")
    await client("reject_awakeable", f"{invocation_id}.no", "too late", code=409)
    assert (await worker.receive("completion")).completion.outcome.failure.code == 409
    shown = {it.awakeable_id[33:]: it for it in (await client("get", invocation_id)).awakeables}
    assert shown["yes"].to_dict()["value"] == {"ok": True}
    assert shown["no"].outcome.failure.message == "too late"
    assert not shown["open"].resolved
    assert shown["open"].resolve_time is None


async def test_state(client: Facade, channel: grpc.aio.Channel) -> None:
    worker = ManualWorker(channel)
    worker.hello.handlers.add(name="cart.add", kind=EXCLUSIVE)
    async with worker:
        await client("set_state", object="cart", key="u1", values={"n": 1, "items": ["a"]})
        assert await client("get_state", object="cart", key="u1") == {"items": ["a"], "n": 1}
        await client("set_state", object="cart", key="u1", values={"m": None}, clear=["n"])
        assert await client("get_state", object="cart", key="u1") == {"items": ["a"], "m": None}
        await client("set_state", object="cart", key="u1", clear_all=True)
        assert await client("get_state", object="cart", key="u1") == {}
        invocation_id = await client("invoke_async", "three")
        start = await worker.receive("start")
        await worker.send(open_entry(start, 0, "SET_STATE", "k", argument=b"[2]"))
        await worker.receive("ack")
        assert await client("get_state", invocation_id=invocation_id) == {"k": [2]}
        assert (await client("get", invocation_id)).workflow_state == {"k": [2]}
        with pytest.raises(durable.InvalidArgumentError):
            await client("get_state", object="nothing", key="u1")


async def test_watch_shows_each_change_until_the_end(
    client: Facade, worker: ManualWorker, plane: ControlPlane
) -> None:
    invocation_id = await client("invoke_async", "three")
    start = await worker.receive("start")
    watching = asyncio.create_task(views(client, invocation_id))
    await watched(plane, invocation_id)
    await worker.step(start, 0)
    await worker.step(start, 1)
    await worker.finish(start, b'"end"')
    shown = await asyncio.wait_for(watching, 20)
    assert shown[0].status == "running"
    assert (shown[-1].status, shown[-1].output) == ("completed", "end")
    assert {entry.step_number for it in shown for entry in it.journal} == {0, 1}
    [(name, count)] = [(it.handlers[0], it.running_count) for it in await client("list_workers")]
    assert (name, count) == ("three", 0)
    with pytest.raises(durable.NotFoundError):
        await views(client, "f" * 32)


class Streaming(Control):
    """A control plane whose watch plays one list of messages (or errors) for each stream."""

    def __init__(self, *streams: list[Any]) -> None:
        super().__init__()
        self.streams = list(streams)

    async def WatchInvocation(self, request: Any, context: Any) -> Any:
        for message in self.streams.pop(0):
            if isinstance(message, Refused):
                await message.abort(context)
            yield message


def shows(state: str, *steps: int) -> control_pb2.WatchInvocationResponse:
    number = invocation_pb2.InvocationState.Value(f"INVOCATION_STATE_{state}")
    journal = [invocation_pb2.JournalEntry(index=index) for index in steps]
    return control_pb2.WatchInvocationResponse(
        invocation=invocation_pb2.Invocation(invocation_id="a" * 32, state=number, journal=journal)
    )


@pytest.mark.parametrize("kind", [durable.Client, durable.AsyncClient])
async def test_a_watch_survives_a_reconnect(kind: Any) -> None:
    lost = Refused(grpc.StatusCode.UNAVAILABLE)
    control = Streaming(
        [shows("RUNNING", 0), lost],
        [lost],
        [shows("RUNNING", 0), shows("RUNNING", 1)],  # ends without a last word
        [shows("RUNNING", 0, 1), shows("COMPLETED")],
    )
    async with serving(control) as address:
        client = Facade(kind(address, timeout=10))
        shown = await views(client, "a" * 32)
        assert [(it.status, len(it.journal)) for it in shown] == [
            ("running", 1),
            ("running", 1),
            ("completed", 0),
        ]
        control.streams = [[lost]] * 50
        impatient = client.options(timeout=0.2)
        with pytest.raises(durable.UnavailableError):
            await views(impatient, "a" * 32)
        if (closing := client.client.close()) is not None:
            await closing
