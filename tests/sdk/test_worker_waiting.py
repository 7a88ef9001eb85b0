"""Idle attempts: suspended after a time, or at once when the worker is full.

Also steps that the program has given up, which run to their end before their attempt is idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest

import durable
from durable_proto.v1 import invocation_pb2

from .peers import (
    BOUND,
    WorkerPeer,
    about,
    ack,
    completion,
    start,
)
from .workers import ID, Gate, running

TIMEOUT = 5000.0
"""The timeout, in seconds, of steps that do not reach it; no other timer is as long."""


@pytest.mark.parametrize("suspend_after", [0, 0.01])
async def test_what_only_waits_is_suspended(
    peer: tuple[WorkerPeer, str], suspend_after: float
) -> None:
    """Rule 8; the entry must be acknowledged before it is only waiting."""
    async with running(peer[1], suspend_after=suspend_after) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "waits"))
        entry = await session.next("entry")
        await session.send(ack(entry, 0))
        suspend = await session.next("suspend")
        assert suspend.suspend.completion_number == 0
        await session.send(about(ID, 1, "suspended"))
        journal = invocation_pb2.JournalEntry(
            index=0, kind=invocation_pb2.ENTRY_KIND_SLEEP, name=entry.entry.name, attempt=1
        )
        journal.completion_number = 1
        journal.outcome.value.content_type = "application/json"
        journal.outcome.value.data = b"null"
        await session.send(start(ID, "waits", attempt=2, journal=[journal]))
        assert (await session.next("finished")).attempt == 2
        assert worker.statistics().attempts_suspended == 1


async def test_a_completion_overtakes_the_suspension(peer: tuple[WorkerPeer, str]) -> None:
    """Rule 8: a newer completion is on its way, and the attempt goes on."""
    async with running(peer[1], suspend_after=0):
        session = await peer[0].accept()
        await session.send(start(ID, "waits"))
        entry = await session.next("entry")
        await session.send(ack(entry, 0))
        await session.next("suspend")
        await session.send(completion(entry, 1))
        await session.next("finished")


def gives_up(gate: Gate) -> durable.Workflow[[], None]:
    """Returns a workflow that gives up the gate's step, and then waits for a timer."""

    @durable.workflow
    async def impatient(ctx: durable.Context) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await ctx.run("gate", gate.pass_through)
        await ctx.sleep(3600)

    return impatient


@pytest.mark.parametrize("how", ["suspended", "evicted", "paused", "drained"])
async def test_a_step_that_was_given_up_goes_on_and_is_journaled(
    peer: tuple[WorkerPeer, str], how: str
) -> None:
    gate = Gate()

    options: dict[str, Any] = {"suspend_after": 0} if how == "suspended" else {}
    options |= {"max_concurrent": 1} if how == "evicted" else {}
    async with running(peer[1], gives_up(gate), **options) as worker:
        session = await peer[0].accept(heartbeat=0.05)
        await session.send(start(ID, "impatient"))
        limit = await session.next("entry")
        await asyncio.wait_for(gate.begun.wait(), BOUND)
        await session.send(ack(limit, 0), completion(limit, 1))
        sleep = await session.next("entry")
        assert sleep.entry.kind == invocation_pb2.ENTRY_KIND_SLEEP
        await session.send(ack(sleep, 0))
        if how == "paused":
            await session.send(about(ID, 1, "pause_requested"))
        elif how == "drained":
            worker.stop()
            await session.next("draining")
        await session.next("heartbeat")
        await session.next("heartbeat")
        assert not gate.cancelled.is_set()
        gate.open.set()
        made = await session.next("entry")
        assert (made.entry.name, made.entry.outcome.value.data) == ("gate", b'"passed"')
        await session.send(ack(made, 2))
        await session.next("paused" if how == "paused" else "suspend")
        await session.send(about(ID, 1, "suspended"))


async def test_a_drain_does_not_wait_for_a_step_that_was_given_up(
    peer: tuple[WorkerPeer, str],
) -> None:
    gate = Gate()

    worker = durable.Worker(peer[1], workflows=[gives_up(gate)], drain_timeout=0.05)
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "impatient"))
    limit = await session.next("entry")
    await session.send(ack(limit, 0), completion(limit, 1))
    await session.send(ack(await session.next("entry"), 0))
    worker.stop()
    await session.next("draining")
    assert (await session.next("released")).invocation_id == ID
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)
    assert gate.cancelled.is_set()


async def test_the_timeout_of_a_sync_step_ends_with_it(
    peer: tuple[WorkerPeer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    call_later = loop.call_later
    timers: list[asyncio.TimerHandle] = []

    def record(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        timer = call_later(delay, *args, **kwargs)
        if TIMEOUT - BOUND < delay <= TIMEOUT:
            timers.append(timer)
        return timer

    monkeypatch.setattr(loop, "call_later", record)
    begun, end = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        end.wait(BOUND)

    @durable.workflow
    async def limited(ctx: durable.Context) -> None:
        await ctx.options(timeout=TIMEOUT).run("brief", str)
        await ctx.options(timeout=TIMEOUT).run("long", block)

    def timeouts() -> int:
        return sum(not it.cancelled() for it in timers)

    async with running(peer[1], limited) as worker:
        session = await peer[0].accept()
        await session.send(start(ID, "limited"))
        entry = await session.next("entry")
        assert timeouts() == 0
        await session.send(ack(entry, 1))
        await asyncio.to_thread(begun.wait, BOUND)
        assert timeouts() == 1
        await session.send(about(ID, 1, "abandon"))
        assert await worker_holds(worker, 0)
        assert timeouts() == 0
        assert len(timers) == 2
        end.set()


async def test_never_suspended_when_so_wished(peer: tuple[WorkerPeer, str]) -> None:
    async with running(peer[1], suspend_after=None):
        session = await peer[0].accept(heartbeat=0.05)
        await session.send(start(ID, "waits"))
        entry = await session.next("entry")
        await session.send(ack(entry, 0))
        await session.next("heartbeat")
        await session.next("heartbeat")
        await session.send(completion(entry, 1))
        await session.next("finished")


async def test_a_full_worker_lets_those_go_that_have_waited_longest(
    peer: tuple[WorkerPeer, str],
) -> None:
    """A quarter of the slots, and no more while those are on their way out."""
    ids = [f"{number:032x}" for number in range(8)]
    async with running(peer[1], suspend_after=None, max_concurrent=8) as worker:
        session = await peer[0].accept(heartbeat=0.05)
        for invocation_id in ids:
            await session.send(start(invocation_id, "waits"))
            await session.send(ack(await session.next("entry"), 0))
        assert [(await session.next("suspend")).invocation_id for _ in range(2)] == ids[:2]
        await session.next("heartbeat")
        await session.next("heartbeat")
        await session.send(*(about(it, 1, "suspended") for it in ids[:2]))
        assert await worker_holds(worker, 6)
        await session.send(start(ids[0], "waits", attempt=2), start(ids[1], "waits", attempt=2))
        for _ in range(2):
            await session.send(ack(await session.next("entry"), 0))
        assert [(await session.next("suspend")).invocation_id for _ in range(2)] == ids[2:4]


async def worker_holds(worker: durable.Worker, count: int) -> bool:
    async with asyncio.timeout(BOUND):
        while worker.statistics().attempts_running != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return True
