"""Idempotency: the same request sent again, and results requested early, late, or of unknown ids."""

from __future__ import annotations

import asyncio

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System


@durable.workflow
async def work(ctx: Context, number: int) -> int:
    await ctx.run("work", effect, f"work {number}")
    return number


@durable.workflow
async def waits(ctx: Context) -> str:
    await ctx.run("begin", effect, "begin")
    return await ctx.signal("go", type=str)


@durable.workflow
async def fails(ctx: Context) -> None:
    raise durable.TerminalError("broken", code=503)


@durable.workflow
async def asks_by_key(ctx: Context, number: int, times: int) -> list[int]:
    """Invokes and sends the same work many times concurrently, with one idempotency key."""
    named = ctx.options(idempotency_key="the work")
    ids = await asyncio.gather(*[named.send(work, number) for _ in range(times)])
    assert len(set(ids)) == 1
    await ctx.attach(ids[0])
    return list(await asyncio.gather(*[named.invoke(work, number) for _ in range(times)]))


@durable.workflow
async def attaches(ctx: Context, invocation_id: str) -> str:
    """Returns the outcome of another invocation."""
    try:
        return repr(await ctx.attach(invocation_id))
    except durable.ChildCancelledError as error:
        return f"cancelled: {error.message}"
    except durable.ChildFailedError as error:
        return f"{error.type} {error.code}: {error.message}"


@durable.workflow
async def resolves(ctx: Context, awakeable_id: str, value: str) -> str:
    """Resolves another invocation's awakeable; returns whether it was the first to do so."""
    await ctx.run("ready", effect, "ready")
    try:
        await ctx.resolve_awakeable(awakeable_id, value)
    except durable.StepFailedError as error:
        return error.type
    return "resolved"


@durable.workflow
async def promised(ctx: Context) -> str:
    return await ctx.awakeable("the promise", type=str)


WORKFLOWS = [work, waits, fails, asks_by_key, attaches, resolves, promised]


async def test_fifty_at_once_are_one(system: System) -> None:
    named = system.client.options(idempotency_key="order-17")
    assert await asyncio.gather(*[named.invoke(work, 17) for _ in range(50)]) == [17] * 50
    ids = await asyncio.gather(*[named.invoke_async(work, 17) for _ in range(50)])
    assert len(set(ids)) == 1
    assert calls == ["work 17"]
    with pytest.raises(durable.AlreadyExistsError):
        await named.invoke(work, 18)


async def test_of_many_different_ones_at_once_the_first_is_done(system: System) -> None:
    named = system.client.options(idempotency_key="order-17")
    answers = await asyncio.gather(
        *[named.invoke(work, number) for number in range(50)], return_exceptions=True
    )
    done = [it for it in answers if isinstance(it, int)]
    assert len(done) == 1
    assert calls == [f"work {done[0]}"]
    refused = [it for it in answers if isinstance(it, durable.AlreadyExistsError)]
    assert len(refused) == 49
    assert all(it.reason == "IDEMPOTENCY_MISMATCH" for it in refused), refused[0].reason


async def test_a_key_names_the_same_work_from_within_and_from_outside(system: System) -> None:
    assert await system.client.invoke(asks_by_key, number=5, times=30) == [5] * 30
    named = system.client.options(idempotency_key="the work")
    assert await named.invoke(work, 5) == 5
    with pytest.raises(durable.InvocationFailedError, match="used before with another input"):
        await system.client.invoke(asks_by_key, number=6, times=1)
    assert calls == ["work 5"]


async def test_a_repeated_start_of_what_goes_on_waits_for_it(system: System) -> None:
    named = system.client.options(idempotency_key="once")
    invocation_id = await named.invoke_async(waits)
    again = [asyncio.ensure_future(named.invoke(waits)) for _ in range(5)]
    await calls.reached(1)
    await system.client.signal(invocation_id, "go", "went")
    assert await asyncio.gather(*again) == ["went"] * 5
    assert calls == ["begin"]


async def test_attach_to_what_has_ended_or_never_was(system: System) -> None:
    done = await system.client.invoke_async(work, 3)
    await system.until(done, "completed")
    assert await system.client.invoke(attaches, done) == "3"
    failed = await system.client.invoke_async(fails)
    assert await system.client.invoke(attaches, failed) == "durable.TerminalError 503: broken"
    cancelled = await system.client.invoke_async(waits)
    watching = asyncio.ensure_future(system.client.invoke(attaches, cancelled))
    await calls.reached(2)
    await system.client.cancel(cancelled, reason="enough")
    assert await watching == "cancelled: enough"
    assert await system.client.invoke(attaches, cancelled) == "cancelled: enough"
    await system.client.purge(done)
    unknown = f"durable.InvocationNotFound 0: no invocation '{done}'"
    assert await system.client.invoke(attaches, done) == unknown
    with pytest.raises(durable.NotFoundError):
        await system.client.get_result(done)


async def test_many_attach_to_one(system: System) -> None:
    one = await system.client.invoke_async(waits)
    attached = [asyncio.ensure_future(system.client.invoke(attaches, one)) for _ in range(50)]
    watching = [asyncio.ensure_future(system.client.get_result(one)) for _ in range(50)]
    await calls.reached(1)
    await system.client.signal(one, "go", "went")
    assert await asyncio.gather(*attached) == ["'went'"] * 50
    assert [it.value() for it in await asyncio.gather(*watching)] == ["went"] * 50


async def test_a_purged_key_may_be_used_anew(system: System) -> None:
    named = system.client.options(idempotency_key="again")
    first = await named.invoke_async(work, 1)
    await system.until(first, "completed")
    await system.client.purge(first)
    assert await named.invoke(work, 2) == 2
    assert calls == ["work 1", "work 2"]


async def test_one_of_many_resolves(system: System) -> None:
    invocation_id = await system.client.invoke_async(promised)
    await system.journaled(invocation_id, 1)
    answers = await asyncio.gather(
        *[
            system.client.invoke(resolves, awakeable_id="the promise", value=f"by {number}")
            for number in range(20)
        ]
    )
    assert sorted(answers) == ["durable.AlreadyResolved"] * 19 + ["resolved"]
    winner = answers.index("resolved")
    assert (await system.client.get_result(invocation_id)).value() == f"by {winner}"


async def test_a_promise_that_was_kept_early_by_another_workflow(system: System) -> None:
    answer = await system.client.invoke(resolves, awakeable_id="the promise", value="early")
    assert answer == "resolved"
    assert await system.client.invoke(promised) == "early"
