"""Local mode: the same answers and errors as over the wire, in both clients, and no sockets."""

from __future__ import annotations

import asyncio
import gc
import importlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import AsyncGeneratorType

import grpc
import pytest

import durable
from durable._local.control_plane import LocalControlPlane
from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from tests.support.processes import until
from tests.support.repository import ROOT
from tests.support.waiting import eventually

PROGRAM = """
import socket, sys

class Guarded(socket.socket):
    def bind(self, *_): raise AssertionError("bind")
    def connect(self, *_): raise AssertionError("connect")
    def listen(self, *_): raise AssertionError("listen")

socket.socket = Guarded
sys.path.insert(0, {root!r})
from examples.local.main import main
main()
assert "nats.aio" not in sys.modules, "nats"
"""
STOPPING = """
import durable

def greeting(name):
    {step}
    return f"Hello, {{name}}!"

@durable.workflow
async def hello(ctx: durable.Context, name: str) -> str:
    {workflow}
    return await ctx.run("greet", greeting, name)

with durable.Client.local() as client:
    client.register(hello)
    client.serve_handlers()
    print(client.invoke(hello, "you"))
"""


@durable.workflow
async def hello(ctx: durable.Context, name: str) -> str:
    return await ctx.run("greet", lambda: f"Hello, {name}!")


@durable.workflow
async def sleeper(ctx: durable.Context) -> str:
    await ctx.sleep(60)
    return "late"


@durable.workflow
async def greets_late(ctx: durable.Context, name: str) -> str:
    await ctx.sleep(0.05)
    return await ctx.run("greet", lambda: f"Hello, {name}!")


@durable.workflow
async def asks(ctx: durable.Context, name: str) -> str:
    from examples.services.hello_v1.hello_pb2 import HelloRequest, HelloResponse

    request = HelloRequest(name=name)
    response = await ctx.durable_call("HelloService", "SayHello", request, HelloResponse)
    return response.message


@durable.object("tally")
class Tally:
    @durable.handler
    async def add(self, ctx: durable.Context, number: int) -> int:
        total = await ctx.get("total", int, 0) + number
        ctx.set("total", total)
        return total


async def test_async_client() -> None:
    async with durable.AsyncClient.local() as client:
        client.register(hello, Tally)
        await client.serve_handlers()
        assert await client.invoke(hello, "you") == "Hello, you!"
        keyed = client.options(key="k")
        assert [await keyed.invoke(Tally.add, 2), await keyed.invoke(Tally.add, 3)] == [2, 5]
        assert {it.name for it in await client.list_handlers()} == {"hello", "tally.add"}


def test_sync_client_from_many_threads() -> None:
    with durable.Client.local() as client, ThreadPoolExecutor(8) as threads:
        client.register(hello)
        client.serve_handlers()
        names = [str(number) for number in range(200)]
        values = list(threads.map(lambda it: client.invoke(hello, it), names))
        assert values == [f"Hello, {it}!" for it in names]
        assert client.stats().by_handler["hello"]
    assert not [it for it in threading.enumerate() if it.name == "durable-client"]


def open_watches() -> int:
    """Counts the WatchInvocation calls that control planes of this process still serve."""
    return sum(
        isinstance(it, AsyncGeneratorType)
        and it.__name__ == "WatchInvocation"
        and it.ag_frame is not None
        for it in gc.get_objects()
    )


async def test_watching_from_asyncio() -> None:
    async with durable.AsyncClient.local(timeout=5) as client:
        client.register(greets_late, sleeper)
        await client.serve_handlers()
        seen = [it async for it in client.watch(await client.invoke_async(greets_late, "you"))]
        assert seen[-1].output == "Hello, you!"
        assert {entry.kind for it in seen for entry in it.journal} == {"SLEEP", "RUN"}
        with pytest.raises(durable.NotFoundError):
            await anext(client.watch("0" * 32))
        before = open_watches()
        watched = client.watch(await client.invoke_async(sleeper))
        async for it in watched:
            assert not it.finished
            break
        assert open_watches() == before + 1
        await watched.aclose()
        assert open_watches() == before


def test_watching_from_a_thread() -> None:
    with durable.Client.local(timeout=5) as client:
        client.register(greets_late, sleeper)
        client.serve_handlers()
        seen = list(client.watch(client.invoke_async(greets_late, "you")))
        assert seen[-1].output == "Hello, you!"
        with pytest.raises(durable.NotFoundError):
            next(client.watch("0" * 32))
        before = open_watches()
        for it in client.watch(client.invoke_async(sleeper)):
            assert not it.finished
            assert open_watches() == before + 1
            break
        assert open_watches() == before
        left = client.watch(client.invoke_async(sleeper))
        next(left)
    left.close()


async def test_errors_are_those_of_the_wire() -> None:
    async with durable.AsyncClient.local(timeout=5) as client:
        with pytest.raises(durable.NotFoundError, match="no worker has ever registered") as caught:
            await client.invoke(hello, "you")
        assert caught.value.reason == "HANDLER_NOT_FOUND"
        client.register(hello)
        await client.serve_handlers()
        with pytest.raises(durable.InvalidArgumentError, match="payload_bytes"):
            await client.invoke(hello, "x" * 5_000_000)
        with pytest.raises(durable.RpcError, match="larger than max"):
            await client.invoke(hello, "x" * 68_000_000)


async def test_waiting_ends_with_the_timeout_and_with_cancellation() -> None:
    async with durable.AsyncClient.local(timeout=0.2) as client:
        client.register(sleeper)
        await client.serve_handlers()
        with pytest.raises(durable.WaitTimeoutError):
            await client.invoke(sleeper)
        patient = client.options(timeout=None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(patient.invoke(sleeper), 0.1)
        assert len((await client.query(handler="sleeper")).invocations) == 2


async def test_what_is_registered_later_is_served_by_another_call() -> None:
    async with durable.AsyncClient.local() as client:
        with pytest.raises(ValueError, match="nothing to serve"):
            await client.serve_handlers()
        client.register(hello)
        await client.serve_handlers()
        with pytest.raises(ValueError, match="registered already: hello"):
            client.register(hello)
        with pytest.raises(TypeError, match="is no workflow"):
            client.register(dict)
        client.register(Tally)
        await client.serve_handlers()
        assert await client.invoke(hello, "you") == "Hello, you!"
        assert await client.options(key="k").invoke(Tally.add, 1) == 1


async def test_a_closed_client_raises_and_leaves_no_tasks() -> None:
    before = asyncio.all_tasks()
    client = durable.AsyncClient.local()
    client.register(sleeper)
    await client.serve_handlers()
    await client.invoke_async(sleeper)
    await client.close()
    await eventually(lambda: asyncio.all_tasks() <= before)
    with pytest.raises(RuntimeError, match="closed"):
        await client.invoke(sleeper)


async def test_local_clients_are_apart() -> None:
    async with durable.AsyncClient.local() as one, durable.AsyncClient.local() as two:
        one.register(hello)
        await one.serve_handlers()
        assert await one.list_handlers()
        assert not await two.list_handlers()


async def test_durable_calls_go_to_real_services() -> None:
    from examples import hello_service
    from examples.services.hello_v1 import hello_pb2_grpc

    server = grpc.aio.server()
    hello_pb2_grpc.add_HelloServiceServicer_to_server(hello_service.HelloService(None), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with durable.AsyncClient.local() as client:
            client.register(asks)
            await client.serve_handlers(services={"HelloService": f"127.0.0.1:{port}"})
            assert (await client.invoke(asks, "you")).startswith("Hello, you!")
    finally:
        await server.stop(None)


async def test_the_same_calls_serve_for_a_control_plane_elsewhere(tmp_path: Path) -> None:
    config = Config(listen="127.0.0.1:0", data_dir=tmp_path / "data", grace_seconds=0.2)
    async with ControlPlane(config) as plane:
        async with durable.AsyncClient(plane.address, timeout=30) as client:
            client.register(hello)
            await client.serve_handlers()
            assert await client.invoke(hello, "you") == "Hello, you!"

        def sync() -> str:
            with durable.Client(plane.address, timeout=30) as client:
                client.register(hello)
                client.serve_handlers()
                return client.invoke(hello, "sync")

        assert await asyncio.to_thread(sync) == "Hello, sync!"


def test_a_sync_client_in_its_own_loop_raises() -> None:
    with durable.Client.local() as client:

        @durable.workflow
        async def inward(ctx: durable.Context) -> str:
            async def step() -> str:
                try:
                    return client.invoke(hello, "you")
                except RuntimeError as error:
                    return str(error)

            return await ctx.run("step", step)

        client.register(inward, hello)
        client.serve_handlers()
        assert "use an AsyncClient" in client.invoke(inward)


def test_without_the_control_plane_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="msgspec")

    monkeypatch.setattr(importlib, "import_module", missing)
    for kind in (durable.Client, durable.AsyncClient):
        with pytest.raises(durable.ServerNotInstalledError, match=r"durable-grpc\[server\]"):
            kind.local()


def test_no_sockets_and_no_nats() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(root=str(ROOT))],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ Executed locally!\n")


async def test_a_closed_channel_is_an_error_as_of_the_wire() -> None:
    local = LocalControlPlane()
    channel = local.open()
    stub = control_pb2_grpc.DurableControlStub(channel)
    await channel.close()
    with pytest.raises(grpc.aio.AioRpcError, match="closed"):
        await stub.GetStats(control_pb2.GetStatsRequest())
    await local.close()


async def test_a_call_under_way_ends_when_the_client_is_closed() -> None:
    client = durable.AsyncClient.local()
    client.register(sleeper)
    await client.serve_handlers()
    waiting = asyncio.create_task(client.invoke(sleeper))

    async def asked_for() -> bool:
        return bool((await client.query(handler="sleeper")).invocations)

    await eventually(asked_for)
    await client.close()
    async with asyncio.timeout(10):
        with pytest.raises(durable.RpcError, match="closed"):
            await waiting


def test_a_sync_call_under_way_ends_when_the_client_is_closed() -> None:
    client = durable.Client.local()
    client.register(sleeper)
    client.serve_handlers()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.invoke, sleeper)
        until(lambda: client.query(handler="sleeper").invocations, "invocation")
        client.close()
        with pytest.raises((durable.RpcError, RuntimeError), match="closed"):
            waiting.result(timeout=10)
    with pytest.raises(RuntimeError, match="closed"):
        client.stats()
    client.close()


@pytest.mark.parametrize("place", ["workflow", "step"])
def test_a_breakpoint_stops_in_this_process(place: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(STOPPING.format(**{"workflow": "", "step": "", place: "breakpoint()"}))
    done = subprocess.run(
        [sys.executable, str(program)],
        input="p 'value ' + name\nc\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "value you" in done.stdout
    assert done.stdout.endswith("Hello, you!\n")
