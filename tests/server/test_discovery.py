"""Reflection, health and channelz: what generic gRPC tools query."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from durable_server.app import ControlPlane
from durable_server.config import Config

SERVICES = ("", *(f"durable.v1.Durable{it}" for it in ("Control", "Worker", "Access")))
REFLECTIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
CHANNELZ = "grpc.channelz.v1.Channelz"
Asked = reflection_pb2.ServerReflectionRequest


async def reflect(channel: grpc.aio.Channel, service: str, *asked: Asked) -> list[Any]:
    """Sends all requests in one stream; both versions of reflection have the same wire format."""
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=Asked.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return [answer async for answer in call(iter(asked))]


def files(answer: Any) -> set[str]:
    """The names of the files in an answer; empty for an error."""
    found = answer.file_descriptor_response.file_descriptor_proto
    return {descriptor_pb2.FileDescriptorProto.FromString(file).name for file in found}


@pytest.mark.parametrize("service", REFLECTIONS)
async def test_reflection_lists_what_is_served(channel: grpc.aio.Channel, service: str) -> None:
    (answer,) = await reflect(channel, service, Asked(list_services=""))
    names = {it.name for it in answer.list_services_response.service}
    assert names == {*SERVICES[1:], *REFLECTIONS, "grpc.health.v1.Health"}


@pytest.mark.parametrize("service", REFLECTIONS)
@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("durable.v1.DurableControl", "durable/v1/control.proto"),
        ("durable.v1.DurableControl.Invoke", "durable/v1/control.proto"),
        ("durable.v1.DurableWorker.Session", "durable/v1/worker.proto"),
        ("durable.v1.InvokeRequest", "durable/v1/control.proto"),
        ("durable.v1.InvokeRequest.handler", "durable/v1/control.proto"),
        ("durable.v1.ErrorReason", "durable/v1/errors.proto"),
        ("google.rpc.ErrorInfo", "google/rpc/error_details.proto"),
        ("google.api.http", "google/api/annotations.proto"),
        ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
        ("grpc.reflection.v1.ServerReflectionRequest", "grpc/reflection/v1/reflection.proto"),
    ],
)
async def test_reflection_finds_the_file_and_what_it_imports(
    channel: grpc.aio.Channel, service: str, symbol: str, file: str
) -> None:
    (answer,) = await reflect(channel, service, Asked(file_containing_symbol=symbol))
    assert file in files(answer)
    (by_name,) = await reflect(channel, service, Asked(file_by_filename=file))
    assert files(by_name) == files(answer)


def extension(number: int, of: str = "google.protobuf.MethodOptions") -> Asked:
    return Asked(
        file_containing_extension=reflection_pb2.ExtensionRequest(
            containing_type=of, extension_number=number
        )
    )


async def test_reflection_finds_extensions(channel: grpc.aio.Channel) -> None:
    found, numbers = await reflect(
        channel,
        REFLECTIONS[0],
        extension(72295728),
        Asked(all_extension_numbers_of_type="google.protobuf.MethodOptions"),
    )
    assert "google/api/annotations.proto" in files(found)
    assert list(numbers.all_extension_numbers_response.extension_number) == [72295728]


async def test_reflection_answers_unknown_names_with_not_found(channel: grpc.aio.Channel) -> None:
    symbols = [
        "", ".", "\0", "durable", "Nobody.Asks", "durable.v1.DurableControl.",
        "durable.v1.DurableControl.Nothing", "durable.v1.DurableControl.Invoke.more", "é" * 10_000,
    ]  # fmt: skip
    asked = [
        *(Asked(file_containing_symbol=symbol) for symbol in symbols),
        *(Asked(file_by_filename=name) for name in ("", "../control.proto", "\0")),
        *(extension(number) for number in (-1, 0, 1, 2**31 - 1)),
        extension(1, of="durable.v1.Nothing"),
        Asked(all_extension_numbers_of_type="durable.v1.Nothing"),
    ]
    answers = await reflect(channel, REFLECTIONS[0], *asked)
    codes = {answer.error_response.error_code for answer in answers}
    assert len(answers) == len(asked)
    assert codes == {grpc.StatusCode.NOT_FOUND.value[0]}
    (nothing,) = await reflect(channel, REFLECTIONS[0], Asked())
    assert nothing.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


@pytest.mark.parametrize("service", SERVICES)
async def test_health_of_each_service(channel: grpc.aio.Channel, service: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    status = await health.Check(health_pb2.HealthCheckRequest(service=service))
    assert status.status == health_pb2.HealthCheckResponse.SERVING


async def test_health_of_a_service_that_is_not_there(channel: grpc.aio.Channel) -> None:
    asked = health_pb2.HealthCheckRequest(service="durable.v2.DurableControl")
    health = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health.Check(asked)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(asked)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_who_watches_hears_of_the_drain(
    plane: ControlPlane, channel: grpc.aio.Channel
) -> None:
    """Before the end, and while a request is still under way."""
    health = health_pb2_grpc.HealthStub(channel)
    watches = [health.Watch(health_pb2.HealthCheckRequest(service=name)) for name in SERVICES]
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    closing = asyncio.create_task(plane.__aexit__(None, None, None))
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert not closing.done()
    for watch in watches:
        watch.cancel()
    await closing


async def test_channelz_shows_servers_and_connections(config: Config) -> None:
    async with (
        ControlPlane(replace(config, channelz=True)) as plane,
        grpc.aio.insecure_channel(plane.address) as channel,
    ):
        (listed,) = await reflect(channel, REFLECTIONS[0], Asked(list_services=""))
        assert CHANNELZ in {it.name for it in listed.list_services_response.service}
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        servers = await stub.GetServers(channelz_pb2.GetServersRequest())
        of = [
            channelz_pb2.GetServerSocketsRequest(server_id=it.ref.server_id)
            for it in servers.server
        ]
        sockets = [socket for it in of for socket in (await stub.GetServerSockets(it)).socket_ref]
        assert any("ipv4:127.0.0.1" in socket.name for socket in sockets)


async def test_no_channelz_unless_asked_for(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channelz_pb2_grpc.ChannelzStub(channel).GetServers(channelz_pb2.GetServersRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
