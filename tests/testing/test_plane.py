"""The local control plane: its leader may end at any frame, and the next one goes on over its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

import durable
from durable._client.async_connection import AsyncConnection
from durable._local.control_plane import LocalControlPlane
from durable_server.core.ids import from_name
from durable_server.core.model import Handler
from durable_server.core.records import HandlerRegistered, Invoked
from durable_server.local import LocalPlane
from durable_server.processor.subscriptions import ProcessorEndedError


@durable.workflow
async def answer(ctx: durable.Context) -> Any:
    await ctx.run("step", lambda: None)
    return await ctx.awakeable("question")


@pytest.fixture
async def plane() -> AsyncIterator[LocalPlane]:
    made = LocalPlane()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("empty_store", [False, True])
async def test_the_next_leader_has_the_frame_that_the_last_one_died_at(
    plane: LocalPlane, empty_store: bool
) -> None:
    assert plane._processor is not None
    await plane._processor.propose(HandlerRegistered(Handler("h")))
    invocation_id = from_name("request", "h", "", "1")
    seen: list[Any] = []

    def crash(facts: Any) -> bool:
        seen.extend(facts)
        return True

    plane.on_append = crash
    # Those in the frame are told, like everybody else who waits.
    with pytest.raises(ProcessorEndedError):
        await plane._processor.propose(Invoked(invocation_id, "h", None))
    assert [(kind, fields["invocation_id"]) for kind, fields in seen] == [
        ("Invoked", invocation_id)
    ]
    plane.on_append = None
    assert plane._processor.find(invocation_id) is None
    await plane.restart(empty_store=empty_store)
    assert plane._processor.find(invocation_id) is not None
    assert plane._processor.partition.epoch == 2


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
