"""Code that blocks the worker's event loop: clients are refused at once, everything else is reported.

The programs block until the report has come, so that nothing here depends on time.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import durable
from durable import Context

from .system import LocalSystem, System

ONCE = durable.RetryPolicy(max_attempts=1)
PATIENCE_SECONDS = 60
HERE = "test_blocking.py"

address = {"": ""}


class Reports(logging.Handler):
    """Collects the worker's reports, and unblocks the blocked code when the report has come."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "held up" in record.getMessage() or "has been holding up" in record.getMessage():
            self.records.append(record)
            self.came.set()

    @property
    def texts(self) -> list[str]:
        return [record.getMessage() for record in self.records]


reports = Reports()


@pytest.fixture(autouse=True)
def _reports() -> Iterator[None]:
    reports.records.clear()
    reports.came.clear()
    logger = logging.getLogger("durable.worker")
    logger.addHandler(reports)
    yield
    logger.removeHandler(reports)


@durable.workflow(retry=ONCE)
async def blocks(ctx: Context) -> bool:
    """Waits as only a thread may."""
    return reports.came.wait(PATIENCE_SECONDS)


@durable.workflow(retry=ONCE)
async def blocks_in_a_library(ctx: Context) -> str:
    """Calls a server that answers only after the report has come."""
    connection = http.client.HTTPConnection("127.0.0.1", int(address["silent"]))
    connection.request("GET", "/")
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


@durable.workflow(retry=ONCE)
async def blocks_in_a_step(ctx: Context) -> bool:
    async def step() -> bool:
        await asyncio.sleep(0)
        return reports.came.wait(PATIENCE_SECONDS)

    return await ctx.run("wait", step)


@durable.workflow(retry=ONCE)
async def blocks_in_a_task_of_a_step(ctx: Context) -> bool:
    async def child() -> bool:
        return reports.came.wait(PATIENCE_SECONDS)

    async def step() -> bool:
        return await asyncio.create_task(child())

    return await ctx.run("wait", step)


@durable.workflow
async def quiet(ctx: Context) -> int:
    return 1


@durable.workflow(retry=ONCE)
async def uses_a_client(ctx: Context, how: str) -> Any:
    """Uses a client in the workflow's own code, or where it is allowed."""
    client = durable.Client(address["plane"], timeout=10)
    try:
        match how:
            case "invoke":
                return client.invoke(quiet)
            case "query":
                return list(client.query_all())
            case "watch":
                return list(client.watch(ctx.invocation_id))
            case "serve":
                client.register(quiet)
                return client.serve_handlers()
            case "local":
                with durable.Client.local() as local:
                    return local.stats()
            case "async":
                async with durable.AsyncClient(address["plane"]) as other:
                    return await other.invoke(quiet)
            case "a client of before":
                return await async_client[0].invoke(quiet)
            case "async watch":
                async for _ in async_client[0].watch(ctx.invocation_id):
                    break
            case "in a step":
                return await ctx.run("client", client.invoke, quiet)
            case "in an async step":

                async def step() -> int:
                    async with durable.AsyncClient(address["plane"]) as other:
                        return await other.invoke(quiet)

                return await ctx.run("client", step)
    finally:
        client.close()


async_client: list[durable.AsyncClient] = []

WORKFLOWS = [
    blocks,
    blocks_in_a_library,
    blocks_in_a_step,
    blocks_in_a_task_of_a_step,
    quiet,
    uses_a_client,
]


async def test_blocking_code_is_reported_while_it_blocks(system: System) -> None:
    invocation_id = await system.client.invoke_async(blocks)
    assert (await system.client.get_result(invocation_id, blocks)).value() is True
    first = reports.texts[0]
    assert first.startswith(
        f"blocks [{invocation_id}] has been holding up the whole worker for 1 s"
    )
    assert f"{HERE}:{blocks.function.__code__.co_firstlineno + 3} in blocks" in first
    assert "ctx.run" in first
    record: Any = reports.records[0]
    assert (record.invocation_id, record.handler) == (invocation_id, "blocks")


async def test_the_users_own_line_is_named_when_a_library_blocks(system: System) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address["silent"] = str(server.getsockname()[1])

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                reports.came.wait(PATIENCE_SECONDS)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nlate")

        thread = threading.Thread(target=answer)
        thread.start()
        assert await system.client.invoke(blocks_in_a_library) == "late"
        thread.join()
    line = blocks_in_a_library.function.__code__.co_firstlineno + 5
    assert f"at {__file__}:{line} in blocks_in_a_library (which is in " in reports.texts[0]
    assert "socket.py" in reports.texts[0]


async def test_an_async_step_that_blocks_is_reported_by_its_name(system: System) -> None:
    invocation_id = await system.client.invoke_async(blocks_in_a_step)
    assert (await system.client.get_result(invocation_id, blocks_in_a_step)).value() is True
    first = reports.texts[0]
    assert first.startswith(f"step 0 (RUN 'wait') of blocks_in_a_step [{invocation_id}] has been")
    assert "in step (which is in " in first
    assert "plain `def`" in first


async def test_a_task_of_a_step_that_blocks_is_reported_by_its_line(system: System) -> None:
    assert await system.client.invoke(blocks_in_a_task_of_a_step) is True
    assert reports.texts[0].startswith("the worker's event loop has been held up for 1 s, at ")
    assert f"{HERE}:" in reports.texts[0]
    assert "in child" in reports.texts[0]


async def test_local_mode_reports_it_too(tmp_path: Any) -> None:
    system = LocalSystem(tmp_path, 5.0, WORKFLOWS)
    await system.open()
    try:
        assert await system.client.invoke(blocks) is True
    finally:
        await system.close()
    assert "has been holding up the whole worker for 1 s" in reports.texts[0]


@pytest.mark.parametrize(
    "how",
    ["invoke", "query", "watch", "serve", "local", "async", "a client of before", "async watch"],
)
async def test_a_client_in_workflow_code_is_refused_at_once(system: System, how: str) -> None:
    address["plane"] = system.address
    async_client[:] = [system.client]
    with pytest.raises(durable.InvocationPausedError) as caught:
        await system.client.invoke(uses_a_client, how)
    failure = (await system.client.get(caught.value.invocation_id)).failure
    assert failure is not None
    assert failure.type == "durable.NonDurableAwaitError"
    assert "use ctx.invoke" in failure.message
    assert await system.client.invoke(quiet) == 1


@pytest.mark.parametrize("how", ["in a step", "in an async step"])
async def test_a_client_in_a_step_is_no_concern(system: System, how: str) -> None:
    address["plane"] = system.address
    assert await system.client.invoke(uses_a_client, how) == 1
