"""Processes that are killed, or whose clocks are wrong: nothing is lost, no timer is late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import durable
from tests.support.processes import Child, control_plane, running
from tests.support.processes import durable as command
from tests.support.waiting import eventually

from . import flows

HOUR = 3600


@contextmanager
def worker(folder: Path, address: str, *options: str, skew: int = 0) -> Iterator[Child]:
    """Runs a worker whose clock is `skew` seconds ahead."""
    arguments = command(
        "-v", "worker", "tests.conformance.flows", "--address", address, *options,
        module="tests.conformance.skewed",
    )  # fmt: skip
    environment = {"SKEW_SECONDS": str(skew)}
    with running(arguments, folder / "worker.log", environment=environment) as child:
        yield child


async def served(client: durable.AsyncClient) -> None:
    """Waits until a worker serves the handlers."""
    await eventually(client.list_handlers)


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["behind", "ahead"])
async def test_a_worker_with_a_wrong_clock(tmp_path: Path, skew: int) -> None:
    """Time is the log's: the worker's own clock has no say in it."""
    with control_plane(tmp_path) as (_, address), worker(tmp_path, address, skew=skew):
        async with durable.AsyncClient(address, timeout=20) as client:
            await served(client)
            invocation_id = await client.invoke_async(flows.all_of_time)
            await client.signal(invocation_id, "go")
            times = (await client.get_result(invocation_id, flows.all_of_time)).value()
    assert times == sorted(times)
    assert abs(times[0] - time.time()) < HOUR / 2


@pytest.mark.parametrize("skew", [-HOUR, HOUR], ids=["put back", "put forward"])
async def test_a_control_plane_whose_clock_is_put(tmp_path: Path, skew: int) -> None:
    """It dies, and comes back with another time of day: what sleeps is still woken in time."""
    with control_plane(tmp_path) as (first, address), worker(tmp_path, address):
        async with durable.AsyncClient(address, timeout=20) as client:
            await served(client)
            ids = [await client.invoke_async(flows.all_of_time) for _ in range(5)]
            await client.signal(ids[0], "go")
            first.kill()
            with control_plane(
                tmp_path,
                listen=address,
                name="again",
                module="tests.conformance.skewed",
                environment={"SKEW_SECONDS": str(skew)},
            ) as (second, _):
                for invocation_id in ids[1:]:
                    await client.signal(invocation_id, "go")
                for invocation_id in ids:
                    times = (await client.get_result(invocation_id, flows.all_of_time)).value()
                    assert times == sorted(times)
                told = "was written by a clock that was 3" in second.text()
                assert told == (skew < 0)


async def test_a_counter_under_kills(tmp_path: Path) -> None:
    """Each addition happens once, whichever process is killed during the call."""
    with control_plane(tmp_path) as (first, address):
        async with durable.AsyncClient(address, timeout=30) as client:

            async def add(number: int) -> int:
                one = client.options(key="k", idempotency_key=f"addition-{number}")
                return await one.invoke(flows.Counter.add, 1)

            with worker(tmp_path, address) as victim:
                await served(client)
                assert await add(0) == 1
                adding = [asyncio.ensure_future(add(number)) for number in range(30)]
                await asyncio.wait(adding, return_when="FIRST_COMPLETED")
                first.kill()
                victim.kill()
            with (
                control_plane(tmp_path, listen=address, name="again"),
                worker(tmp_path, address),
            ):
                numbers = await asyncio.gather(*adding)
                assert sorted(numbers) == list(range(1, 31))
                # The same questions have the same answers.
                assert await asyncio.gather(*[add(number) for number in range(30)]) == numbers


async def test_the_history_of_attempts_has_the_lost_one(tmp_path: Path) -> None:
    """A worker that is killed says nothing; the control plane knows which build it was."""
    with control_plane(tmp_path) as (first, address):
        async with durable.AsyncClient(address, timeout=30) as client:
            with worker(tmp_path, address, "--build-id", "b1") as victim:
                await served(client)
                invocation_id = await client.invoke_async(
                    flows.kills_its_worker, str(tmp_path / "marker")
                )
                await asyncio.to_thread(victim.process.wait, 60)
            with worker(tmp_path, address, "--build-id", "b2", "--suspend-after", "0"):
                assert (await client.get_result(invocation_id)).value() == "survived"
            before = (await client.get(invocation_id)).attempts
            first.kill()
            with control_plane(tmp_path, listen=address, name="again"):
                found = (await client.get(invocation_id)).attempts
    assert [(it.build_id, it.end) for it in found] == [
        ("b1", "lost"),
        ("b2", "retried"),
        ("b2", "suspended"),
        ("b2", "completed"),
    ]
    assert len({it.worker_id for it in found}) == 2
    assert [it.message for it in found] == [it.message for it in before]
    failure = found[1].failure
    assert failure is not None
    assert failure.message == "not yet"
