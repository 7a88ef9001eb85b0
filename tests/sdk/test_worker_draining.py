"""A worker that drains begins no more steps, and gives attempts back that need one."""

from __future__ import annotations

import asyncio
import threading

import durable

from .peers import BOUND, PeerSession, WorkerPeer, ack, start
from .workers import ID, OTHER, Gate


async def ended(session: PeerSession, run: asyncio.Task[None]) -> None:
    await session.closed()
    session.finish()
    await asyncio.wait_for(run, BOUND)


async def test_no_step_begins_after_the_one_that_runs(peer: tuple[WorkerPeer, str]) -> None:
    gate = Gate()
    begun: list[str] = []

    @durable.workflow
    async def two_steps(ctx: durable.Context) -> None:
        await ctx.run("first", gate.pass_through)
        await ctx.run("second", begun.append, "second")

    worker = durable.Worker(peer[1], workflows=[two_steps])
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "two_steps"))
    await asyncio.wait_for(gate.begun.wait(), BOUND)
    worker.stop()
    await session.next("draining")
    gate.open.set()
    entry = await session.next("entry")
    assert entry.entry.name == "first"
    await session.send(ack(entry, 1))
    released = await session.next("released")
    assert (released.invocation_id, released.attempt) == (ID, 1)
    await ended(session, run)
    assert not begun
    assert worker.statistics().attempts_released == 1


async def test_steps_beside_each_other_end_before_the_attempt_is_given_back(
    peer: tuple[WorkerPeer, str],
) -> None:
    fast, slow = Gate(), Gate()
    begun: list[str] = []

    @durable.workflow
    async def side_by_side(ctx: durable.Context) -> None:
        async def pair() -> None:
            await ctx.run("fast", fast.pass_through)
            await ctx.run("next", begun.append, "next")

        await asyncio.gather(pair(), ctx.run("slow", slow.pass_through))

    worker = durable.Worker(peer[1], workflows=[side_by_side])
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "side_by_side"))
    await asyncio.wait_for(fast.begun.wait(), BOUND)
    await asyncio.wait_for(slow.begun.wait(), BOUND)
    worker.stop()
    await session.next("draining")
    fast.open.set()
    entry = await session.next("entry")
    await session.send(ack(entry, 1))
    slow.open.set()
    # The outcome of the step that still ran is journaled too.
    assert {entry.entry.name, (await session.next("entry")).entry.name} == {"fast", "slow"}
    assert (await session.next("released")).invocation_id == ID
    await ended(session, run)
    assert not begun


async def test_a_step_that_waits_for_a_thread_does_not_begin(peer: tuple[WorkerPeer, str]) -> None:
    may_end, busy = threading.Event(), threading.Event()
    runs: list[str] = []

    @durable.workflow
    async def blocks(ctx: durable.Context) -> None:
        def step() -> None:
            runs.append(ctx.invocation_id)
            busy.set()
            assert may_end.wait(BOUND)

        await ctx.run("step", step)

    worker = durable.Worker(peer[1], workflows=[blocks], max_threads=1)
    run = asyncio.create_task(worker.run())
    session = await peer[0].accept()
    await session.send(start(ID, "blocks"))
    assert await asyncio.to_thread(busy.wait, BOUND)
    await session.send(start(OTHER, "blocks"))
    worker_holds_both = asyncio.get_running_loop().time() + BOUND
    while worker.statistics().attempts_running < 2:
        assert asyncio.get_running_loop().time() < worker_holds_both
        await asyncio.sleep(0.001)
    worker.stop()
    await session.next("draining")
    assert (await session.next("released")).invocation_id == OTHER
    may_end.set()
    entry = await session.next("entry")
    await session.send(ack(entry, 1))
    assert (await session.next("finished")).invocation_id == ID
    await ended(session, run)
    assert runs == [ID]
