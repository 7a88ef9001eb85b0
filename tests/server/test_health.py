"""The health service: watches that are many, that do not read, and that ask for anything."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from durable_proto.v1 import control_pb2
from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits
from tests.support.http2 import RawHttp2, message
from tests.support.waiting import eventually

from .calls import reason

if TYPE_CHECKING:
    from .calls import Control

WATCH = "/grpc.health.v1.Health/Watch"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def config(config: Config) -> Config:
    return replace(config, limits=Limits(streams=40))


async def test_a_watcher_that_does_not_read_holds_up_nobody(config: Config) -> None:
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        plane = ControlPlane(config)
        started = await stack.enter_async_context(AsyncExitStack())
        await started.enter_async_context(plane)
        async with (
            RawHttp2.connect(plane.address, window=0) as deaf,
            grpc.aio.insecure_channel(plane.address) as channel,
        ):
            health = health_pb2_grpc.HealthStub(channel)
            deaf.call(WATCH, message(b""), end=True)
            await eventually(lambda: bool(deaf.answered))
            watch = health.Watch(health_pb2.HealthCheckRequest())
            another = health.Watch(health_pb2.HealthCheckRequest())
            assert [(await it.read()).status for it in (watch, another)] == [SERVING] * 2
            another.cancel()
            # Who watches hears of the stop, and the stop comes to its end.
            stopping = asyncio.create_task(started.aclose())
            assert (await watch.read()).status == NOT_SERVING
            await stopping


async def test_watches_leave_room_for_other_calls(
    plane: ControlPlane, channel: grpc.aio.Channel, control: Control
) -> None:
    """They need no credential, so whoever reaches the port can open them."""
    health = health_pb2_grpc.HealthStub(channel)
    watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(4)]
    for it in watches:
        assert (await it.read()).status == SERVING
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await health.Watch(health_pb2.HealthCheckRequest()).read()
    told, values = reason(error.value)
    assert (told, values["limit"]) == ("LIMIT_REACHED", "streams")
    await control.GetStats(control_pb2.GetStatsRequest())
    watches[0].cancel()

    async def watched() -> bool:
        try:
            found = await health.Watch(health_pb2.HealthCheckRequest()).read()
        except grpc.aio.AioRpcError:
            return False
        return bool(found.status == SERVING)

    await eventually(watched)


async def test_services_that_do_not_exist(plane: ControlPlane, channel: grpc.aio.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="nothing")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await health.Check(request)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    found = await health.Watch(request).read()
    assert found.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    # A watch keeps the name, so it cannot be of any length.
    request.service = "x" * 1000
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await health.Watch(request).read()
    assert reason(error.value)[1]["field"] == "service"
