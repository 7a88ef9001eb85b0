"""Local mode's control plane: a leader that crashes at a frame of the log, and its successor."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

import durable
from durable._client.async_connection import AsyncConnection
from durable._local.control_plane import LocalControlPlane
from durable.testing._time import VirtualTime
from durable_proto.v1 import control_pb2, control_pb2_grpc


@durable.workflow
async def answer(ctx: durable.Context) -> Any:
    await ctx.run("step", lambda: None)
    return await ctx.awakeable("question")


@pytest.mark.parametrize("empty_store", [False, True])
async def test_the_next_leader_has_the_frame_that_the_last_one_died_at(empty_store: bool) -> None:
    local = LocalControlPlane()
    async with durable.AsyncClient._of(AsyncConnection.to_local(local), 20) as client:
        client.register(answer)
        await client.serve_handlers()
        control = control_pb2_grpc.DurableControlStub(local.open())
        seen: list[Any] = []

        def crash(facts: Any) -> bool:
            seen.extend(facts)
            return True

        local.plane.on_append = crash
        # The frame is in the log, but its leader is gone: the caller cannot know.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await control.Invoke(control_pb2.InvokeRequest(handler="answer"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        local.plane.on_append = None
        kind, fields = seen[0]
        assert kind == "Invoked"
        await local.restart(empty_store=empty_store)
        await client.resolve_awakeable("question", 42)
        assert (await client.get_result(fields["invocation_id"])).value() == 42
        assert (await client.server_info()).epoch == 2


@pytest.mark.parametrize("empty_store", [False, True])
async def test_calls_and_workers_outlive_a_restart(empty_store: bool) -> None:
    local = LocalControlPlane()
    async with durable.AsyncClient._of(AsyncConnection.to_local(local), 20) as client:
        client.register(answer)
        await client.serve_handlers()
        invocation_id = await client.invoke_async(answer)
        await local.restart(empty_store=empty_store)
        await client.resolve_awakeable("question", 42)
        assert (await client.get_result(invocation_id)).value() == 42


async def test_an_error_of_the_observer_reaches_all_callers_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    local = LocalControlPlane(start_ms=0)
    time = VirtualTime(local, lambda: True, skip=True)
    async with durable.AsyncClient._of(AsyncConnection.to_local(local), None) as client:
        client.register(answer)
        await client.serve_handlers()

        def observe(facts: Any) -> bool:
            raise LookupError(f"no rule for {facts[0][0]}")

        local.plane.on_append = observe
        invoking = asyncio.ensure_future(client.invoke(answer))
        with pytest.raises(LookupError, match="no rule for Invoked"):
            await time.settle()
        with pytest.raises(
            durable.RpcError, match="no rule for Invoked; the log has the traceback"
        ):
            await invoking
        assert "in observe" in caplog.text
        with pytest.raises(LookupError):
            await time.advance(1)
