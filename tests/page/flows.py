"""Workflows for the tests of the page."""

from __future__ import annotations

import asyncio
from typing import Any

import durable

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
"""A text that runs where somebody takes it for HTML."""


@durable.workflow(versioning="pinned")
async def greet(ctx: durable.Context, name: str) -> str:
    return await ctx.run("greet", lambda: f"Hello, {name}!")


@durable.workflow
async def expense(ctx: durable.Context, amount: float) -> Any:
    """Asks a person."""
    await ctx.run("check", lambda: amount)
    ctx.set("stage", "asked")
    answer = await ctx.awakeable(f"approval-{ctx.invocation_id}")
    return await ctx.run("pay", lambda: {"paid": amount, "answer": answer})


@durable.workflow
async def trip(ctx: durable.Context) -> list[str]:
    return [await ctx.run(name, str, name) for name in ("flight", "hotel", "car")]


short_is_over = asyncio.Event()
"""Of the steps of `crossing`; they may share what their workflow cannot."""


@durable.workflow
async def crossing(ctx: durable.Context) -> None:
    """A short step beside a long one, then one alone."""

    async def long() -> None:
        await short_is_over.wait()
        await asyncio.sleep(0.2)

    async def short() -> None:
        await asyncio.sleep(0.05)
        short_is_over.set()

    short_is_over.clear()

    await asyncio.gather(ctx.run("long", long), ctx.run("short", short))
    await ctx.run("last", asyncio.sleep, 0.1)


@durable.workflow
async def parent(ctx: durable.Context, name: str) -> str:
    return await ctx.invoke(greet, name)


@durable.workflow
async def sleeper(ctx: durable.Context) -> None:
    await ctx.sleep(3600)


@durable.workflow
async def refuses(ctx: durable.Context, text: str) -> None:
    raise durable.TerminalError(text, code=409)


@durable.workflow
async def long(ctx: durable.Context, count: int) -> int:
    for number in range(count):
        ctx.set(f"n{number % 3}", number)
    return count


@durable.workflow
async def hostile(ctx: durable.Context, text: str) -> None:
    ctx.set(text, text)
    await ctx.run(text, lambda: text)
    await ctx.awakeable(text)


class Bank:
    """Something outside, which is closed until it is opened."""

    def __init__(self) -> None:
        self.is_open = False

    def pay(self) -> str:
        if not self.is_open:
            raise ConnectionError("the bank is closed")
        return "paid"


BANK = Bank()
SLOWING = durable.RetryPolicy(initial_interval=0.02, multiplier=1000, max_interval=3600, jitter=0)
"""Two tries at once, a third after 20 seconds."""


@durable.workflow(retry=SLOWING)
async def payment(ctx: durable.Context) -> str:
    """Pays when the bank is open."""
    await ctx.run("check", lambda: True)
    return await ctx.run("charge", BANK.pay)


@durable.workflow
async def impatient(ctx: durable.Context) -> str:
    """Tries three times to pay."""
    policy = durable.RetryPolicy(initial_interval=0.01, max_attempts=3)
    return await ctx.options(retry=policy).run("charge", BANK.pay)


@durable.workflow
async def fails(ctx: durable.Context, how: str) -> None:
    """Fails for good in one of several ways."""
    picky = durable.RetryPolicy(give_up_on=ConnectionError)
    if how == "given up on":
        await ctx.options(retry=picky).run("charge", BANK.pay)
    if how == "terminal step":
        await ctx.run("refuse", refuse)
    if how == "rejected":
        await ctx.awakeable("approval")
    if how == "terminal":
        refuse()


def refuse() -> None:
    raise durable.TerminalError("not like this")


@durable.workflow(retry=durable.RetryPolicy(max_attempts=1, on_exhausted="fail"))
async def tries_once(ctx: durable.Context) -> None:
    """Fails without a step, with a policy that permits one attempt."""
    raise ConnectionError("the bank is closed")


@durable.workflow(timeout=0.2)
async def in_time(ctx: durable.Context) -> None:
    await ctx.sleep(3600)


@durable.object("box")
class Box:
    @durable.handler
    async def put(self, ctx: durable.Context, thing: str) -> None:
        ctx.set(thing, thing)


WORKFLOWS: list[Any] = [
    *(greet, expense, trip, crossing, parent, sleeper, refuses, long, hostile, Box),
    *(payment, impatient, fails, tries_once, in_time),
]
