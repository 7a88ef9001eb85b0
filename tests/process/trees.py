"""Random trees of work with a known result, which the soak runs in real workers.

A tree is a list of nodes that run one after another, or side by side when it says so. What it does to
the counters is known from the tree alone (`expected`): if every node is done exactly once, the numbers
agree; a node that was lost, or done twice, shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import Any, TypeAlias

import durable

Tree: TypeAlias = dict[str, Any]
"""`{"side_by_side": bool, "nodes": [[kind, argument], ...]}`"""

KEYS = ("a", "b", "c")


@durable.object("soak")
class Soak:
    """A counter for each key."""

    @durable.handler
    async def add(self, ctx: durable.Context, number: int) -> int:
        """Adds to the counter, with a step between the read and the write."""
        before = await ctx.get("n", int, 0)
        more = await ctx.run("think", lambda: number)
        ctx.set("n", before + more)
        return before + more

    @durable.shared
    async def value(self, ctx: durable.Context) -> int:
        """Returns the counter."""
        return await ctx.get("n", int, 0)


@durable.workflow(retry=durable.RetryPolicy(max_attempts=None))
async def mailbox(ctx: durable.Context, count: int) -> list[int]:
    """Receives `count` signals, with waits that time out again and again."""
    letters: list[int] = []
    while len(letters) < count:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ctx.random.choice((0.001, 0.01, 0.2))):
                letters.append(await ctx.signal("letter", type=int))
    return letters


@durable.workflow(retry=durable.RetryPolicy(max_attempts=None))
async def tree(ctx: durable.Context, work: Tree) -> int:
    """Runs a tree; returns the sum of all numbers in it."""

    async def node(kind: str, argument: Any) -> int:
        if kind == "step":
            return await ctx.run("step", lambda: int(argument))
        if kind == "sleep":
            await ctx.sleep(argument / 1000)
        elif kind == "tree":
            return await ctx.invoke(tree, argument)
        elif kind == "add":
            key, number = argument
            await ctx.options(key=key).invoke(Soak.add, number)
        elif kind == "send":
            key, number = argument
            await ctx.options(key=key).send(Soak.add, number)
        elif kind == "later":
            key, number = argument
            await ctx.options(key=key).send_delayed(Soak.add, number, 0.3)
        elif kind == "state":
            ctx.set("n", await ctx.get("n", int, 0) + argument)
        elif kind == "promise":
            return int(await ctx.awakeable(argument))
        elif kind == "mail":
            # In whichever partition this is: a child without a key would be in this one.
            elsewhere = ctx.options(partition_key=str(ctx.random.random()))
            to = await elsewhere.send(mailbox, argument)
            for number in range(argument):
                await ctx.send_signal(to, "letter", number)
            if await ctx.attach(to, mailbox) != list(range(argument)):
                raise durable.TerminalError(f"mail is lost, doubled or out of order: {to}")
        return 0

    nodes = [node(kind, argument) for kind, argument in work["nodes"]]
    if work["side_by_side"]:
        total = sum(await asyncio.gather(*nodes))
    else:
        total = sum([await it for it in nodes])
    written = sum(argument for kind, argument in work["nodes"] if kind == "state")
    if not work["side_by_side"] and await ctx.get("n", int, 0) != written:
        raise durable.TerminalError("the state is not what was written")
    return total


def grow(rng: random.Random, name: str, depth: int = 0) -> Tree:
    """Makes a random tree; names of its promises begin with `name`."""
    nodes: list[list[Any]] = []
    for number in range(rng.randint(1, 5)):
        kinds = ["step", "sleep", "add", "send", "later", "state", "promise", "mail"]
        kind = rng.choice(kinds + ["tree"] * 2 * (depth < 2))
        argument: Any = rng.randint(1, 9)
        if kind == "sleep":
            argument = rng.randint(1, 300)
        elif kind == "tree":
            argument = grow(rng, f"{name}-{number}", depth + 1)
        elif kind in ("add", "send", "later"):
            argument = [rng.choice(KEYS), argument]
        elif kind == "promise":
            argument = f"{name}-{number}-p"
        nodes.append([kind, argument])
    return {"side_by_side": rng.random() < 0.5, "nodes": nodes}


class Expected:
    """The results of trees in which every node runs exactly once."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.promises: list[str] = []

    def add(self, work: Tree) -> int:
        """Counts a tree in; returns its result. A promise is resolved with 1."""
        total = 0
        for kind, argument in work["nodes"]:
            if kind == "step":
                total += argument
            elif kind == "tree":
                total += self.add(argument)
            elif kind in ("add", "send", "later"):
                self.counters[argument[0]] += argument[1]
            elif kind == "promise":
                self.promises.append(argument)
                total += 1
        return total
