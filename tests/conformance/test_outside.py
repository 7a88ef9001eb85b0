"""A context used where no replay can repeat it: in a step, in a thread, in another program.

What would change the journal or the sequence of random numbers is an error at once; what
only says who and what the invocation is works everywhere.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

import durable
from durable import Context

from .system import System

QUICKLY = durable.RetryPolicy(max_attempts=1)

FORBIDDEN: dict[str, Callable[[Context], Any]] = {
    "uuid4": lambda ctx: ctx.uuid4(),
    "random": lambda ctx: ctx.random,
    "now": lambda ctx: ctx.now(),
    "time": lambda ctx: ctx.time(),
    "run": lambda ctx: ctx.run("inner", int),
    "sleep": lambda ctx: ctx.sleep(0),
    "get": lambda ctx: ctx.get("x"),
    "set": lambda ctx: ctx.set("x", 1),
    "clear": lambda ctx: ctx.clear("x"),
    "clear_all": lambda ctx: ctx.clear_all(),
    "state_keys": lambda ctx: ctx.state_keys(),
    "awakeable": lambda ctx: ctx.awakeable(),
    "promise": lambda ctx: ctx.promise("p"),
    "signal": lambda ctx: ctx.signal("s"),
    "resolve": lambda ctx: ctx.resolve_awakeable("a", 1),
    "reject": lambda ctx: ctx.reject_awakeable("a", "no"),
    "send_signal": lambda ctx: ctx.send_signal("i", "s"),
    "invoke": lambda ctx: ctx.options(key="k").invoke("quiet"),
    "send": lambda ctx: ctx.send("quiet"),
    "send_delayed": lambda ctx: ctx.send_delayed("quiet", None, 1),
    "attach": lambda ctx: ctx.attach("i"),
    "cancel": lambda ctx: ctx.cancel("i"),
}

leaked: list[Any] = []


def attempted(ctx: Context, what: str) -> str:
    """Returns the error of a use that must not work."""
    try:
        FORBIDDEN[what](ctx)
    except durable.NonDurableAwaitError as error:
        return str(error)
    return f"{what} worked"


async def attempted_async(ctx: Context, what: str) -> str:
    await asyncio.sleep(0)
    return attempted(ctx, what)


@durable.workflow(retry=QUICKLY)
async def within(ctx: Context) -> list[Any]:
    """Uses the context in an async and a sync step; the random sequence does not change."""
    before = str(ctx.uuid4())
    texts = await asyncio.gather(
        *[ctx.run(f"thread {what}", attempted, ctx, what) for what in FORBIDDEN],
        *[ctx.run(f"loop {what}", attempted_async, ctx, what) for what in FORBIDDEN],
    )
    after = str(ctx.uuid4())
    kept = await ctx.run("kept", lambda: [before, after])
    await ctx.sleep(0.01)
    return [texts, kept == [before, after]]


@durable.workflow(retry=QUICKLY)
async def lends_its_random(ctx: Context) -> list[Any]:
    """Passes the random generator into steps."""
    rng = ctx.random
    names = ["random", "getrandbits", "randint", "choice", "shuffle", "gauss", "seed", "getstate"]

    def draw(name: str) -> str:
        arguments: dict[str, tuple[Any, ...]] = {
            "getrandbits": (8,),
            "randint": (1, 6),
            "choice": ([1, 2],),
            "shuffle": ([1, 2],),
            "gauss": (0.0, 1.0),
            "seed": (1,),
        }
        try:
            getattr(rng, name)(*arguments.get(name, ()))
        except durable.NonDurableAwaitError as error:
            return str(error)
        return f"{name} worked"

    texts = [await ctx.run(name, draw, name) for name in names]
    number = rng.random()
    kept = await ctx.run("kept", lambda: number)
    await ctx.sleep(0.01)
    return [texts, kept == number]


@durable.workflow(retry=QUICKLY)
async def says_who_it_is(ctx: Context) -> list[Any]:
    """Uses in a step the parts of the context that are allowed there."""

    def who() -> list[Any]:
        ctx.logger.info("from the thread")
        return [ctx.invocation_id, ctx.attempt, ctx.handler, ctx.key, dict(ctx.headers)]

    async def who_async() -> list[Any]:
        ctx.logger.info("from the loop")
        return [ctx.service, ctx.partition_key]

    return [await ctx.run("who", who), await ctx.run("who_async", who_async)]


@durable.workflow
async def leaks(ctx: Context) -> None:
    leaked[:] = [ctx, ctx.random]


@durable.workflow(retry=QUICKLY)
async def borrows(ctx: Context) -> list[str]:
    """Uses the context of an invocation that has ended."""
    texts = [attempted(leaked[0], what) for what in FORBIDDEN]
    try:
        leaked[1].random()
    except durable.NonDurableAwaitError as error:
        texts.append(str(error))
    return texts


@durable.workflow(retry=QUICKLY)
async def awaits_in_a_step(ctx: Context) -> None:
    """Awaits a durable future of its own in a step."""
    future = ctx.sleep(0.01)

    async def body() -> None:
        await future

    await ctx.run("body", body)


WORKFLOWS = [within, lends_its_random, says_who_it_is, leaks, borrows, awaits_in_a_step]


async def test_a_step_cannot_use_the_context_of_its_workflow(system: System) -> None:
    texts, same = await system.client.invoke(within)
    assert len(texts) == 2 * len(FORBIDDEN)
    for text in texts:
        assert "outside of the workflow's own code, within a step" in text
    assert same


async def test_a_step_cannot_draw_from_the_random_numbers_of_its_workflow(system: System) -> None:
    texts, same = await system.client.invoke(lends_its_random)
    for text in texts:
        assert "ctx.random" in text
        assert "draw before, and hand the value to the step" in text
    assert same


async def test_a_step_may_read_which_invocation_it_belongs_to(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "durable.workflow"):
        invocation_id = await system.client.invoke_async(says_who_it_is)
        (first, second) = (await system.client.get_result(invocation_id, says_who_it_is)).value()
    assert first[0] == invocation_id
    assert first[2:] == ["says_who_it_is", "", {}]
    assert second == ["", ""]
    texts = [record.getMessage() for record in caplog.records]
    for where in ("thread", "loop"):
        assert f"[{invocation_id[:8]}] from the {where}" in texts


async def test_a_context_is_of_no_use_after_its_invocation(system: System) -> None:
    await system.client.invoke(leaks)
    ctx, rng = leaked
    caught: list[str] = []

    def use() -> None:
        caught.extend(attempted(ctx, what) for what in FORBIDDEN)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    use()
    assert len(caught) == 2 * len(FORBIDDEN)
    with pytest.raises(durable.NonDurableAwaitError):
        rng.random()
    for text in caught:
        assert "after its attempt had ended" in text
    for text in await system.client.invoke(borrows):
        assert "in the code of another invocation" in text


async def test_a_step_that_awaits_its_workflows_future_fails_with_a_hint(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError) as caught:
        await system.client.invoke(awaits_in_a_step)
    assert caught.value.failure.type == "durable.NonDurableAwaitError"
    assert "a step awaited" in caught.value.failure.message
