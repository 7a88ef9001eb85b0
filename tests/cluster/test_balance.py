"""The workers of a cluster are spread over its nodes, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from durable_server.rpc import balance
from durable_server.rpc.balance import Balance, has_too_many
from tests.support.manual_worker import ManualWorker
from tests.support.waiting import eventually

from .relay_nodes import cluster


def test_nodes_that_differ_by_one_are_balanced() -> None:
    assert has_too_many("a", {"a": 2, "b": 0})
    assert has_too_many("a", {"a": 9, "b": 9, "c": 7})
    assert not has_too_many("a", {"a": 1, "b": 0, "c": 0})
    assert not has_too_many("b", {"a": 5, "b": 0})
    assert not has_too_many("a", {"a": 5})


async def test_each_worker_is_asked_once_until_nodes_come_or_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(balance, "PAUSE_SECONDS", 0.0)
    counts: Mapping[str, int] | None = None
    asked: list[str] = []
    looked = asyncio.Event()

    def known() -> Mapping[str, int] | None:
        looked.set()
        return counts

    async def look() -> None:
        looked.clear()
        it.changed()
        await looked.wait()

    it = Balance("a", known, lambda: ["x", "y"], asked.append)
    it.settle_seconds = 0.0
    await look()
    assert asked == []
    # They come back each time.
    counts = {"a": 2, "b": 0}
    await look()
    await eventually(lambda: asked == ["x", "y"])
    await look()
    assert asked == ["x", "y"]
    counts = {"a": 2, "b": 0, "c": 0}
    await look()
    await eventually(lambda: asked == ["x", "y"] * 2)
    it.close()


async def test_a_node_that_has_come_gets_a_worker_of_another_one() -> None:
    async with (
        cluster(a=[0], b=[1]) as nodes,
        ManualWorker(nodes["a"].channel, "first") as first,
        ManualWorker(nodes["a"].channel, "second") as second,
    ):
        nodes["a"].relay.balance.settle_seconds = 0.01
        nodes["a"].relay.balance.close()
        nodes["a"].relay.balance.changed()
        moved = [asyncio.create_task(it.receive("drain")) for it in (first, second)]
        done, waiting = await asyncio.wait(moved, return_when=asyncio.FIRST_COMPLETED)
        assert {it.result().drain.elsewhere for it in done} == {True}
        assert len(waiting) == 1
        for it in waiting:
            it.cancel()
