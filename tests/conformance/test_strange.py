"""Extreme arguments, such as NaN or a year of sleep: each is refused by name or works."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

import durable
from durable import Context

from .system import System

TWICE = durable.RetryPolicy(initial_interval=timedelta(milliseconds=1), max_attempts=2)


@durable.workflow
async def nothing(ctx: Context, number: int = 0) -> int:
    return number


@durable.workflow(retry=TWICE)
async def strange(ctx: Context, what: str) -> Any:
    """Does one strange thing; what it raises fails both attempts alike."""
    wrong: Any = 5
    match what:
        case "sleep nan":
            await ctx.sleep(math.nan)
        case "sleep text":
            text: Any = "1"
            await ctx.sleep(text)
        case "asyncio.sleep nan":
            await asyncio.sleep(math.nan)
        case "send late":
            await ctx.send_delayed(nothing, 1, timedelta(days=36526))
        case "NUL":
            await ctx.signal("a\0b")
        case "long key":
            await ctx.options(key="ä" * 129).send(nothing, 1)
        case "key":
            await ctx.options(key=wrong).send(nothing, 1)
        case "idempotency key":
            await ctx.options(idempotency_key=wrong).send(nothing, 1)
        case "partition key":
            await ctx.options(partition_key="\ud800").send(nothing, 1)
        case "signal":
            await ctx.send_signal(wrong, "s")
        case "state":
            ctx.set("n" * 257, 1)
        case "step":
            await ctx.run("к" * 129, lambda: 1)


@durable.workflow
async def endless(ctx: Context, what: str) -> None:
    """Waits for ever, as asyncio would."""
    match what:
        case "sleep":
            await ctx.sleep(timedelta.max)
        case "sleep inf":
            await ctx.sleep(math.inf)
        case "asyncio.sleep":
            await asyncio.sleep(math.inf)
        case "timeout":
            async with asyncio.timeout(1e300):
                await ctx.signal("never")


@durable.workflow
async def too_long(ctx: Context) -> None:
    for number in range(10_001):
        ctx.set("n", number)


WORKFLOWS = [nothing, strange, endless, too_long]


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("sleep nan", "nan|NaN"),
        ("sleep text", "TypeError"),
        ("asyncio.sleep nan", "nan|NaN"),
        ("send late", "delay is .*3155760000 seconds, a hundred years"),
        ("NUL", "NUL character"),
        ("long key", "a key has 258 bytes.*256.*shorter"),
        ("key", "a key must be a str, not 5"),
        ("idempotency key", "an idempotency key must be a str, not 5"),
        ("partition key", "surrogates not allowed"),
        ("signal", "an invocation's id must be a str, not 5"),
        ("state", "at most 256 bytes"),
        ("step", "at most 256 bytes"),
    ],
)
async def test_an_invalid_operation_is_not_recorded(
    system: System, what: str, problem: str
) -> None:
    """Not even by half: the next attempt would find it in the journal and take it for done."""
    with pytest.raises(durable.InvocationPausedError, match=problem) as caught:
        await system.client.invoke(strange, what)
    found = await system.client.get(caught.value.invocation_id)
    assert found.attempt == 1
    assert found.failure is not None
    assert "test_strange.py" in found.failure.stack_trace
    assert found.journal == []


@pytest.mark.parametrize("what", ["sleep", "sleep inf", "asyncio.sleep", "timeout"])
async def test_an_endless_wait_waits(system: System, what: str) -> None:
    invocation_id = await system.client.invoke_async(endless, what)
    await system.journaled(invocation_id, 2 if what == "timeout" else 1)
    found = await system.client.get(invocation_id)
    assert not found.finished
    assert found.to_dict()["journal"]
    await system.client.cancel(invocation_id)
    await system.until(invocation_id, "cancelled")


async def test_a_journal_over_its_limit_is_held_by_name(system: System) -> None:
    invocation_id = await system.client.invoke_async(too_long)
    await system.until(invocation_id, "paused")
    found = await system.client.get(invocation_id)
    assert "journal_entries (10000)" in found.message.last_failure.message
    assert await system.client.cancel(invocation_id, force=True) == "cancelled"
