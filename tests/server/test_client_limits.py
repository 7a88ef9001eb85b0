"""What clients may cost: each limit is reached, says so, and leaves the others alone.

The times are shortened where a test would have to wait for them; the limits are small.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc, worker_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from durable_server.http import http1, requests
from durable_server.rpc import receiving, unread
from tests.support.http2 import RawHttp2, message
from tests.support.manual_worker import ManualWorker
from tests.support.processes import durable, running, until
from tests.support.waiting import eventually

from .calls import invoke, reason, state_of

if TYPE_CHECKING:
    from .calls import Control

CONTROL = "/durable.v1.DurableControl/"
SESSION = "/durable.v1.DurableWorker/Session"
STATS = control_pb2.GetStatsRequest()
ASK = CONTROL + "GetServerInfo"


@pytest.fixture
def limits() -> Limits:
    return Limits(
        payload_bytes=64 * 1024,
        connections=8,
        streams=20,
        slow_requests=3,
        unread_bytes=400_000,
    )


@pytest.fixture
def config(config: Config, limits: Limits) -> Config:
    return replace(config, http="127.0.0.1:0", limits=limits)


@pytest.fixture
async def raw(plane: ControlPlane) -> AsyncIterator[RawHttp2]:
    async with RawHttp2.connect(plane.address) as connection:
        yield connection


async def refused(control: Control) -> tuple[str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await control.GetStats(STATS)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return reason(error.value)


async def test_more_streams_than_may_be_open(
    plane: ControlPlane, channel: grpc.aio.Channel, control: Control, limits: Limits
) -> None:
    async with RawHttp2.connect(plane.address) as greedy:
        await _fill(lambda: greedy.call(SESSION), control, limits)
        told, values = await refused(control)
        assert (told, values["limit"], values["value"]) == ("LIMIT_REACHED", "streams", "20")
        # Who asks whether the process lives may end it.
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="durable.live"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await eventually(lambda: _is_served(control))


async def test_a_stream_counts_until_its_client_takes_the_end(
    plane: ControlPlane, control: Control, limits: Limits
) -> None:
    """A client that never reads a response keeps the call open, though its handler is done."""
    async with RawHttp2.connect(plane.address, window=0) as deaf:
        await _fill(lambda: deaf.call(ASK, message(b""), end=True), control, limits)
    await eventually(lambda: _is_served(control))


async def test_of_many_slow_requests_the_oldest_are_refused(
    raw: RawHttp2, control: Control, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "_TICK_SECONDS", 0.05)
    calls = [raw.call(CONTROL + "Invoke", message(bytes(1000))[:-1]) for _ in range(8)]
    await eventually(lambda: len(raw.over()) >= 8 - limits.slow_requests)
    assert raw.over() == set(calls[: 8 - limits.slow_requests])
    await control.GetStats(STATS)


async def test_a_request_that_never_arrives(raw: RawHttp2, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_TICK_SECONDS", 0.05)
    monkeypatch.setattr(receiving, "REQUEST_SECONDS", 3)
    monkeypatch.setattr(receiving, "SLOW_SECONDS", 1)
    half = raw.call(CONTROL + "Invoke", message(bytes(1000))[:-1])
    none = raw.call(CONTROL + "WatchInvocation")
    await eventually(lambda: raw.over() == {half, none})


@pytest.mark.parametrize("method", ["Invoke", "WatchInvocation"])
async def test_a_request_that_is_no_message(channel: grpc.aio.Channel, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        async for _ in channel.unary_stream(CONTROL + method)(b"\xff\xff\xff"):
            pass
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(error.value)[0] == "INVALID_FIELD"
    assert error.value.details() == ("request: it is not a message of the type that this RPC takes")


async def test_a_frame_that_is_no_message_ends_a_session(channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(SESSION)()
    await call.write(b"\xff\xff\xff")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    assert reason(error.value)[0] == "INVALID_FIELD"


async def test_responses_that_are_not_read(
    plane: ControlPlane,
    channel: grpc.aio.Channel,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unread, "_CHECK_SECONDS", 0.05)
    async with ManualWorker(channel) as worker:
        large = await invoke(control)
        await worker.finish(await worker.receive("start"), b'"' + b"x" * 50_000 + b'"')
        asked = control_pb2.GetResultRequest(invocation_id=large)
        asked.wait_timeout.FromSeconds(20)
        assert (await control.GetResult(asked)).HasField("outcome")
    body = message(asked.SerializeToString())
    async with RawHttp2.connect(plane.address, window=0) as deaf:
        for _ in range(15):
            deaf.call(CONTROL + "GetResult", body, end=True)
        # Those over the limit end with an error, which needs no window.
        await eventually(lambda: len(deaf.over()) == 7)
        # The others still get theirs.
        assert len((await control.GetResult(asked)).outcome.value.data) == 50_002
        assert not deaf.ended.is_set()
        monkeypatch.setattr(unread, "SLOW_SECONDS", 0.1)
        await asyncio.wait_for(deaf.ended.wait(), 20)
        await control.GetStats(STATS)


@pytest.mark.parametrize("size", [30_000, 60_000], ids=["slow", "over-the-limit"])
async def test_a_worker_that_reads_nothing_loses_its_attempts(
    plane: ControlPlane, control: Control, channel: grpc.aio.Channel, size: int
) -> None:
    """It goes on to send heartbeats, so it is not silent."""
    async with RawHttp2.connect(plane.address, window=100) as deaf:
        hello = ManualWorker(channel, "deaf").hello
        first = worker_pb2.SessionRequest()
        first.messages.add().hello.CopyFrom(hello)
        session = deaf.call(SESSION, message(first.SerializeToString()))
        await eventually(lambda: _is_known(control))
        started = await invoke(control)
        for _ in range(9):
            await control.Invoke(
                control_pb2.InvokeRequest(handler="three", input={"data": b"x" * size})  # type: ignore[arg-type]  # a message as a dict
            )

        async def beat() -> None:
            frame = worker_pb2.SessionRequest()
            frame.messages.add().heartbeat.SetInParent()
            while True:
                await deaf.send(session, message(frame.SerializeToString()))
                await asyncio.sleep(0.1)

        beating = asyncio.create_task(beat())
        try:
            await eventually(lambda: _is_unknown(control))
        finally:
            beating.cancel()
        async with ManualWorker(channel, "reads"):
            await eventually(lambda: _has_attempt(control, started, 2))
        assert not deaf.ended.is_set()


async def test_more_connections_than_there_may_be(plane: ControlPlane, limits: Limits) -> None:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(RawHttp2.connect(plane.address))
            for _ in range(limits.connections + 3)
        ]
        await eventually(lambda: sum(it.ended.is_set() for it in opened) == 3)
    async with grpc.aio.insecure_channel(plane.address) as channel:
        await eventually(lambda: _is_served(control_pb2_grpc.DurableControlStub(channel)))


async def test_more_http_connections_than_there_may_be(plane: ControlPlane, limits: Limits) -> None:
    opened = [
        await asyncio.open_connection(*_host_and_port(plane)) for _ in range(limits.connections)
    ]
    reader, writer = await asyncio.open_connection(*_host_and_port(plane))
    head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in head
    (info,) = json.loads(body)["details"]
    assert (info["reason"], info["metadata"]["limit"]) == ("LIMIT_REACHED", "connections")
    for _, it in [*opened, (reader, writer)]:
        it.close()
    await eventually(lambda: _is_healthy(plane))


async def test_http_clients_that_are_slow(
    plane: ControlPlane,
    channel: grpc.aio.Channel,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http1, "HEAD_SECONDS", 0.3)
    half = await _http(plane, b"GET /health HTTP/1.1\r\nX-Slow: ", end=b"")
    assert half.startswith(b"HTTP/1.1 408 ")
    assert b"HEAD_INCOMPLETE" in half
    # Nothing is said to a client that has said nothing.
    assert await _http(plane, b"", end=b"") == b""
    reader, writer = await asyncio.open_connection(*_host_and_port(plane))
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
    writer.write(b"GET /heal")
    assert b"HTTP/1.1 408 " in await asyncio.wait_for(reader.read(), 20)
    writer.close()
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.3)
    trickle = await _trickled(plane)
    assert trickle.startswith(b"HTTP/1.1 408 ")
    assert b"slower than 4096 bytes a second" in trickle


async def test_an_http_client_that_does_not_read(
    plane: ControlPlane,
    channel: grpc.aio.Channel,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http1, "TAKE_SECONDS", 0.3)
    async with ManualWorker(channel) as worker:
        large = await invoke(control)
        start = await worker.receive("start")
        for index in range(60):
            await worker.step(start, index, b'"' + b"x" * 60_000 + b'"')
        await worker.finish(start)
    _, writer = await asyncio.open_connection(*_host_and_port(plane), limit=1024)
    writer.write(
        f"GET /v1/invocations/{large}?include_journal=true HTTP/1.1\r\nHost: localhost\r\n\r\n"
        "".encode()
        * 10
    )
    # What the kernel holds for it is not enough for the responses.
    process = psutil.Process()
    mine = writer.get_extra_info("sockname")[1]

    def served() -> bool:
        return any(it.raddr and it.raddr.port == mine for it in process.net_connections())

    assert served()
    await eventually(lambda: not served())
    writer.transport.abort()


async def test_ten_thousand_connections_and_streams(tmp_path: Path) -> None:
    """Of a process, so that its memory can be measured."""
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + 1000:
        pytest.skip(f"10,000 connections need more than the {hard} open files that are permitted")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1000, hard))
    ready = tmp_path / "ready"
    command = durable(
        "server", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
        "--data-dir", str(tmp_path / "data"), "--ready-file", str(ready),
    )  # fmt: skip
    try:
        with running(command, tmp_path / "log") as child:
            until(ready.exists, "ready file", child)
            found = json.loads(ready.read_text())
            process = psutil.Process(child.pid)
            async with grpc.aio.insecure_channel(found["address"]) as channel:
                control: Control = control_pb2_grpc.DurableControlStub(channel)
                async with ManualWorker(channel):
                    pass
                waiting = await invoke(control)
                before = process.memory_info().rss
                files = process.num_fds()
                opened = []
                for address in (found["address"], found["http"]):
                    host, _, port = address.rpartition(":")
                    place = (host, int(port))
                    opened.extend(socket.create_connection(place) for _ in range(count // 2))
                await eventually(lambda: process.num_fds() >= files + count)
                await control.GetStats(STATS)
                assert process.memory_info().rss - before < 400 * 1024 * 1024
                for it in opened:
                    it.close()
                await eventually(lambda: process.num_fds() <= files)
                before = process.memory_info().rss
                async with RawHttp2.connect(found["address"]) as many:
                    asked = control_pb2.WatchInvocationRequest(invocation_id=waiting)
                    body = message(asked.SerializeToString())
                    for _ in range(count // 2):
                        many.call(CONTROL + "WatchInvocation", body, end=True)
                        many.call(SESSION)
                        await many.drain()
                    await eventually(lambda: len(many.answered - {0}) == count)
                    await control.GetStats(STATS)
                    assert process.memory_info().rss - before < 800 * 1024 * 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _is_served(control: Control) -> bool:
    try:
        await control.GetStats(STATS)
    except grpc.aio.AioRpcError:
        return False
    return True


async def _fill(call: Callable[[], object], control: Control, limits: Limits) -> None:
    """Makes calls that stay open, until others are refused."""

    async def is_full() -> bool:
        # One of the calls may have been refused because the question before was open.
        call()
        return await _is_refused(control)

    for _ in range(limits.streams):
        call()
    await eventually(is_full)


async def _is_refused(control: Control) -> bool:
    return not await _is_served(control)


async def _is_healthy(plane: ControlPlane) -> bool:
    return (await _http(plane, b"GET /health HTTP/1.1")).startswith(b"HTTP/1.1 200 ")


async def _is_unknown(control: Control) -> bool:
    return not await _is_known(control)


async def _has_attempt(control: Control, invocation_id: str, attempt: int) -> bool:
    return (await state_of(control, invocation_id)).attempt == attempt


async def _is_known(control: Control) -> bool:
    return bool((await control.ListWorkers(control_pb2.ListWorkersRequest())).workers)


def _host_and_port(plane: ControlPlane) -> tuple[str, int]:
    host, _, port = plane.http_address.rpartition(":")
    return host, int(port)


async def _http(
    plane: ControlPlane,
    request: bytes,
    *,
    end: bytes = b"\r\nHost: localhost\r\nConnection: close\r\n\r\n",
) -> bytes:
    """Returns all that comes for a request until the server hangs up."""
    reader, writer = await asyncio.open_connection(*_host_and_port(plane))
    writer.write(request + end)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.transport.abort()


async def _trickled(plane: ControlPlane) -> bytes:
    """Returns the answer to a body of which a byte comes again and again."""
    reader, writer = await asyncio.open_connection(*_host_and_port(plane))
    writer.write(
        b"POST /v1/awakeables/a:resolve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n"
        b"Content-Type: application/json\r\n\r\n"
    )

    async def trickle() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    try:
        return await asyncio.wait_for(reader.readuntil(b"second"), 20)
    finally:
        trickling.cancel()
        writer.transport.abort()
