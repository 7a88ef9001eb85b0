"""Cancellation: in every kind of wait, of whole trees; nothing is left running."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System


@durable.object("held")
class Held:
    """An object whose handler keeps its key for long."""

    @durable.handler
    async def hold(self, ctx: Context, how: str) -> str:
        """Waits in the given way."""
        await ctx.run("begin", effect, f"holds {ctx.key}")
        await wait(ctx, how)
        return "went on"

    @durable.handler
    async def free(self, ctx: Context) -> bool:
        """Answers when the key is free."""
        return True


async def wait(ctx: Context, how: str) -> None:
    """Waits for ever, in one of the ways that there are."""
    if how == "sleep":
        await ctx.sleep(3600)
    elif how == "awakeable":
        await ctx.awakeable()
    elif how == "signal":
        await ctx.signal("never")
    elif how == "child":
        await ctx.invoke(branch, depth=0)
    elif how == "attach":
        await ctx.attach(await ctx.send(branch, depth=0))
    elif how == "busy key":
        other = ctx.options(key=f"{ctx.key}'s other")
        await other.send(Held.hold, "sleep")
        await other.invoke(Held.hold, "never begun")
    elif how == "later child":
        await ctx.options(delay=3600).invoke(branch, depth=0)
    elif how == "own key":
        await ctx.options(key=ctx.key).invoke(Held.free)
    elif how == "gather":
        await asyncio.gather(ctx.sleep(3600), ctx.awakeable(), ctx.invoke(branch, depth=0))
    elif how == "step":
        await ctx.run("slow", asyncio.sleep, 3600)


WAYS = [
    *("sleep", "awakeable", "signal", "child", "attach", "busy key", "later child", "own key"),
    *("gather", "step"),
]


@durable.workflow
async def branch(ctx: Context, depth: int, name: str = "0") -> None:
    """A tree of two branches each, whose leaves sleep; each node tidies up."""
    await ctx.run("begin", effect, f"begin {name}")
    try:
        if depth == 0:
            await ctx.sleep(3600)
        else:
            left = ctx.invoke(branch, depth=depth - 1, name=f"{name}0")
            await asyncio.gather(left, ctx.invoke(branch, depth=depth - 1, name=f"{name}1"))
    finally:
        await ctx.run("tidy", effect, f"tidy {name}")


@durable.workflow
async def cancels(ctx: Context, invocation_id: str) -> str:
    """Cancels another invocation and waits for its end."""
    await ctx.cancel(invocation_id)
    try:
        await ctx.attach(invocation_id)
    except durable.ChildCancelledError as error:
        return error.message
    return "it went on"


@durable.workflow
async def stubborn(ctx: Context) -> str:
    """Continues after it was cancelled."""
    await ctx.run("begin", effect, "begin")
    try:
        await ctx.sleep(3600)
    except asyncio.CancelledError:
        await ctx.run("note", effect, "noted")
    await ctx.signal("go")
    return "done all the same"


@durable.workflow
async def fails_while_tidying(ctx: Context) -> None:
    try:
        await ctx.run("begin", effect, "begin")
        await ctx.sleep(3600)
    finally:
        raise durable.TerminalError("no way back", code=418)


@durable.workflow
async def group(ctx: Context) -> str:
    """One of three fails: the others are cancelled, also their children."""

    async def fail() -> None:
        await ctx.promise("fail")

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            for number in range(2):
                tasks.create_task(_child(ctx, str(number)))
    except BaseExceptionGroup as failures:
        return str(failures.exceptions[0])
    return "no failure"


async def _child(ctx: Context, name: str) -> Any:
    return await ctx.invoke(branch, depth=0, name=name)


WORKFLOWS = [Held, branch, cancels, stubborn, fails_while_tidying, group]


async def ended(system: System) -> None:
    """Waits until every invocation has ended."""
    going = ["scheduled", "pending", "running", "suspended", "backing_off", "paused"]
    async with asyncio.timeout(20):
        while found := (await system.client.query(status=going)).invocations:
            await system.until(found[0].invocation_id, "completed", "failed", "cancelled")


@pytest.mark.parametrize("force", [False, True], ids=["asked", "by force"])
@pytest.mark.parametrize("how", WAYS)
async def test_whatever_it_waits_for(system: System, how: str, force: bool) -> None:
    """It ends, what it awaits ends, and the key of the object is free."""
    client = system.client.options(key="k")
    invocation_id = await client.invoke_async(Held.hold, how)
    begun = {"busy key": 2, "child": 2, "attach": 2, "gather": 2}.get(how, 1)
    await calls.reached(begun)
    entries = {"busy key": 3, "attach": 3, "gather": 4, "step": 1}.get(how, 2)
    await system.journaled(invocation_id, entries)
    await system.client.cancel(invocation_id, reason="enough", force=force)
    assert await system.until(invocation_id, "completed", "cancelled", "failed") == "cancelled"
    assert await client.invoke(Held.free)
    assert "tidy 0" not in calls or how in ("child", "gather")
    if how in ("child", "gather"):
        for child in (await client.query(parent_invocation_id=invocation_id)).invocations:
            await system.until(child.invocation_id, "completed", "cancelled", "failed")
    for left in (await system.client.query(status=["running", "suspended"])).invocations:
        assert how in ("attach", "busy key"), left
        await system.client.cancel(left.invocation_id)
    await ended(system)


@pytest.mark.parametrize("force", [False, True], ids=["asked", "by force"])
async def test_a_deep_tree_while_all_parents_wait(system: System, force: bool) -> None:
    invocation_id = await system.client.invoke_async(branch, depth=5)
    await calls.reached(63)
    await system.client.cancel(invocation_id, force=force)
    await ended(system)
    counts = (await system.client.stats()).by_status
    assert counts["cancelled"] == 63
    begun = {it.removeprefix("begin ") for it in calls if it.startswith("begin")}
    tidied = [it.removeprefix("tidy ") for it in calls if it.startswith("tidy")]
    assert sorted(tidied) == ([] if force else sorted(begun))


async def test_a_deep_tree_whose_worker_dies_when_it_is_cancelled(system: System) -> None:
    invocation_id = await system.client.invoke_async(branch, depth=4)
    await calls.reached(31)
    await system.client.cancel(invocation_id)
    await system.kill()
    await system.employ()
    await ended(system)
    assert (await system.client.stats()).by_status["cancelled"] == 31
    assert {it for it in calls if it.startswith("tidy")} == {
        it.replace("begin", "tidy") for it in calls if it.startswith("begin")
    }


async def test_from_another_invocation(system: System) -> None:
    invocation_id = await system.client.invoke_async(branch, depth=2)
    await calls.reached(7)
    message = await system.client.invoke(cancels, invocation_id)
    assert message.startswith("cancelled by invocation ")
    await ended(system)
    assert await system.client.invoke(cancels, invocation_id) == message
    with pytest.raises(durable.InvocationFailedError, match="InvocationNotFound"):
        await system.client.invoke(cancels, "nobody")


async def test_a_handler_may_continue_and_is_cancelled_once(system: System) -> None:
    invocation_id = await system.client.invoke_async(stubborn)
    await calls.reached(1)
    await system.client.cancel(invocation_id)
    await calls.reached(2)
    await system.client.cancel(invocation_id)
    await system.client.signal(invocation_id, "go")
    assert (await system.client.get_result(invocation_id)).value() == "done all the same"
    assert calls == ["begin", "noted"]


async def test_a_failure_of_the_cleanup_is_the_outcome(system: System) -> None:
    invocation_id = await system.client.invoke_async(fails_while_tidying)
    await calls.reached(1)
    await system.client.cancel(invocation_id)
    result = await system.client.get_result(invocation_id)
    assert result.status == "failed"
    assert result.failure is not None
    assert result.failure.code == 418


async def test_a_failing_task_group_cancels_its_children(system: System) -> None:
    invocation_id = await system.client.invoke_async(group)
    await calls.reached(2)
    await system.client.reject_awakeable(f"{invocation_id}.fail", "broken")
    assert "broken" in (await system.client.get_result(invocation_id)).value()
    await ended(system)
    assert sorted(calls) == ["begin 0", "begin 1", "tidy 0", "tidy 1"]


async def test_who_never_began_is_cancelled_too(system: System) -> None:
    """Delayed ones, and ones that wait for their turn."""
    held = system.client.options(key="k")
    first = await held.invoke_async(Held.hold, "sleep")
    await calls.reached(1)
    waiting = [await held.invoke_async(Held.hold, "never begun") for _ in range(3)]
    for invocation_id in waiting:
        await system.client.cancel(invocation_id)
        await system.until(invocation_id, "cancelled")
    await system.client.cancel(first)
    assert await held.invoke(Held.free)
    assert calls == ["holds k"]
