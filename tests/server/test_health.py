"""Live and ready: the health checks while NATS is away, while the store is locked, and at shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from durable_proto.v1 import control_pb2, control_pb2_grpc
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.nats.connection import Connection
from durable_server.store.files import store_path
from tests.support.external_nats import JETSTREAM, external_nats
from tests.support.manual_worker import ManualWorker
from tests.support.store_lock import WRITING, held

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = ("", "durable.v1.DurableControl", "durable.v1.DurableWorker")


async def asked(
    plane: ControlPlane, path: str, *, how: str = "GET", head: str = ""
) -> tuple[int, str]:
    """Sends a request as its bytes; returns code and body."""
    host, _, port = plane.http_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    version = "1.1" if head else "1.0"
    writer.write(f"{how} {path} HTTP/{version}\r\n{head}Connection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    first, _, body = answer.partition("\r\n\r\n")
    return int(first.split()[1]), body


class Watch:
    """The statuses of one service in the gRPC health service, as they change."""

    def __init__(self, channel: grpc.aio.Channel, service: str) -> None:
        request = health_pb2.HealthCheckRequest(service=service)
        self._call = health_pb2_grpc.HealthStub(channel).Watch(request)

    async def until(self, status: int) -> None:
        async with asyncio.timeout(30):
            while (await self._call.read()).status != status:
                pass


async def status(channel: grpc.aio.Channel, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return (await health_pb2_grpc.HealthStub(channel).Check(request)).status


@contextlib.asynccontextmanager
async def serving(config: Config) -> AsyncIterator[tuple[ControlPlane, grpc.aio.Channel]]:
    async with (
        ControlPlane(replace(config, http="127.0.0.1:0")) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        yield plane, channel


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "with work"])
async def test_ready_ends_with_nats_and_comes_back_with_it(
    busy: bool, config: Config, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with external_nats(tmp_path / "nats", JETSTREAM) as nats:
            config = replace(config, nats_url=nats.url)
            plane, channel = await stack.enter_async_context(serving(config))
            assert (await asked(plane, "/health/ready"))[0] == 200
            watches = [Watch(channel, service) for service in SERVICES]
            for watch in watches:
                await watch.until(SERVING)
            async with ManualWorker(channel):
                pass
        waiting = None
        if busy:
            control = control_pb2_grpc.DurableControlStub(channel)
            request = control_pb2.InvokeRequest(handler="three")
            waiting = asyncio.ensure_future(control.Invoke(request))
        for watch in watches:
            await watch.until(NOT_SERVING)
        for path in ("/health", "/health/ready"):
            code, body = await asked(plane, path)
            assert code == 503
            assert json.loads(body)["status"] == "unavailable"
            assert json.loads(body)["reason"]
        code, body = await asked(plane, "/health/live")
        assert (code, json.loads(body)["status"]) == (200, "ok")
        assert await status(channel, "durable.live") == SERVING
        async with external_nats(tmp_path / "nats", JETSTREAM, nats.port):
            for watch in watches:
                await watch.until(SERVING)
            assert (await asked(plane, "/health"))[0] == 200
            if waiting is not None:
                assert (await waiting).invocation_id
            async with ManualWorker(channel, "another", handlers=("four",)):
                pass


async def test_it_stops_while_nats_does_not_answer(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about to connect again for a request, and NATS is there and silent."""
    monkeypatch.setattr("durable_server.processor.loop._STOP_SECONDS", 0.5)
    monkeypatch.setattr("durable_server.log.jetstream.ACK_TIMEOUT", 1.0)
    async with serving(config) as (plane, channel):
        async with ManualWorker(channel):
            pass
        monkeypatch.setitem(Connection.open.__kwdefaults__, "timeout_seconds", 1000.0)
        problem = asyncio.Event()
        plane.router.on_problem_changed(problem.set)
        os.kill(int((config.data_dir / "nats" / "nats.pid").read_text()), signal.SIGSTOP)
        request = control_pb2.InvokeRequest(handler="three")
        call = control_pb2_grpc.DurableControlStub(channel).Invoke(request)
        await problem.wait()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call


async def test_not_ready_while_the_store_is_locked(config: Config) -> None:
    async with serving(config) as (plane, channel), ManualWorker(channel):
        watch = Watch(channel, "")
        await watch.until(SERVING)
        control = control_pb2_grpc.DurableControlStub(channel)
        with held(store_path(config.data_dir, 0), WRITING) as writer:
            waiting = asyncio.ensure_future(
                control.Invoke(control_pb2.InvokeRequest(handler="three"))
            )
            await watch.until(NOT_SERVING)
            code, body = await asked(plane, "/health/ready")
            assert code == 503
            assert str(writer.pid) in json.loads(body)["reason"]
            assert (await asked(plane, "/health/live"))[0] == 200
        await watch.until(SERVING)
        assert (await waiting).invocation_id
        assert (await asked(plane, "/health/ready"))[0] == 200


async def test_not_ready_when_the_loop_has_ended(config: Config) -> None:
    async with serving(config) as (plane, channel):
        await plane.router.any().stop()
        assert (await asked(plane, "/health"))[0] == 503
        watch = Watch(channel, "")
        await watch.until(NOT_SERVING)


async def test_health_is_for_everybody_who_checks(config: Config) -> None:
    """Load balancers ask over HTTP/1.0 without Host, by an address, with HEAD; web pages do not."""
    async with serving(config) as (plane, channel):
        for path in ("/health", "/health/live", "/health/ready", "/health/"):
            code, body = await asked(plane, path)
            assert (code, json.loads(body)["status"]) == (200, "ok")
            assert await asked(plane, path, how="HEAD") == (200, "")
            assert (await asked(plane, path, head="Host: 10.0.0.7:8080\r\n"))[0] == 200
            assert (await asked(plane, path, how="HEAD", head="Host: lb.example\r\n"))[0] == 200
            assert (await asked(plane, path, how="POST"))[0] == 405
            foreign = "Host: 10.0.0.7\r\nOrigin: http://evil.example\r\n"
            assert (await asked(plane, path, head=foreign))[0] == 403
        assert (await asked(plane, "/api/workflows"))[0] == 403
        assert await status(channel, "durable.live") == SERVING
