"""Health checks as load balancers make them: gRPC's, and HTTP byte by byte."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from durable_server.app import ControlPlane

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


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
