"""The clients steer and watch real work: a real control plane, a real worker, both clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.sessions.times import SessionTimes
from tests.cli import flows

from .clients import KINDS, Facade, client_of
from .peers import wire
from .test_client_surface import items

WORKFLOWS = durable.load_workflows(["tests.cli.flows"])


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    config = Config(
        listen="127.0.0.1:0",
        data_dir=tmp_path / "data",
        grace_seconds=0.2,
        times=SessionTimes(heartbeat=0.5, timeout=3.0, grace=0.1),
    )
    async with ControlPlane(config) as plane:
        worker = durable.Worker(plane.address, workflows=WORKFLOWS, suspend_after=0.2)
        running = asyncio.create_task(worker.run())
        await worker.ready()
        yield plane.address
        running.cancel()
        await asyncio.wait({running})


@pytest.fixture(params=KINDS)
async def client(request: pytest.FixtureRequest, address: str) -> AsyncIterator[Facade]:
    async with client_of(request.param, address, seconds=20) as one:
        yield one


async def at_step(client: Facade, invocation_id: str, steps: int) -> durable.Invocation:
    """Returns an invocation once its journal has so many entries."""
    return await reaches(client, invocation_id, lambda it: it.journal_length >= steps)


async def reaches(
    client: Facade, invocation_id: str, condition: Callable[[durable.Invocation], bool]
) -> durable.Invocation:
    """Returns an invocation once it meets a condition."""
    async with asyncio.timeout(20):
        while True:
            found: durable.Invocation = await client("get", invocation_id)
            if condition(found):
                return found
            await asyncio.sleep(0.01)


async def test_a_pause_comes_back_when_it_is_paused(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.slow, 1)
    await reaches(client, invocation_id, lambda it: it.status == "running")
    assert await client("pause", invocation_id, timeout=0) == "running"
    assert await client("pause", invocation_id, reason="look", identity="ann") == "paused"
    found = await client("get", invocation_id)
    assert found.status == "paused"
    # The first request is the one that holds it.
    assert found.pause is not None
    assert found.pause.time is not None
    assert [it.completed for it in found.journal] == [True]
    assert await client("resume", invocation_id) in ("pending", "running")
    with pytest.raises(durable.PreconditionError):
        await client("resume", invocation_id)
    found = await at_step(client, invocation_id, 2)
    assert found.pause is None


async def test_cancel_lets_the_handler_compensate(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.careful)
    await at_step(client, invocation_id, 1)
    await client("cancel", invocation_id, reason="changed my mind", identity="ann")
    result = await client("get_result", invocation_id)
    assert result.status == "cancelled"
    found = await client("get", invocation_id)
    assert [it.name for it in found.journal if it.kind == "RUN"] == ["give back"]
    assert (found.cancel.identity, found.cancel.reason) == ("ann", "changed my mind")
    assert await client("cancel", invocation_id) == "cancelled"


async def test_cancel_by_force_does_not_ask(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.careful)
    await at_step(client, invocation_id, 1)
    assert await client("cancel", invocation_id, force=True) == "cancelled"
    found = await client("get", invocation_id)
    assert "RUN" not in [it.kind for it in found.journal]


async def test_restart(client: Facade) -> None:
    first = await client("invoke", "greet", "x")
    with_another = await client("restart", first.invocation_id, input="y")
    assert (await client("get_result", with_another)).value() == "Hello, y!"
    copied = await client("restart", first.invocation_id, from_index=1)
    assert copied != first.invocation_id
    assert (await client("get_result", copied, flows.greet)).value() == "Hello, x!"
    going = await client("invoke_async", flows.nap)
    with pytest.raises(durable.PreconditionError):
        await client("restart", going)


async def test_signals_are_kept_in_order(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.patient)
    await client("signal", invocation_id, "price", 3)
    await client("signal", invocation_id, "price", {"amount": 4})
    assert (await client("get_result", invocation_id)).value() == [3, {"amount": 4}]
    with pytest.raises(durable.PreconditionError):
        await client("signal", invocation_id, "price", 5)


async def test_a_promise_is_resolved_by_its_name(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.approval)
    found = await at_step(client, invocation_id, 2)
    assert found.workflow_state == {"asked": True}
    assert await client("get_state", invocation_id=invocation_id) == {"asked": True}
    (open_,) = found.awakeables
    assert (open_.awakeable_id, open_.resolved) == (f"{invocation_id}.approved", False)
    await client("resolve_promise", invocation_id, "approved", {"by": "ann"})
    assert (await client("get_result", invocation_id)).value() == {"by": "ann"}
    # The first outcome counts; the same again changes nothing.
    await client("resolve_awakeable", open_.awakeable_id, {"by": "ann"})
    with pytest.raises(durable.AlreadyExistsError):
        await client("reject_promise", invocation_id, "approved", "no")
    with pytest.raises(durable.NotFoundError):
        await client("resolve_promise", "f" * 32, "approved")


async def test_a_rejected_promise_fails_whoever_awaits_it(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.approval)
    await client("reject_promise", invocation_id, "approved", "no budget", code=402)
    result = await client("get_result", invocation_id)
    assert result.status == "failed"
    assert "no budget" in result.failure.message
    assert result.failure.code == 402


async def test_the_state_of_an_object_is_seen_and_changed(client: Facade) -> None:
    assert await client("get_state", object="cart", key="ann") == {}
    view = client.options(key="ann")
    assert (await view("invoke", "cart.add", "tea")).value() == 1
    await client("set_state", object="cart", key="ann", values={"tea": 5, "milk": 1})
    assert (await view("invoke", "cart.add", "tea")).value() == 6
    await client("set_state", object="cart", key="ann", clear=["milk"])
    assert await client("get_state", object="cart", key="ann") == {"tea": 6}
    await client("set_state", object="cart", key="ann", clear_all=True, values={"new": None})
    assert await client("get_state", object="cart", key="ann") == {"new": None}
    with pytest.raises(durable.InvalidArgumentError):
        await client("get_state", object="nothing", key="ann")


async def test_children_pages_workers_and_purge(client: Facade) -> None:
    parent = await client("invoke", "parent")
    (child,) = await items(client, "query_all", parent_invocation_id=parent.invocation_id)
    assert (child.handler, child.parent_invocation_id) == ("greet", parent.invocation_id)
    for _ in range(4):
        await client("invoke", "greet")
    found = await items(client, "query_all", handler="greet", page_size=2, oldest_first=True)
    assert len(found) == 5
    assert found[0].invocation_id == child.invocation_id
    last = await client("query", handler="greet", page_size=1, order_by="complete_time desc")
    assert last.invocations[0].complete_time == max(it.complete_time for it in found)
    (worker,) = await client("list_workers")
    assert "cart.add" in worker.handlers
    assert (await client("server_info")).limits["page_size"] == 500
    await client("purge", found[-1].invocation_id)
    with pytest.raises(durable.NotFoundError):
        await client("get", found[-1].invocation_id)
    going = await client("invoke_async", flows.nap)
    with pytest.raises(durable.PreconditionError):
        await client("purge", going)


async def test_a_start_time_is_kept(client: Facade) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    invocation_id = await client.options(start_time=at)("invoke_async", flows.greet)
    found = await client("get", invocation_id)
    assert found.status == "scheduled"
    assert abs(found.wake_time - at) < timedelta(milliseconds=2)


async def test_a_watch_sees_each_step_once(client: Facade) -> None:
    invocation_id = await client("invoke_async", flows.order, "tea")
    found = await items(client, "watch", invocation_id)
    assert found[-1].status == "completed"
    ends = [it.step_number for shown in found for it in shown.journal if it.completed]
    assert ends == [0, 1]


async def test_a_watch_outlives_its_connection(address: str) -> None:
    async with wire(address) as relay, durable.AsyncClient(relay.address, timeout=20) as client:
        invocation_id = await client.invoke_async(flows.approval)
        shown: list[Any] = []
        async with aclosing(client.watch(invocation_id)) as changes:  # type: ignore[type-var]
            async for found in changes:
                shown.append(found)
                if len(shown) == 1:
                    relay.cut()
                    await client.resolve_promise(invocation_id, "approved", 1)
        assert shown[-1].output == 1
        ends = [it.step_number for found in shown for it in found.journal if it.completed]
        assert sorted(ends) == sorted(set(ends))


async def test_a_watch_of_nothing(client: Facade) -> None:
    with pytest.raises(durable.NotFoundError):
        await items(client, "watch", "f" * 32)
