"""A worker as a process of its own: signals drain it, and a blocked step cannot keep it alive."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .peers import BOUND, PeerSession, ack, start, worker_peer

ID = "0" * 31 + "1"

PROGRAM = """
import sys, time
import durable

@durable.workflow
async def blocks(ctx: durable.Context) -> int:
    await ctx.run("before", lambda: 1)
    return await ctx.run("block", lambda: time.sleep(3600))

worker = durable.Worker(sys.argv[1], workflows=[blocks], drain_timeout=float(sys.argv[2]))
durable.run_worker(worker)
print("left")
"""


@asynccontextmanager
async def process(
    path: Path, drain_timeout: float
) -> AsyncIterator[tuple[asyncio.subprocess.Process, PeerSession]]:
    (path / "program.py").write_text(PROGRAM)
    async with worker_peer() as (peer, address):
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            str(path / "program.py"),
            address,
            str(drain_timeout),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            session = await peer.accept(heartbeat=0.05)
            # A heartbeat shows that the worker has received its Welcome.
            await session.next("heartbeat")
            yield child, session
            session.finish()
            output, _ = await asyncio.wait_for(child.communicate(), BOUND)
            assert output == b"left\n"
            assert child.returncode == 0
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains(tmp_path: Path, number: signal.Signals) -> None:
    async with process(tmp_path, 30) as (child, session):
        child.send_signal(number)
        await session.next("draining")
        await session.closed()


async def test_a_blocked_thread_does_not_keep_the_process(tmp_path: Path) -> None:
    async with process(tmp_path, 0.1) as (child, session):
        await session.send(start(ID, "blocks"))
        await session.send(ack(await session.next("entry"), 1))
        child.send_signal(signal.SIGTERM)
        await session.next("draining")
        assert (await session.next("released")).invocation_id == ID
        await session.closed()
