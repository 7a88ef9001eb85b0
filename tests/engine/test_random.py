"""Random programs in random orders with random crashes: what holds for all of them.

A program is a tree of operations, given to one workflow as its input. Hypothesis makes the tree,
the order in which things happen and the place of the crash, and makes all three small when
something fails.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

import durable
from durable import Context

from .harness import World, ended, last_message

Tree = Any
"""`["run", name]`, `["sleep", seconds]`, `["gather", [tree, ...]]` and so on; see `go`."""

failed_once: set[tuple[str, str]] = set()


def echo(name: str) -> str:
    """A step."""
    return name


def refuse(name: str) -> str:
    """A step that fails for good."""
    raise durable.TerminalError(name)


def flaky(world: str, name: str) -> str:
    """A step that fails the first time."""
    if (world, name) not in failed_once:
        failed_once.add((world, name))
        raise OSError(name)
    return name


async def go(ctx: Context, tree: Tree) -> Any:
    """Runs a tree."""
    match tree:
        case ["run", name]:
            return await ctx.run(name, echo, name)
        case ["refuse", name]:
            try:
                return await ctx.run(name, refuse, name)
            except durable.StepFailedError as error:
                return f"no {error.message}"
        case ["flaky", name]:
            return await ctx.run(name, flaky, ctx.headers.get("world", ""), name)
        case ["forget", name]:
            ctx.run(name, echo, name)
            return None
        case ["sleep", seconds]:
            await asyncio.sleep(seconds)
            return "slept"
        case ["seq", trees]:
            return [await go(ctx, it) for it in trees]
        case ["gather", trees]:
            return await asyncio.gather(*[go(ctx, it) for it in trees])
        case ["group", trees]:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(go(ctx, it)) for it in trees]
            return [task.result() for task in tasks]
        case ["completed", trees]:
            return [await it for it in asyncio.as_completed([go(ctx, it) for it in trees])]
        case ["race", trees]:
            tasks = {asyncio.create_task(go(ctx, it)) for it in trees}
            done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await ctx.run(f"won by {len(done)}", echo, "")
            return [task.result() for task in done]
        case ["timeout", seconds, inner]:
            try:
                async with asyncio.timeout(seconds):
                    return await go(ctx, inner)
            except TimeoutError:
                return await ctx.run("late", echo, "late")
        case ["tidy", inner]:
            try:
                return await go(ctx, inner)
            finally:
                await ctx.run("tidy", echo, "")
        case ["chance", _]:
            return await ctx.run(f"drawn {ctx.random.randrange(1000)}", echo, str(ctx.uuid4()))
    raise AssertionError(tree)


@durable.workflow
async def program(ctx: Context, tree: list[Any]) -> Any:
    return await go(ctx, tree)


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.one_of(
    st.tuples(st.sampled_from(["run", "run", "refuse", "flaky", "forget", "chance"]), NAMES),
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.1, 0.5, 30])),
)


def trees(branches: list[str]) -> st.SearchStrategy[Tree]:
    return st.recursive(
        LEAVES,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(branches), st.lists(inner, min_size=1, max_size=4)),
            st.tuples(st.just("tidy"), inner),
            *(
                [st.tuples(st.just("timeout"), st.sampled_from([0, 0.3, 100]), inner)]
                if "race" in branches
                else []
            ),
        ),
        max_leaves=12,
    )


def plain(tree: Tree) -> Tree:
    """Returns a tree as its JSON has it."""
    return [plain(it) for it in tree] if isinstance(tree, list | tuple) else tree


def replayed(world: World) -> Any:
    message = last_message(world.replay())
    assert message.WhichOneof("message") == "finished", message
    return ended(message.finished)


def check(tree: Tree, seed: int, share: float, *, steady: bool) -> None:
    tree = plain(tree)
    failed_once.clear()
    world = World(program, tree, seed=seed, suspend=0.3)
    end = world.run()
    end.get()
    assert replayed(world) == end
    boundary = round(share * len(world.history))
    failed_once.clear()
    crashed = world.fork(boundary, seed=seed + 1, suspend=0.3)
    other = crashed.run()
    other.get()
    assert crashed.history[:boundary] == world.history[:boundary]
    assert replayed(crashed) == other
    if steady:
        assert other == end
        failed_once.clear()
        assert World(program, tree).run() == end


@settings(max_examples=150, deadline=None)
@given(trees(["seq", "gather", "group", "completed", "race"]), st.integers(0, 999), st.floats(0, 1))
@example(["race", [["run", "a"], ["forget", "b"], ["sleep", 0]]], 1, 0.5)
@example(["timeout", 0, ["run", "a"]], 1, 0.5)
@example(["race", [["tidy", ["sleep", 30]], ["tidy", ["run", "a"]]]], 3, 0.5)
def test_a_program_that_races_follows_its_journal(tree: Tree, seed: int, share: float) -> None:
    check(tree, seed, share, steady=False)


@settings(max_examples=100, deadline=None)
@given(trees(["seq", "gather", "group"]), st.integers(0, 999), st.floats(0, 1))
def test_a_program_that_does_not_race_has_one_outcome(tree: Tree, seed: int, share: float) -> None:
    # Random numbers depend on the order in which they are drawn.
    check(without_chance(plain(tree)), seed, share, steady=True)


def without_chance(tree: Tree) -> Tree:
    if isinstance(tree, list):
        return [without_chance(it) for it in tree]
    return "run" if tree == "chance" else tree


@settings(max_examples=60, deadline=None)
@given(
    trees(["seq", "gather", "group", "completed", "race"]),
    st.integers(0, 999),
    st.integers(1, 12),
    st.floats(0, 1),
)
def test_a_cancelled_program_follows_its_journal(
    tree: Tree, seed: int, cancel_after: int, share: float
) -> None:
    failed_once.clear()
    world = World(program, plain(tree), seed=seed, cancel_after=cancel_after)
    end = world.run()
    assert end.kind == "finished"
    assert replayed(world) == end
    boundary = round(share * len(world.history))
    crashed = world.fork(boundary, seed=seed + 1)
    assert crashed.run().kind == "finished"
    assert crashed.history[:boundary] == world.history[:boundary]
