"""Code that changes under a running invocation: a mismatch pauses it, a compatible change continues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System

Body = Callable[[Context], Awaitable[Any]]


def version(number: int, body: Body) -> durable.Workflow[[], str]:
    """Makes a version of one workflow: a body, a wait, and an effect that contains the version."""

    async def changing(ctx: Context) -> str:
        await body(ctx)
        await ctx.signal("go")
        return await ctx.run("tell", effect, f"version {number}")

    return durable.workflow(changing, version=f"v{number}")


@durable.workflow
async def one(ctx: Context, number: int = 0) -> None:
    await ctx.run("one", effect, "one")


@durable.workflow
async def other(ctx: Context, number: int = 0) -> None:
    await ctx.run("other", effect, "other")


async def sleeps(ctx: Context) -> None:
    await ctx.sleep(0.001)


async def calls_one(ctx: Context) -> None:
    await ctx.invoke(one)


async def calls_other(ctx: Context) -> None:
    await ctx.invoke(other)


async def sends_one(ctx: Context) -> None:
    await ctx.send(one)


async def sends_other(ctx: Context) -> None:
    await ctx.send(other)


async def sets_a(ctx: Context) -> None:
    ctx.set("a", 1)


async def sets_b(ctx: Context) -> None:
    ctx.set("b", 1)


async def gets_a(ctx: Context) -> None:
    await ctx.get("a")


async def steps(ctx: Context) -> None:
    await asyncio.gather(ctx.run("first", effect, "x"), ctx.run("second", effect, "y"))


async def steps_in_another_order(ctx: Context) -> None:
    await asyncio.gather(ctx.run("second", effect, "y"), ctx.run("first", effect, "x"))


async def steps_and_one_more(ctx: Context) -> None:
    await ctx.run("zeroth", effect, "z")
    await steps(ctx)


async def awaits_a_promise(ctx: Context) -> None:
    promise = ctx.awakeable("a-promise")
    await ctx.resolve_awakeable(promise.id)
    await promise


async def awaits_another_promise(ctx: Context) -> None:
    promise = ctx.awakeable("another-promise")
    await ctx.resolve_awakeable(promise.id)
    await promise


async def nothing(ctx: Context) -> None:
    pass


CHANGES: list[tuple[Body, Body]] = [
    (sleeps, calls_one),
    (calls_one, calls_other),
    (calls_one, sends_one),
    (sends_one, sends_other),
    (sets_a, sets_b),
    (sets_a, gets_a),
    (steps, steps_in_another_order),
    (steps, steps_and_one_more),
    (awaits_a_promise, awaits_another_promise),
    (calls_one, nothing),
    (nothing, sleeps),
]

WORKFLOWS = [version(1, nothing), one, other]


async def employ(system: System, workflow: durable.Workflow[..., Any]) -> None:
    """Deploys a version: the worker with the one before is killed."""
    await system.kill()
    system.workflows = [workflow, one, other]
    await system.employ()


async def asked_for_go(system: System, invocation_id: str) -> None:
    """Waits until the program is at its wait."""
    async with asyncio.timeout(20):
        async for found in system.client.watch(invocation_id):
            if any(it.kind == "SIGNAL" for it in found.journal):
                return


@pytest.mark.parametrize(("before", "after"), CHANGES, ids=lambda it: it.__name__.replace("_", " "))
async def test_a_change_is_held_and_goes_on_when_it_is_taken_back(
    system: System, before: Body, after: Body
) -> None:
    first, second = version(1, before), version(2, after)
    await employ(system, first)
    invocation_id = await system.client.invoke_async(first)
    await asked_for_go(system, invocation_id)
    done = list(calls)
    await employ(system, second)
    await system.client.signal(invocation_id, "go")
    for _ in range(2):  # resumed without a corrected version, it is paused again
        result = await system.client.get_result(invocation_id)
        assert result.status == "paused"
        assert result.failure is not None
        assert result.failure.type == "durable.DeterminismError"
        assert "(recorded by version v1)" in result.failure.message
        assert "(version v2)" in result.failure.message
        await system.client.resume(invocation_id)
    await system.until(invocation_id, "paused")
    assert (
        sorted(calls) == sorted(done) or before is sends_one
    )  # whose child may still be on its way
    await employ(system, first)
    await system.client.resume(invocation_id)
    assert (await system.client.get_result(invocation_id)).value() == "version 1"
    assert "other" not in calls


async def test_a_change_behind_the_journal_goes_on(system: System) -> None:
    """Code after the last journal entry may change: a waiting invocation continues with it."""
    first = version(1, steps)
    await employ(system, first)
    invocation_id = await system.client.invoke_async(first)
    await asked_for_go(system, invocation_id)
    second = version(2, steps)
    await employ(system, second)
    await system.client.signal(invocation_id, "go")
    assert (await system.client.get_result(invocation_id)).value() == "version 2"
    assert sorted(calls) == ["version 2", "x", "y"]


async def test_a_handler_that_is_gone_for_a_while_is_waited_for(system: System) -> None:
    first = version(1, calls_one)
    await employ(system, first)
    invocation_id = await system.client.invoke_async(first)
    await asked_for_go(system, invocation_id)
    await system.kill()
    system.workflows = [one]
    await system.employ()
    await system.client.signal(invocation_id, "go")
    assert await system.client.invoke(one) is None
    assert not (await system.client.get(invocation_id)).finished
    await employ(system, first)
    assert (await system.client.get_result(invocation_id)).value() == "version 1"


async def test_in_a_rolling_deploy_each_goes_on_with_the_version_that_it_began_with(
    system: System,
) -> None:
    """Both versions serve; an invocation that the first has begun is not dispatched to the second."""
    first, second = version(1, sets_a), version(2, calls_one)
    await employ(system, first)
    begun = [await system.client.invoke_async(first) for _ in range(5)]
    for invocation_id in begun:
        await asked_for_go(system, invocation_id)
    worker = durable.Worker(system.address, workflows=[second, one])
    running = asyncio.create_task(worker.run())
    try:
        await worker.ready()
        for invocation_id in begun:
            await system.client.signal(invocation_id, "go")
        for invocation_id in begun:
            assert (await system.client.get_result(invocation_id)).value() == "version 1"
        # Once the first version is gone, invocations without a journal run on the second.
        await system.kill()
        last = await system.client.invoke_async(second)
        await asked_for_go(system, last)
        await system.client.signal(last, "go")
        assert (await system.client.get_result(last)).value() == "version 2"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def guarded(number: int) -> durable.Workflow[[], list[Any]]:
    """Makes a generation of one workflow: before a change, with a patch for it, with that deprecated,
    and without it."""

    async def changing(ctx: Context) -> list[Any]:
        found = [await ctx.run("begin", effect, "begin")]
        changed = number > 1
        if number == 2:
            changed = ctx.patched("tax")
        elif number == 3:
            ctx.deprecate_patch("tax")
        if changed:
            found.append(await ctx.run("tax", effect, "tax"))
        await ctx.signal("go")
        return [*found, await ctx.run("tell", effect, f"version {number}")]

    return durable.workflow(changing, version=f"v{number}")


async def test_a_patch_lets_journals_from_before_and_after_a_change_go_on(system: System) -> None:
    generations = {number: guarded(number) for number in (1, 2, 3, 4)}

    async def begun(number: int) -> str:
        invocation_id = await system.client.invoke_async(generations[number])
        await asked_for_go(system, invocation_id)
        return invocation_id

    async def end(invocation_id: str) -> Any:
        await system.client.signal(invocation_id, "go")
        return (await system.client.get_result(invocation_id)).value()

    async def kinds(invocation_id: str) -> list[str]:
        found = await system.client.get(invocation_id)
        return [it.step_type for it in found.journal]

    await employ(system, generations[1])
    old, oldest = await begun(1), await begun(1)
    await employ(system, generations[2])
    assert await end(old) == ["begin", "version 2"]
    assert await kinds(old) == ["RUN:begin", "SIGNAL:go", "RUN:tell"]
    patched, both = await begun(2), await begun(2)
    assert await kinds(patched) == ["RUN:begin", "PATCH:tax", "RUN:tax", "SIGNAL:go"]
    assert await end(patched) == ["begin", "tax", "version 2"]
    await employ(system, generations[3])
    deprecated, rolled_back = await begun(3), await begun(3)
    assert await end(both) == ["begin", "tax", "version 3"]
    marked = ["RUN:begin", "DEPRECATED_PATCH:tax", "RUN:tax", "SIGNAL:go"]
    assert await kinds(deprecated) == marked
    # Deprecated too early: what runs without the change is held, and goes on with both branches.
    await system.client.signal(oldest, "go")
    result = await system.client.get_result(oldest)
    assert result.status == "paused"
    assert result.failure is not None
    assert "both branches of ctx.patched('tax')" in result.failure.message
    await employ(system, generations[4])
    assert await end(deprecated) == ["begin", "tax", "version 4"]
    await employ(system, generations[2])
    await system.client.resume(oldest)
    assert (await system.client.get_result(oldest)).value() == ["begin", "version 2"]
    assert await end(rolled_back) == ["begin", "tax", "version 2"]
