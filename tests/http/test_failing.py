"""Failures in `/api`: the failed tries of a step, and why a failure is final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import durable
from durable_server.app import ControlPlane

from . import flows
from .web import Web


@pytest.fixture
async def client(plane: ControlPlane) -> AsyncIterator[durable.AsyncClient]:
    worker = durable.Worker(plane.address, workflows=[flows.charges, flows.echo])
    running = asyncio.create_task(worker.run())
    await worker.ready()
    async with durable.AsyncClient(plane.address, timeout=30) as one:
        yield one
    worker.stop()
    await running


async def test_a_step_that_is_tried_again_is_shown_with_its_failures(
    web: Web, client: durable.AsyncClient
) -> None:
    invocation_id = await client.invoke_async(flows.charges, "waiting")
    async for seen in client.watch(invocation_id):
        if seen.status == "backing_off" and seen.attempt == 2:
            break
    shown = (await web.get(f"/api/workflows/{invocation_id}")).body
    (step,) = shown["failing_steps"]
    assert step.pop("first_failure_at") <= step.pop("last_failure_at") <= shown["wakes_at"]
    assert step == {
        "step_number": 1,
        "step_type": "RUN:charge",
        "failed_try_count": 2,
        "error": "the bank is closed",
        "error_type": "ConnectionError",
    }
    assert [it["step_type"] for it in shown["journal"]] == ["RUN:check"]
    assert "error_final" not in shown
    rpc = (await web.get(f"/v1/invocations/{invocation_id}?include_journal=true")).body
    (step,) = rpc["invocation"]["failingSteps"]
    assert (step["index"], step["kind"], step["failedTryCount"]) == (1, "ENTRY_KIND_RUN", 2)


@pytest.mark.parametrize(
    ("how", "failed_before", "why"),
    [
        ("terminal", None, "terminal_error"),
        ("used up", 2, "tries_failed"),
        ("given up on", None, "not_retried"),
    ],
)
async def test_a_failure_that_is_final_says_why(
    web: Web, client: durable.AsyncClient, how: str, failed_before: int | None, why: str
) -> None:
    invocation_id = await client.invoke_async(flows.charges, how)
    await client.get_result(invocation_id)
    shown = (await web.get(f"/api/workflows/{invocation_id}")).body
    step = shown["journal"][1]
    assert step.get("failed_try_count") == failed_before
    assert (shown["status"], step["error_final"], shown["error_final"]) == ("failed", why, why)
    assert "failing_steps" not in shown


async def test_so_does_one_that_no_step_has_failed(web: Web, client: durable.AsyncClient) -> None:
    for handler, given, why in (
        (flows.echo, "fail", "terminal_error"),
        (flows.charges, 17, "invalid_input"),
    ):
        invocation_id = await client.invoke_async(handler.name, given)
        await client.get_result(invocation_id)
        shown = (await web.get(f"/api/workflows/{invocation_id}")).body
        assert shown["error_final"] == why
    refused = await web.post(f"/api/workflows/{flows.charges.name}/invoke", 17)
    assert (refused.code, refused.body["error_type"]) == (400, "durable.InvalidInput"), refused
    scheduled = await client.options(delay=3600).invoke_async(flows.echo)
    await client.cancel(scheduled, force=True)
    shown = (await web.get(f"/api/workflows/{scheduled}")).body
    assert (shown["status"], shown["error_final"]) == ("cancelled", "cancelled")
