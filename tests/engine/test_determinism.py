"""A program that has changed under its journal is held, with both sides named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import durable
from durable._journal import Environment

from .harness import Invocation
from .programs import word


def flow(body: Callable[[durable.Context], Any], version: str = "new") -> durable.Workflow[[], Any]:
    async def program(ctx: durable.Context) -> Any:
        return await body(ctx)

    return durable.workflow(name="program", version=version)(program)


async def before(ctx: durable.Context) -> str:
    await ctx.run("charge", word, "a")
    await ctx.run("ship", word, "b")
    return "done"


async def renamed(ctx: durable.Context) -> None:
    await ctx.run("charge the card", word, "a")


async def reordered(ctx: durable.Context) -> None:
    await ctx.run("ship", word, "b")
    await ctx.run("charge", word, "a")


async def other_kind(ctx: durable.Context) -> None:
    await ctx.sleep(1)


async def added_before(ctx: durable.Context) -> None:
    await ctx.run("check", word, "a")
    await before(ctx)


async def removed(ctx: durable.Context) -> None:
    await ctx.run("charge", word, "a")


async def ended_early(ctx: durable.Context) -> str:
    return "nothing to do"


async def swallowing(ctx: durable.Context) -> str:
    try:
        await ctx.run("other", word, "a")
    except Exception:  # noqa: BLE001 - as users do
        return "swallowed"
    return "went on"


async def waiting_elsewhere(ctx: durable.Context) -> None:
    await ctx.run("charge", word, "a")
    asyncio.get_running_loop()
    await asyncio.Event().wait()


def replayed(after: Callable[[durable.Context], Any]) -> Invocation:
    """Runs the old program to its end, and then the new one on its journal."""
    old = Invocation(flow(before, "old")).run()
    new = Invocation(flow(after), version="old")
    new.journal, new.completions = old.journal, old.completions
    new.begin()
    return new


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (renamed, ["operation 0", "RUN 'charge' (", "RUN 'charge the card' at "]),
        (renamed, ["test_determinism.py:"]),
        (reordered, ["operation 0", "RUN 'charge' (", "RUN 'ship' at "]),
        (other_kind, ["operation 0", "RUN 'charge' (", "SLEEP at "]),
        (added_before, ["operation 0", "RUN 'charge' (", "RUN 'check' at "]),
        (removed, ["operation 1", "RUN 'ship' (", "ended before it"]),
        (ended_early, ["operation 0", "RUN 'charge' (", "ended before it"]),
        (swallowing, ["operation 0", "RUN 'other' at "]),
        (waiting_elsewhere, ["operation 1", "RUN 'ship' (", "waits for nothing"]),
    ],
)  # fmt: skip
def test_it_is_held_and_says_what_differs(
    after: Callable[[durable.Context], Any], words: list[str]
) -> None:
    new = replayed(after)
    assert new.ended == "held"
    assert not new.steps
    assert new.failure.type == "durable.DeterminismError"
    for text in (*words, "recorded by version old", "version new"):
        assert text in new.failure.message, new.failure.message


def test_asking_for_more_than_before_is_fine() -> None:
    async def more(ctx: durable.Context) -> str:
        await before(ctx)
        return await ctx.run("thank", word, "thanks")

    new = replayed(more)
    assert new.final is None
    while new.step():
        pass
    assert new.value == "THANKS"


def test_the_same_code_location_does_not_matter() -> None:
    async def moved(ctx: durable.Context) -> str:
        steps = {"charge": "a", "ship": "b"}
        for name, value in steps.items():
            await ctx.run(name, word, value)
        return "done elsewhere"

    assert replayed(moved).value == "done elsewhere"


def test_a_gather_in_another_order_is_held() -> None:
    def gathering(names: str) -> Callable[[durable.Context], Any]:
        async def body(ctx: durable.Context) -> Any:
            return await asyncio.gather(*(ctx.run(name, word, name) for name in names))

        return body

    old = Invocation(flow(gathering("abc"), "old")).run()
    new = Invocation(flow(gathering("acb")), version="old", environment=Environment(lambda _: None))
    new.journal, new.completions = old.journal, old.completions
    new.begin()
    assert new.ended == "held"
    assert "operation 1" in new.failure.message
