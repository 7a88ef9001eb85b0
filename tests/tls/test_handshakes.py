"""Connections to HTTPS whose handshake does not end: they count, and end with the control plane."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from durable_server.app import ControlPlane
from durable_server.config import Config
from durable_server.core.limits import Limits

from ..support.waiting import eventually
from .files import Authority

LIMIT = 3
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def limited(config: Config, authority: Authority) -> Config:
    """The settings of a control plane that serves few clients."""
    pair = authority.issue("server")
    limits = Limits()._replace(connections=LIMIT)
    return replace(config, http="127.0.0.1:0", limits=limits, tls_cert=pair.cert, tls_key=pair.key)


async def alive(address: str, context: ssl.SSLContext) -> bool:
    """Returns whether a new connection is served."""
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
        writer.close()
    except OSError:
        return False
    return line == b"HTTP/1.1 200 OK\r\n"


async def ended(reader: asyncio.StreamReader) -> bool:
    """Waits until the other side closes a connection; returns whether it has said nothing before."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_those_that_say_nothing_count_and_are_ended(
    limited: Config, authority: Authority, run: Run
) -> None:
    async def main() -> None:
        async with ControlPlane(limited) as plane:
            host, _, port = plane.http_address.rpartition(":")
            silent = [await asyncio.open_connection(host, int(port)) for _ in range(2 * LIMIT)]
            # Those that have waited longest have given way, and one more does so to a real client.
            assert all([await ended(reader) for reader, _ in silent[:LIMIT]])
            assert not any(reader.at_eof() for reader, _ in silent[LIMIT:])
            context = authority.context()
            assert await alive(plane.http_address, context)
            assert await ended(silent[LIMIT][0])
            # Clients that are served do not.
            served = [
                await asyncio.open_connection(host, int(port), ssl=context) for _ in range(LIMIT)
            ]

            async def full() -> bool:
                return not await alive(plane.http_address, context)

            await eventually(full)
            for _, writer in served:
                assert not writer.is_closing()
                writer.close()

            async def free() -> bool:
                return not await full()

            await eventually(free)
            last = await asyncio.open_connection(host, int(port))
        assert await ended(last[0])
        for _, writer in (*silent, last):
            writer.close()

    run(main())
