"""Programs that know several addresses of control planes in processes of their own."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

import durable
from tests.support.processes import control_plane, free_port, running
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows
from .service import Hello

_PAUSE_SECONDS = 0.005
"""Between two calls, so that callers leave the nodes the time to start."""

EXPECTED = [f"Hello, x-{number}!" for number in (1, 2, 3)]


async def test_work_goes_on_where_the_control_plane_comes_back(tmp_path: Path) -> None:
    """Call, watch and worker begin at the first address and end at the second one."""
    flow = flows.three_calls
    later = f"127.0.0.1:{free_port()}"
    async with Hello() as hello:
        hello.hold("x-3")
        with control_plane(tmp_path) as (first, address):
            addresses = f"{address},{later}"
            worker = command(
                "-v", "worker", "tests.process.flows", "--address", addresses,
                "--service", f"HelloService={hello.address}",
            )  # fmt: skip
            async with durable.AsyncClient(addresses, timeout=60) as client:
                with running(worker, tmp_path / "worker.log") as child:
                    await eventually(lambda: serves(client, flow.name))
                    call = asyncio.create_task(client.invoke(flow, "x"))
                    async with asyncio.timeout(30):
                        await hello.held.wait()
                    (found,) = (await client.query(handler=flow.name)).invocations
                    watch = asyncio.create_task(last_seen(client, found.invocation_id))
                    await eventually(lambda: steps(client, found.invocation_id, 2))
                    first.kill()
                    with control_plane(tmp_path, listen=later, name="again"):
                        hello.open.set()
                        assert await call == EXPECTED
                        assert await watch == ("completed", 3)
                    assert f"at {address}" in child.text()
                    assert f"at {later}" in child.text()
    # A committed step never runs again. One in flight does if the start takes longer than the control
    # plane keeps attempts for a worker that is away.
    assert (hello.calls["x-1"], hello.calls["x-2"]) == (1, 1)


async def serves(client: durable.AsyncClient, handler: str) -> bool:
    return any(it.name == handler and it.worker_count for it in await client.list_handlers())


async def steps(client: durable.AsyncClient, invocation_id: str, count: int) -> bool:
    journal = (await client.get(invocation_id)).journal
    return sum(1 for it in journal if it.outcome is not None) >= count


async def last_seen(client: durable.AsyncClient, invocation_id: str) -> tuple[str, int]:
    """Returns the last status that a watch shows, and how many steps it has shown as done."""
    seen = [change async for change in client.watch(invocation_id)]
    done = [it for change in seen for it in change.journal if it.outcome is not None]
    return seen[-1].status, len(done)


async def test_no_call_fails_while_each_of_three_nodes_is_restarted(tmp_path: Path) -> None:
    """The nodes here know nothing of each other, so the calls are of those that need no data."""
    with ExitStack() as stack:
        folders = [tmp_path / str(number) for number in range(3)]
        served = []
        for folder in folders:
            folder.mkdir()
            served.append(stack.enter_context(control_plane(folder)))
        addresses = ",".join(address for _, address in served)
        over = asyncio.Event()
        counts = [0] * 4

        async def call_on(number: int) -> None:
            async with durable.AsyncClient(addresses, timeout=20) as client:
                while not over.is_set():
                    await client.server_info()
                    await client.query()
                    counts[number] += 1
                    await asyncio.sleep(_PAUSE_SECONDS)

        def call_on_in_a_thread(number: int) -> None:
            with durable.Client(addresses, timeout=20) as client:
                while not over.is_set():
                    client.server_info()
                    client.query()
                    counts[number] += 1
                    time.sleep(_PAUSE_SECONDS)

        async with asyncio.TaskGroup() as group:
            for number in (0, 1):
                group.create_task(call_on(number))
            for number in (2, 3):
                group.create_task(asyncio.to_thread(call_on_in_a_thread, number))
            try:
                for folder, (child, address) in zip(folders, served, strict=True):
                    await progress(counts)
                    assert await asyncio.to_thread(child.terminate) == 0
                    await progress(counts)
                    again = control_plane(folder, listen=address, name="again")
                    await asyncio.to_thread(stack.enter_context, again)
                await progress(counts)
            finally:
                over.set()


async def progress(counts: list[int]) -> None:
    """Returns when each caller has had answers since."""
    before = list(counts)
    await eventually(lambda: all(now > old for now, old in zip(counts, before, strict=True)))
