"""Failures: what of an exception reaches the caller, and what is retried."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System

QUICKLY = durable.RetryPolicy(initial_interval=timedelta(milliseconds=1), max_attempts=4)
FACTS = {"order": "17", "warehouse": "Riga ☃"}


@durable.workflow
async def fails(ctx: Context, message: str) -> None:
    raise durable.TerminalError(message, code=409, metadata=FACTS)


@durable.workflow
async def fails_in_a_step(ctx: Context, message: str) -> None:
    def step() -> None:
        raise durable.TerminalError(message, code=409, metadata=FACTS)

    await ctx.run("step", step)


@durable.workflow
async def calls_one_that_fails(ctx: Context, depth: int, message: str) -> None:
    """Passes on the failure of a child of a child."""
    if depth == 0:
        await ctx.invoke(fails, message)
    await ctx.invoke(calls_one_that_fails, depth=depth - 1, message=message)


@durable.workflow(retry=QUICKLY)
async def succeeds_at(ctx: Context, attempt: int) -> int:
    """Fails outside of any step until some attempt."""
    await ctx.run("once", effect, "step")
    calls.append("attempt")
    if ctx.attempt < attempt:
        raise RuntimeError(f"attempt {ctx.attempt}")
    return ctx.attempt


@durable.workflow(retry=QUICKLY)
async def fails_at_each_step(ctx: Context, count: int) -> int:
    """Fails three times at each step: progress between them gives new attempts."""
    for number in range(count):

        def step(number: int = number) -> int:
            calls.append(str(number))
            if calls.count(str(number)) < 4:
                raise RuntimeError("not yet")
            return number

        await ctx.run("step", step)
    return len(calls)


@durable.workflow(retry=QUICKLY)
async def fails_beside_what_works(ctx: Context) -> list[str]:
    """Of two steps side by side one fails twice; the other one's result is kept."""

    async def shaky() -> str:
        await DONE.wait()
        await effect("shaky")
        if calls.count("shaky") < 3:
            raise RuntimeError("not yet")
        return "shaky"

    async def solid() -> str:
        return await effect("solid")

    async def note() -> str:
        said = await ctx.run("solid", solid)
        DONE.set()
        return said

    return list(await asyncio.gather(ctx.run("shaky", shaky), note()))


BEGUN = threading.Event()
FAILED = threading.Event()
ONCE = durable.RetryPolicy(max_attempts=1)


def charges() -> str:
    """Has its effect after the step beside it, or the program, has failed."""
    calls.append("charge")
    BEGUN.set()
    FAILED.wait(20)
    time.sleep(0.05)  # so long that the failure has been dealt with
    return "charged"


def charges_in_vain() -> str:
    raise ConnectionError(charges())


def fails_first() -> str:
    BEGUN.wait(20)
    calls.append("fails")
    FAILED.set()
    if calls.count("fails") == 1:
        raise ConnectionError("not yet")
    return "went well"


async def _awaits(future: durable.DurableFuture[str]) -> str:
    return await future


@durable.workflow(retry=QUICKLY)
async def fails_beside_what_runs(ctx: Context, how: str) -> list[str]:
    """Something fails while a step runs that must not run twice."""
    once = ctx.options(retry=ONCE)
    charge = once.run("charge", charges_in_vain if how == "in vain" else charges)
    match how:
        case "step":
            other = await asyncio.gather(charge, ctx.run("fails", fails_first))
        case "in vain":
            other = await asyncio.gather(
                charge, ctx.run("fails", fails_first), return_exceptions=True
            )
        case _:
            await ctx.run("begun", BEGUN.wait, 20)
            FAILED.set()
            if not calls.count("mended"):
                calls.append("mended")
                if how == "group":
                    async with asyncio.TaskGroup() as group:
                        group.create_task(_awaits(charge))
                        await asyncio.sleep(0)  # so that the task begins
                        raise TypeError("a mistake in a group")
                raise KeyError("a try") if how == "program" else TypeError("a mistake")
            other = [await charge]
    return [str(it) for it in other]


DONE = asyncio.Event()
GO = threading.Semaphore(0)
STOP = threading.Event()


@durable.workflow
async def blocks(ctx: Context, name: str) -> str:
    """A sync step that blocks its thread; it cannot be interrupted."""
    loop = LOOPS[0]

    def block() -> str:
        loop.call_soon_threadsafe(asyncio.ensure_future, effect(name))
        GO.acquire()
        return f"{name} done"

    return await ctx.run("block", block)


@durable.workflow
async def fails_beside_what_blocks(ctx: Context) -> None:
    """A step fails beside one that does not end."""

    async def fails_now() -> None:
        await effect("fails")
        raise ConnectionError("not yet")

    await asyncio.gather(ctx.run("block", STOP.wait, 60), ctx.run("fails", fails_now))


LET_GO = threading.Event()


@durable.workflow
async def fails_beside_what_hangs(ctx: Context) -> None:
    """The program fails beside a step that hangs."""
    hanging = ctx.run("hang", LET_GO.wait, 60)
    await ctx.run("begun", effect, "begun")
    raise ConnectionError(f"not yet: {hanging!r}")


LOOPS: list[asyncio.AbstractEventLoop] = []

WORKFLOWS = [
    *(fails, fails_in_a_step, calls_one_that_fails, succeeds_at, fails_at_each_step),
    *(fails_beside_what_works, fails_beside_what_runs, blocks),
    *(fails_beside_what_blocks, fails_beside_what_hangs),
]


@pytest.mark.parametrize("flow", [fails, fails_in_a_step], ids=lambda it: it.name)
async def test_a_failure_keeps_its_facts_in_every_replay(
    system: System, flow: durable.Workflow[[str], None]
) -> None:
    for number in range(3):
        with pytest.raises(durable.InvocationFailedError, match=f"no stock {number}") as caught:
            await system.client.invoke(flow, f"no stock {number}")
        failure = caught.value.failure
        assert (failure.code, dict(failure.metadata)) == (409, FACTS)
        found = await system.client.get(caught.value.invocation_id)
        assert found.attempt == 1


async def test_a_failure_travels_through_generations(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="no stock") as caught:
        await system.client.invoke(calls_one_that_fails, depth=3, message="no stock")
    failure = caught.value.failure
    assert (failure.code, dict(failure.metadata)) == (409, FACTS)
    assert failure.message.count("no stock") == 1


async def test_attempts_until_it_succeeds(system: System) -> None:
    assert await system.client.invoke(succeeds_at, 4) == 4
    assert calls == ["step"] + ["attempt"] * 4
    calls.clear()
    with pytest.raises(durable.InvocationPausedError, match="attempt 4") as caught:
        await system.client.invoke(succeeds_at, 9)
    assert calls == ["step"] + ["attempt"] * 4
    held = await system.client.get(caught.value.invocation_id)
    assert "attempts are used up; the last failure was RuntimeError: attempt 4" in held.pause_reason
    assert await system.client.cancel(held.invocation_id, force=True) == "cancelled"


async def test_progress_gives_new_attempts(system: System) -> None:
    assert await system.client.invoke(fails_at_each_step, 3) == 12
    assert calls == ["0"] * 4 + ["1"] * 4 + ["2"] * 4


async def test_what_worked_beside_a_failure_is_kept(system: System) -> None:
    DONE.clear()
    assert await system.client.invoke(fails_beside_what_works) == ["shaky", "solid"]
    assert sorted(calls) == ["shaky"] * 3 + ["solid"]


@pytest.mark.parametrize("how", ["step", "in vain", "program", "mistake", "group"])
async def test_a_step_that_runs_beside_a_failure_is_not_run_again(system: System, how: str) -> None:
    BEGUN.clear()
    FAILED.clear()
    invocation_id = await system.client.invoke_async(fails_beside_what_runs, how)
    if how in ("mistake", "group"):
        await system.until(invocation_id, "paused")
        await system.client.resume(invocation_id)
    result = (await system.client.get_result(invocation_id, fails_beside_what_runs)).value()
    expected = {"step": ["charged", "went well"]}
    expected["in vain"] = ["charge: ConnectionError: charged", "went well"]
    assert result == expected.get(how, ["charged"])
    assert calls.count("charge") == 1


async def test_a_cancellation_does_not_wait_for_what_runs_beside_a_failure(system: System) -> None:
    BEGUN.clear()
    FAILED.clear()
    STOP.clear()
    invocation_id = await system.client.invoke_async(fails_beside_what_blocks)
    await calls.reached(1)
    await system.client.cancel(invocation_id)
    await system.until(invocation_id, "cancelled")
    STOP.set()


async def test_a_step_that_hangs_does_not_keep_a_failure_to_itself(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durable._worker.time_bounds.ENDING_SECONDS_MAX", 0.05)
    LET_GO.clear()
    invocation_id = await system.client.invoke_async(fails_beside_what_hangs)
    await system.until(invocation_id, "backing_off")
    await system.client.cancel(invocation_id, force=True)
    LET_GO.set()


@pytest.mark.parametrize("how", ["force", "kill", "cancel"])
async def test_a_blocked_thread_delays_no_other_invocation(system: System, how: str) -> None:
    """Its late result counts for nothing: not for the invocation, nor for the next attempt."""
    LOOPS[:] = [asyncio.get_running_loop()]
    invocation_id = await system.client.invoke_async(blocks, "first")
    await calls.reached(1)
    if how == "kill":
        await system.kill()
        await system.employ()
        await calls.reached(2)
        GO.release(2)
        assert (await system.client.get_result(invocation_id)).value() == "first done"
    else:
        await system.client.cancel(invocation_id, force=how == "force")
        assert await system.until(invocation_id, "cancelled", "completed") == "cancelled"
        GO.release()
    GO.release()
    assert await system.client.invoke(blocks, "second") == "second done"
    found = await system.client.get(invocation_id)
    assert len(found.journal) == (how == "kill")
