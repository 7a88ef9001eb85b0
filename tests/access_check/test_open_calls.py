"""Calls that stay open: they end when the token of their caller is revoked or expires; others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from durable_proto.v1 import control_pb2
from tests.access_check.callers import Tokens, bearer
from tests.server.calls import reason
from tests.support.manual_worker import ManualWorker

if TYPE_CHECKING:
    from tests.server.calls import Control


async def end_of(reading: Awaitable[Any]) -> dict[str, str]:
    """Awaits the end of a call with UNAUTHENTICATED; returns the metadata of its error."""
    async with asyncio.timeout(20):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await reading
    found, metadata = reason(error.value)
    assert found == "UNAUTHENTICATED"
    return metadata


async def drained(stream: Any) -> None:
    """Reads a stream to its end."""
    while await stream.read() is not grpc.aio.EOF:
        pass


async def invoke_as(control: Control, token: str) -> str:
    request = control_pb2.InvokeRequest(handler="three")
    return (await control.Invoke(request, metadata=bearer(token))).invocation_id


async def test_a_revoked_token_ends_the_watch_the_wait_and_the_session(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    await tokens.add("admin", "admin")
    await tokens.add("kept", "read", "invoke", "worker")
    gone = bearer(await tokens.add("gone", "read", "invoke", "worker"))
    async with (
        ManualWorker(channel, "w1", metadata=bearer(tokens.texts["kept"])) as kept,
        ManualWorker(channel, "w2", handlers=("other",), metadata=gone) as worker,
    ):
        invocation_id = await invoke_as(control, tokens.texts["admin"])
        await kept.receive("start")
        request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        watch = control.WatchInvocation(request, metadata=gone)
        watch_kept = control.WatchInvocation(request, metadata=bearer(tokens.texts["kept"]))
        for it in (watch, watch_kept):
            await it.read()
        result = control_pb2.GetResultRequest(
            invocation_id=invocation_id, wait_timeout=Duration(seconds=40)
        )
        wait = control.GetResult(result, metadata=gone)
        waiting = control_pb2.InvokeRequest(handler="three", wait_timeout=Duration(seconds=40))
        start = control.Invoke(waiting, metadata=gone)
        # The second one was called after the first, on the same connection.
        await kept.receive("start")

        await tokens.revoke("gone")
        assert await end_of(wait) == {"problem": "revoked"}
        assert await end_of(start) == {"problem": "revoked"}
        assert await end_of(drained(watch)) == {"problem": "revoked"}
        assert await end_of(worker.receive("nothing more")) == {"problem": "revoked"}
        # The others go on.
        await invoke_as(control, tokens.texts["kept"])
        await kept.receive("start")
        assert not watch_kept.done()


async def test_a_token_that_is_revoked_while_the_request_arrives(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    """Else whoever holds a call open before could still make it, and a wait would not end."""
    admin = bearer(await tokens.add("admin", "admin"))
    gone = bearer(await tokens.add("gone", "invoke"))
    invoke: Any = channel.stream_unary("/durable.v1.DurableControl/Invoke")
    async with ManualWorker(channel, metadata=admin):
        calls = [invoke(metadata=gone) for _ in range(2)]
        # It was called after them, on the same connection.
        await control.GetServerInfo(control_pb2.GetServerInfoRequest(), metadata=gone)
        await tokens.revoke("gone")
        requests = (
            control_pb2.InvokeRequest(handler="three"),
            control_pb2.InvokeRequest(handler="three", wait_timeout=Duration(seconds=40)),
        )
        for call, request in zip(calls, requests, strict=True):
            await call.write(request.SerializeToString())
            await call.done_writing()
            assert await end_of(call) == {"problem": "revoked"}
        counts = await control.GetStats(control_pb2.GetStatsRequest(), metadata=admin)
        assert counts.total_count == 0


async def test_a_credential_that_expires_ends_the_watch(
    channel: grpc.aio.Channel, control: Control, tokens: Tokens
) -> None:
    await tokens.add("admin", "admin")
    async with ManualWorker(channel, metadata=bearer(tokens.texts["admin"])):
        invocation_id = await invoke_as(control, tokens.texts["admin"])
        soon = bearer(await tokens.add("soon", "read", seconds=1))
        request = control_pb2.WatchInvocationRequest(invocation_id=invocation_id)
        watch = control.WatchInvocation(request, metadata=soon)
        assert await end_of(drained(watch)) == {"problem": "expired"}
