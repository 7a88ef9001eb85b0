"""Replay is exact: wherever a program crashes, it goes on as it would have gone on."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import durable

from .harness import Invocation
from .programs import PROGRAMS, word

SEEDS = range(12)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda it: it.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_anywhere_changes_nothing(program: durable.Workflow[[], object], seed: int) -> None:
    """Replays the finished journal's prefixes: each must lead to the same operations and values."""
    whole = Invocation(program, seed=seed).run()
    for cut in range(whole.completions + 1):
        again = Invocation(program, seed=seed)
        again.clock_ms, again.completions = whole.clock_ms, cut
        for index, entry in whole.journal.items():
            if 0 < entry.completion_number <= cut:
                again.journal[index] = entry
        again.begin()
        # What the journal has was asked for in the same way, and none of it is run again.
        assert again.ended_or_open()
        kept = {index for index in again.journal if again.journal[index].completion_number}
        assert not kept & {task.index for task in again.steps}
        for task in again.steps:
            assert whole.journal.get(task.index) is None or (
                whole.journal[task.index].name == task.name
            )
        again.attempt.abandon()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda it: it.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_crashes_at_random_moments(program: durable.Workflow[[], object], seed: int) -> None:
    """Crashes again and again; then the journal that came about is replayed once more, whole."""
    rng = random.Random(seed)
    crashed = Invocation(program, seed=seed)
    crashed.run({rng.randint(1, 40) for _ in range(6)})
    value = crashed.value
    last = Invocation(program, seed=seed + 1)
    last.journal, last.completions = crashed.journal, crashed.completions
    last.begin()
    assert last.attempt.done
    assert last.value == value
    assert not last.executed


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda it: it.name)
def test_a_crash_at_every_single_moment(program: durable.Workflow[[], object]) -> None:
    moment = 1
    while True:
        run = Invocation(program, seed=3)
        run.run({moment})
        run.value  # noqa: B018 - it has ended with one
        if run.number == 1:
            break
        moment += 1
    assert moment > 3


def test_a_race_has_the_same_winner_after_any_crash() -> None:
    raced = next(it for it in PROGRAMS if it.name == "raced")
    winners = set()
    for seed in range(60):
        run = Invocation(raced, seed=seed).run()
        winners.add(run.value)
        again = Invocation(raced, seed=seed + 1000)
        again.journal = {k: v for k, v in run.journal.items() if v.completion_number <= 1}
        again.completions = 1
        for entry in list(again.journal.values()):
            if not entry.completion_number:
                del again.journal[entry.index]
        again.begin()
        while again.step():
            pass
        assert again.value == run.value
    assert winners == {"STEP", "TIMER"}


# Random programs: trees of steps, sleeps, groups, races and time limits.
Tree = tuple[str, Any]
leaves = st.sampled_from([("run", None), ("sleep", None)])
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.sampled_from(["all", "first", "each", "limit"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


async def perform(ctx: durable.Context, tree: Tree, path: str) -> Any:
    kind, parts = tree
    if kind == "run":
        return await ctx.run(path, word, path)
    if kind == "sleep":
        await asyncio.sleep(len(path))
        return path
    named = [(part, f"{path}.{number}") for number, part in enumerate(parts)]
    if kind == "limit":
        try:
            async with asyncio.timeout(2):
                return [await perform(ctx, part, name) for part, name in named]
        except TimeoutError:
            return "too late"
    made = [perform(ctx, part, name) for part, name in named]
    if kind == "all":
        return await asyncio.gather(*made)
    if kind == "each":
        return [await it for it in asyncio.as_completed(made)]
    tasks = {asyncio.ensure_future(it) for it in made}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return [task.result() for task in done]


@given(trees, st.integers(0, 10_000), st.sets(st.integers(1, 30), max_size=4))
@settings(max_examples=300, deadline=None)
def test_random_programs(tree: Tree, seed: int, crashes: set[int]) -> None:
    async def program(ctx: durable.Context) -> Any:
        return await perform(ctx, tree, "p")

    made = durable.workflow(name="random")(program)
    run = Invocation(made, seed=seed).run(crashes)
    again = Invocation(made, seed=seed + 1)
    again.journal, again.completions = run.journal, run.completions
    again.begin()
    assert again.attempt.done
    assert again.value == run.value
    assert not again.executed
