"""Workflows in real workers under SIGKILL: nothing is lost, no committed step runs again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

import durable
from tests.support.processes import Child, control_plane, nats_of, running, until
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows
from .service import Hello

EXPECTED = [f"Hello, x-{number}!" for number in (1, 2, 3)]


@contextmanager
def worker(
    folder: Path, address: str, hello: Hello, name: str, **environment: str
) -> Iterator[Child]:
    """Runs a `durable worker` with the test workflows."""
    arguments = command(
        "-v", "worker", "tests.process.flows", "--address", address,
        "--service", f"HelloService={hello.address}",
    )  # fmt: skip
    with running(arguments, folder / f"{name}.log", environment=environment) as child:
        yield child


async def connected(client: durable.AsyncClient, handler: str, count: int = 1) -> None:
    """Waits until `count` workers serve a handler."""

    async def serve() -> bool:
        found = {it.name: it.worker_count for it in await client.list_handlers()}
        return found.get(handler) == count

    await eventually(serve)


async def held(hello: Hello) -> None:
    async with asyncio.timeout(30):
        await hello.held.wait()


@pytest.mark.parametrize("flow", [flows.three_calls, flows.side_by_side], ids=lambda it: it.name)
async def test_a_killed_worker_s_work_is_finished_by_another(
    tmp_path: Path, flow: durable.Workflow[[str], list[str]]
) -> None:
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                hello.hold("x-3")
                with worker(tmp_path, address, hello, "first") as first:
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow, "x")
                    await held(hello)
                    await recorded(client, invocation_id, 2)
                    first.kill()
                hello.hold("")
                with worker(tmp_path, address, hello, "second"):
                    result = await client.get_result(invocation_id, flow)
                    assert result.value() == EXPECTED
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 2}
    # The repeated call carries the same key: a service that remembers it acts once.
    assert {len(keys) for keys in hello.keys.values()} == {1}


async def recorded(client: durable.AsyncClient, invocation_id: str, count: int) -> None:
    """Waits until the journal has `count` steps with an outcome."""

    async def are() -> bool:
        journal = (await client.get(invocation_id)).journal
        return sum(1 for it in journal if it.outcome is not None) >= count

    await eventually(are)


@pytest.mark.parametrize("victim", ["control plane", "nats-server"])
async def test_a_killed_control_plane_or_log_goes_on(tmp_path: Path, victim: str) -> None:
    flow = flows.three_calls
    async with Hello() as hello:
        hello.hold("x-3")
        with control_plane(tmp_path) as (child, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "worker"):
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow, "x")
                    await held(hello)
                    await recorded(client, invocation_id, 2)
                    if victim == "control plane":
                        child.kill()
                        with control_plane(tmp_path, listen=address, name="again"):
                            hello.open.set()
                            result = await client.get_result(invocation_id, flow)
                    else:
                        killed = nats_of(child)
                        killed.kill()
                        hello.open.set()
                        result = await client.get_result(invocation_id, flow)
                        assert nats_of(child).pid != killed.pid
                    assert result.value() == EXPECTED
    # The worker lived on: even the step in flight was not repeated.
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 1}


@pytest.mark.parametrize("victim", ["control plane", "worker"])
async def test_a_program_goes_on_in_the_run_in_which_it_was_killed(
    tmp_path: Path, victim: str
) -> None:
    flow = flows.in_rounds
    async with Hello() as hello:
        hello.hold("x-3")
        with control_plane(tmp_path) as (child, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "first") as first:
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow, "x", [])
                    await held(hello)
                    if victim == "worker":
                        first.kill()
                        hello.hold("")
                        with worker(tmp_path, address, hello, "second"):
                            result = await client.get_result(invocation_id, flow)
                    else:
                        child.kill()
                        with control_plane(tmp_path, listen=address, name="again"):
                            hello.open.set()
                            result = await client.get_result(invocation_id, flow)
                            assert (await client.get(invocation_id)).run == 3
                    assert result.value() == EXPECTED
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 2 if victim == "worker" else 1}
    # Each run calls with keys of its own, and a call that is repeated has the same one.
    assert len({key for keys in hello.keys.values() for key in keys}) == 3


async def test_a_changed_handler_is_paused_and_continues_when_corrected(tmp_path: Path) -> None:
    flow = flows.changing
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                hello.hold("changing-2")
                with worker(tmp_path, address, hello, "first") as first:
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow)
                    await held(hello)
                    first.kill()
                hello.hold("")
                with worker(tmp_path, address, hello, "second", FIRST_STEP="renamed"):
                    result = await client.get_result(invocation_id, flow)
                    assert result.status == "paused"
                    found = await client.get(invocation_id)
                    assert found.attempt == 2
                    message = found.message.last_failure.message
                    assert found.message.last_failure.type == "durable.DeterminismError"
                    assert "RUN 'first'" in message
                    assert "RUN 'renamed' at " in message
                    assert "flows.py:" in message
                    with pytest.raises(durable.InvocationPausedError):
                        result.value()
                with worker(tmp_path, address, hello, "third"):
                    await client.resume(invocation_id, reason="the name is back")
                    result = await client.get_result(invocation_id, flow)
                    assert result.value() == "one Hello, changing-2!"


async def test_a_failing_handler_is_retried_and_then_fails(tmp_path: Path) -> None:
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "worker"):
                    await connected(client, flows.failing.name)
                    with pytest.raises(durable.InvocationFailedError) as caught:
                        await client.invoke(flows.failing)
                    found = await client.get(caught.value.invocation_id)
    assert caught.value.failure.type == "ValueError"
    assert "this step always fails" in caught.value.failure.message
    assert "in failing" in caught.value.failure.stack_trace
    assert "in step" in caught.value.failure.cause.stack_trace
    assert (found.status, found.attempt) == ("failed", 2)


async def test_steps_may_be_async_sync_or_return_an_awaitable(tmp_path: Path) -> None:
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "worker"):
                    await connected(client, flows.both_kinds.name)
                    assert await client.invoke(flows.both_kinds) == ["a", "b", "c"]


async def test_undecodable_input_fails_at_once_with_the_reason(tmp_path: Path) -> None:
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "worker"):
                    await connected(client, flows.three_calls.name)
                    invocation_id = await client.invoke_async("three_calls", {"no": "string"})
                    result = await client.get_result(invocation_id)
    assert result.status == "failed"
    assert result.failure is not None
    assert result.failure.type == "durable.InvalidInput"
    assert result.failure.message == "the input of three_calls: value: expected str, got dict"
    assert not hello.calls


async def test_a_closed_control_plane_is_a_typed_error(tmp_path: Path) -> None:
    with control_plane(tmp_path) as (_, address):
        pass
    async with durable.AsyncClient(address, timeout=0.5) as client:
        with pytest.raises(durable.UnavailableError) as caught:
            await client.invoke("anything")
    assert address in str(caught.value)
    assert "durable server" in caught.value.hint


async def test_sigterm_drains_a_worker(tmp_path: Path) -> None:
    flow = flows.three_calls
    async with Hello() as hello:
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                hello.hold("x-3")
                with worker(tmp_path, address, hello, "worker") as child:
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow, "x")
                    await held(hello)
                    child.process.terminate()
                    await connected(client, flow.name, 1)
                    hello.open.set()
                    result = await client.get_result(invocation_id, flow)
                    assert result.value() == EXPECTED
                    ended = asyncio.to_thread(child.process.wait, 30)
                    assert await ended == 0, child.text()
    assert hello.calls == {"x-1": 1, "x-2": 1, "x-3": 1}


async def journaled(client: durable.AsyncClient, invocation_id: str) -> bool:
    return bool((await client.get(invocation_id)).journal)


async def test_sleeps_survive_a_restart_of_everything(tmp_path: Path) -> None:
    flow = flows.napping
    async with Hello() as hello:
        with control_plane(tmp_path) as (first, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "first"):
                    await connected(client, flow.name)
                    invocation_id = await client.invoke_async(flow, 1.0)
                    asleep = partial(journaled, client, invocation_id)
                    await eventually(asleep)
                first.kill()
        with control_plane(tmp_path) as (_, address):
            async with durable.AsyncClient(address) as client:
                with worker(tmp_path, address, hello, "second"):
                    result = await client.get_result(invocation_id, flow)
    assert result.value() == "awake"


def gone(processes: list[psutil.Process]) -> bool:
    return not any(it.is_running() and it.status() != psutil.STATUS_ZOMBIE for it in processes)


async def test_dev_serves_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    async with Hello() as hello:
        arguments = command(
            "dev", "tests.process.flows", "--listen", "127.0.0.1:0", "--no-reload", "--no-http",
            "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
            "--service", f"HelloService={hello.address}",
        )  # fmt: skip
        for kill in (False, True):
            with running(arguments, tmp_path / "dev.log") as child:
                await asyncio.to_thread(until, ready.exists, "ready file", child)
                address = json.loads(ready.read_text())["address"]
                async with durable.AsyncClient(address) as client:
                    assert await client.invoke(flows.three_calls, "x") == EXPECTED
                left = child.descendants()
                assert len(left) == 2
                if kill:
                    child.kill()
                else:
                    assert await asyncio.to_thread(child.terminate) == 0, child.text()
                await asyncio.to_thread(until, partial(gone, left), "end of the children")
            ready.unlink(missing_ok=True)
