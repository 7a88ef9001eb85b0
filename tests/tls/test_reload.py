"""Certificates that change while the control plane serves: nothing that is open is dropped."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import durable
from durable_server.app import ControlPlane
from durable_server.config import Config

from ..support.processes import free_port
from ..support.waiting import eventually
from .files import Authority, Secret, environment, serial


@durable.workflow
async def greet(ctx: durable.Context, name: str) -> str:
    return f"hello {name}"


async def shown(address: str, context: ssl.SSLContext) -> int:
    """Returns the serial number of the certificate that a new connection is shown."""
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        return serial(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.close()


async def test_new_connections_are_shown_the_new_certificate_and_open_ones_go_on(
    following: Config, authority: Authority, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "durable.tls")
    context = authority.context()
    assert following.tls_cert is not None
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane(following))
        channel = await stack.enter_async_context(
            grpc.aio.secure_channel(plane.address, credentials)
        )
        states = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        first = await states.read()
        assert first.status == health_pb2.HealthCheckResponse.SERVING
        host, _, port = plane.http_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(b"GET /health/live HTTP/1.1\r\n")

        second = secret.publish(authority).serial

        async def taken_up() -> bool:
            return await shown(plane.address, context) == second

        await eventually(taken_up)
        assert await shown(plane.http_address, context) == second

        broken = secret.publish(authority, broken=True)
        await eventually(lambda: "the certificates in use stay" in caplog.text)
        assert await shown(plane.address, context) != broken.serial
        assert await shown(plane.http_address, context) != broken.serial
        later = secret.publish(authority).serial

        async def healed() -> bool:
            return await shown(plane.http_address, context) == later

        await eventually(healed)
        (warning,) = [it for it in caplog.records if it.levelno == logging.WARNING]
        assert "--tls-key" in warning.getMessage()

        # The connections of before.
        writer.write(b"Host: localhost\r\nConnection: close\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert not states.done()


async def test_an_authority_that_is_exchanged_refuses_the_clients_of_the_old_one(
    config: Config, authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("server")
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(authority.ca.read_bytes())
    old = authority.context(authority.issue("client"))
    new = authority.context(stranger.issue("client"))
    older = authority.context(authority.issue("client"))
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    mutual = replace(config, tls_cert=pair.cert, tls_key=pair.key, tls_client_ca=trusted)
    async with ControlPlane(mutual) as plane:

        async def served(
            context: ssl.SSLContext, session: ssl.SSLSession | None = None
        ) -> ssl.SSLSession | None:
            return await asyncio.to_thread(answered, plane.http_address, context, session)

        before = await served(old)
        assert before is not None
        before_1_2 = await served(older)  # None if TLS 1.2 is refused
        assert await served(new) is None
        trusted.write_bytes(stranger.ca.read_bytes())
        await eventually(lambda: served(new))
        assert await served(old) is None
        # What is resumed is not verified again.
        assert await served(old, before) is None
        assert await served(older, before_1_2) is None


def answered(
    address: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    """Asks over HTTP, in a session that is resumed if one is given; None if it is refused."""
    host, _, port = address.rpartition(":")
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port))) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host, session=session) as wrapped:
                wrapped.sendall(request)
                answer = b"".join(iter(lambda: wrapped.recv(1024), b""))
                found = wrapped.session if answer else None
                wrapped.unwrap()  # else the session cannot be resumed
                return found
        except OSError:  # ssl.SSLError is one
            return None


async def test_a_worker_connects_anew_with_its_new_certificate(
    config: Config,
    authority: Authority,
    stranger: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = authority.issue("server")
    folder = tmp_path / "worker"
    folder.mkdir()
    own = authority.issue("own", folder=folder)
    environment(monkeypatch, authority, own)
    listen = f"127.0.0.1:{free_port()}"
    first = replace(
        config,
        listen=listen,
        http="",
        tls_cert=server.cert,
        tls_key=server.key,
        tls_client_ca=authority.ca,
    )
    worker = durable.Worker(f"grpcs://{listen}", workflows=[greet])
    async with ControlPlane(first):
        running = asyncio.create_task(worker.run())
        await worker.ready()
        async with durable.AsyncClient(f"grpcs://{listen}", timeout=30) as client:
            assert await client.invoke(greet, "old") == "hello old"
    stranger.issue("own", folder=folder)
    async with (
        ControlPlane(replace(first, tls_client_ca=stranger.ca)),
        durable.AsyncClient(f"grpcs://{listen}", timeout=30) as client,
    ):
        assert await client.invoke(greet, "new") == "hello new"
        worker.stop()
        await running
    assert worker.statistics().sessions == 2
