"""The forming of a cluster of real nats-servers: whom a server waits for, and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from durable_server.nats.embedded import EmbeddedNats, NatsStartError
from durable_server.nats.forming import until_formed
from durable_server.nats.routes import Routes
from tests.support.processes import free_port

PEERS = {it: f"127.0.0.1:{free_port()}" for it in "ab"} | {"c": "c.invalid:6222"}
A = Routes("green", "a", PEERS, "the secret of the cluster")


@asynccontextmanager
async def started(folder: Path, *servers: Routes) -> AsyncIterator[list[EmbeddedNats]]:
    async with AsyncExitStack() as stack:
        running = []
        for routes in servers:
            server = EmbeddedNats(folder / routes.node, routes=routes)
            await server.start()
            stack.push_async_callback(server.stop)
            running.append(server)
        yield running


async def first_report(server: EmbeddedNats, routes: Routes) -> str:
    reports: asyncio.Queue[str] = asyncio.Queue()
    forming = asyncio.create_task(until_formed(server, routes, reports.put_nowait))
    try:
        return await reports.get()
    finally:
        forming.cancel()
        await asyncio.wait([forming])


async def test_the_first_start_takes_all(tmp_path: Path) -> None:
    b = Routes("green", "b", PEERS, A.secret)
    async with started(tmp_path, A, b) as [server, _]:
        report = await first_report(server, A)
    assert report.startswith("waits until the 3 NATS servers have a leader")
    assert "at the first start of a cluster it takes all of them: c at c.invalid:6222" in report


async def test_who_is_missing_is_named(tmp_path: Path) -> None:
    async with started(tmp_path, A) as [server]:
        report = await first_report(server, A)
    assert report.startswith(
        f"waits for 1 more of 3 NATS servers: b at {PEERS['b']}, c at c.invalid:6222 (the name"
        " cannot be resolved"
    )
    assert "another" not in report


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Routes("green", "b", PEERS, "another secret"), "secret"),
        (Routes("green", "b", PEERS), "secret"),
        (Routes("blue", "b", PEERS, A.secret), "--cluster"),
    ],
)
async def test_what_keeps_two_apart_is_named(other: Routes, what: str, tmp_path: Path) -> None:
    async with started(tmp_path, A, other) as [server, _]:
        report = await first_report(server, A)
    assert f"one of them has another {what}" in report


async def test_a_server_that_is_stopped_forms_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, A) as [server]:
        forming = asyncio.create_task(until_formed(server, A, print))
    with pytest.raises(NatsStartError):
        await forming
