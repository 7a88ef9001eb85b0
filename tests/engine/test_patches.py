"""`ctx.patched` and `ctx.deprecate_patch`: every journal of the code before a change goes on after it.

Each `Change` has the generations of one workflow as deploys would bring them: the code before the
change, the code with both branches, the code that has deprecated the patch, and the code without it.
A journal is cut after each of its boundaries, and the next generation goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

import durable
from durable import Context
from durable._definitions.workflow import Workflow

from .harness import PATCH, SLEEP, World, a_context, attempt_of, last_message

SEEDS = range(3)


def noted(*parts: str) -> str:
    """A step."""
    return "-".join(parts)


Program = Callable[[Context], Awaitable[Any]]


class Change(NamedTuple):
    """The generations of one workflow."""

    before: Program
    patched: Program
    deprecated: Program
    after: Program


def workflow(program: Program) -> Workflow[..., Any]:
    """Returns a program as the workflow of which all generations have the name."""
    return durable.workflow(name="order")(program)


# A step added in the middle


async def charge(ctx: Context) -> str:
    await ctx.run("reserve", noted, "a")
    await ctx.sleep(5)
    return await ctx.run("charge", noted, "b")


async def taxed_if_patched(ctx: Context) -> str:
    await ctx.run("reserve", noted, "a")
    if ctx.patched("add-tax"):
        await ctx.run("tax", noted, "t")
    await ctx.sleep(5)
    return await ctx.run("charge", noted, "b")


async def taxed_deprecated(ctx: Context) -> str:
    await ctx.run("reserve", noted, "a")
    ctx.deprecate_patch("add-tax")
    await ctx.run("tax", noted, "t")
    await ctx.sleep(5)
    return await ctx.run("charge", noted, "b")


async def taxed(ctx: Context) -> str:
    await ctx.run("reserve", noted, "a")
    await ctx.run("tax", noted, "t")
    await ctx.sleep(5)
    return await ctx.run("charge", noted, "b")


# A step replaced within branches that run at the same time


async def _branches(ctx: Context, middle: Callable[[], Awaitable[Any]]) -> list[Any]:
    async def left() -> str:
        await ctx.run("left 1", noted, "1")
        await middle()
        return await ctx.run("left 2", noted, "2")

    async def right() -> str:
        await ctx.sleep(1)
        ctx.set("right", "here")
        return await ctx.run("right", noted, "r")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(left()), group.create_task(right())]
    return [it.result() for it in tasks]


async def mail(ctx: Context) -> list[Any]:
    return await _branches(ctx, lambda: ctx.run("mail", noted, "m"))


async def chat_if_patched(ctx: Context) -> list[Any]:
    async def middle() -> None:
        if ctx.patched("chat"):
            await ctx.run("chat 1", noted, "c")
            await ctx.sleep(1)
        else:
            await ctx.run("mail", noted, "m")

    return await _branches(ctx, middle)


async def _chat(ctx: Context) -> None:
    await ctx.run("chat 1", noted, "c")
    await ctx.sleep(1)


async def chat_deprecated(ctx: Context) -> list[Any]:
    async def middle() -> None:
        ctx.deprecate_patch("chat")
        await _chat(ctx)

    return await _branches(ctx, middle)


async def chat(ctx: Context) -> list[Any]:
    return await _branches(ctx, lambda: _chat(ctx))


# Another compensation, asked about while discarded steps still run


async def _saga(ctx: Context, undo: Callable[[], Awaitable[Any]]) -> str:
    async def undone(_: Context) -> None:
        await undo()

    try:
        async with durable.saga(ctx) as saga:
            saga.undo(undone, ctx)
            async with asyncio.timeout(0.01):
                slow = [ctx.run(f"slow {it}", noted, "s") for it in range(3)]
                await asyncio.gather(ctx.sleep(9), *slow)
    except TimeoutError:
        return "undone"
    return "in time"


async def voucher_if_patched(ctx: Context) -> str:
    async def undo() -> None:
        ctx.set("undoing", 1)
        if ctx.patched("voucher"):
            await ctx.sleep(1)
            await ctx.run("voucher", noted, "v")
        else:
            await ctx.run("refund", noted, "r")

    return await _saga(ctx, undo)


async def voucher_before(ctx: Context) -> str:
    async def undo() -> None:
        ctx.set("undoing", 1)
        await ctx.run("refund", noted, "r")

    return await _saga(ctx, undo)


async def voucher_deprecated(ctx: Context) -> str:
    async def undo() -> None:
        ctx.set("undoing", 1)
        ctx.deprecate_patch("voucher")
        await ctx.sleep(1)
        await ctx.run("voucher", noted, "v")

    return await _saga(ctx, undo)


async def voucher(ctx: Context) -> str:
    async def undo() -> None:
        ctx.set("undoing", 1)
        await ctx.sleep(1)
        await ctx.run("voucher", noted, "v")

    return await _saga(ctx, undo)


# In a loop, asked in each round


async def rounds(ctx: Context) -> None:
    for number in range(3):
        await ctx.run(f"round {number}", noted)


async def rounds_if_patched(ctx: Context) -> None:
    for number in range(3):
        if ctx.patched("pause"):
            await ctx.sleep(1)
        await ctx.run(f"round {number}", noted)


async def rounds_deprecated(ctx: Context) -> None:
    for number in range(3):
        ctx.deprecate_patch("pause")
        await ctx.sleep(1)
        await ctx.run(f"round {number}", noted)


async def rounds_after(ctx: Context) -> None:
    for number in range(3):
        await ctx.sleep(1)
        await ctx.run(f"round {number}", noted)


# Asked before steps that are started together, of which any may be in the journal first


async def _together(ctx: Context, *names: str) -> list[str]:
    return await asyncio.gather(*(ctx.run(it, noted, it) for it in names))


async def together(ctx: Context) -> list[str]:
    return await _together(ctx, "a", "b", "c")


async def swapped_if_patched(ctx: Context) -> list[str]:
    if ctx.patched("pair"):
        return await _together(ctx, "c", "b", "a")
    return await together(ctx)


async def swapped_deprecated(ctx: Context) -> list[str]:
    ctx.deprecate_patch("pair")
    return await swapped(ctx)


async def swapped(ctx: Context) -> list[str]:
    return await _together(ctx, "c", "b", "a")


CHANGES = {
    "gap": Change(together, swapped_if_patched, swapped_deprecated, swapped),
    "step added": Change(charge, taxed_if_patched, taxed_deprecated, taxed),
    "concurrent": Change(mail, chat_if_patched, chat_deprecated, chat),
    "compensation": Change(voucher_before, voucher_if_patched, voucher_deprecated, voucher),
    "loop": Change(rounds, rounds_if_patched, rounds_deprecated, rounds_after),
}


def _cuts(world: World, program: Program, seed: int | None) -> list[World]:
    """Ends each invocation that has a prefix of a history, by another generation of its program."""
    ended = []
    for boundary in range(len(world.history) + 1):
        found = World(workflow(program), history=world.history[:boundary], seed=seed)
        end = found.run()
        assert end.kind == "finished", (boundary, end.failure)
        assert end.failure is None, (boundary, end.failure)
        attempt = found.replay()
        assert last_message(attempt).HasField("finished"), boundary
        ended.append(found)
    return ended


def _patches(world: World) -> list[str]:
    return [name for _, kind, name in world.commands if kind == PATCH]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("seed", SEEDS)
def test_each_generation_goes_on_with_every_prefix_of_the_one_before(
    change: Change, seed: int
) -> None:
    def world(program: Program) -> World:
        found = World(workflow(program), seed=seed)
        assert found.run().kind == "finished"
        return found

    old, both = world(change.before), world(change.patched)
    assert len(_patches(both)) == 1
    continued = _cuts(old, change.patched, seed)
    # What had only begun runs with the change, and what had ended ran without it.
    assert [bool(_patches(it)) for it in (continued[0], continued[-1])] == [True, False]
    # A journal of which both generations have written a part goes on as well.
    for partly in continued:
        _cuts(partly, change.patched, seed)
    _cuts(both, change.patched, seed)
    _cuts(both, change.deprecated, seed)
    deprecated = world(change.deprecated)
    assert not _patches(deprecated)
    _cuts(deprecated, change.deprecated, seed)
    for partly in _cuts(deprecated, change.after, seed):
        _cuts(partly, change.after, seed)
    # A rolling deploy and a rollback give what the newer generation has begun to the older one.
    for partly in _cuts(deprecated, change.patched, seed):
        _cuts(partly, change.deprecated, seed)


def test_the_length_of_the_journal_is_the_same_in_each_replay_and_on_each_side_of_a_patch() -> None:
    def measured(ask: Callable[[Context], Any]) -> Program:
        async def program(ctx: Context) -> list[int]:
            lengths = []
            for name in ("a", "b"):
                lengths.append(ctx.journal_length)
                ask(ctx)
                lengths.append(ctx.journal_length)
                await ctx.run(name, noted)
            return [*lengths, ctx.journal_length]

        return program

    asks: list[Callable[[Context], Any]] = [
        lambda ctx: ctx.patched("x"),
        lambda ctx: ctx.deprecate_patch("x"),
        lambda ctx: None,
    ]
    patched, deprecated, after = map(measured, asks)
    for first, others in ((patched, [patched, deprecated]), (deprecated, [patched, after])):
        written = World(workflow(first))
        assert written.run().get() == [0, 0, 1, 1, 2]
        for program in (first, *others):
            for found in _cuts(written, program, None):
                assert found.run().get() == [0, 0, 1, 1, 2]


def test_two_patches_at_the_same_place_are_independent() -> None:
    async def both(ctx: Context) -> tuple[bool, bool]:
        await ctx.run("first", noted)
        return ctx.patched("b"), ctx.patched("a")

    async def one(ctx: Context) -> bool:
        await ctx.run("first", noted)
        return ctx.patched("a")

    world = World(workflow(one))
    assert world.run().get() is True
    world = World(workflow(both), history=world.history)
    assert world.run().get() == [False, True]
    world = World(workflow(both))
    assert world.run().get() == [True, True]


def test_the_patch_is_sent_before_what_the_program_does_next() -> None:
    async def program(ctx: Context) -> None:
        assert ctx.patched("a")
        await ctx.sleep(1)

    attempt = attempt_of(workflow(program))
    assert [it.entry.kind for it in attempt.outbox] == [PATCH, SLEEP]
    assert attempt.outbox[0].entry.name == "a"


def held(program: Program, history: World) -> str:
    """Returns why a program is held that goes on with a journal."""
    end = World(workflow(program), history=history.history).run()
    assert end.kind == "held"
    assert end.failure is not None
    assert end.failure.type == "durable.DeterminismError"
    return end.failure.message


def test_the_error_of_code_without_the_question_names_the_patch_and_the_call() -> None:
    world = World(workflow(taxed_if_patched))
    world.run()
    for program in (charge, taxed):
        message = held(program, world)
        assert "operation 1 of order: the journal has PATCH 'add-tax'" in message
        assert "deploy code that has ctx.patched('add-tax')" in message
        assert "or ctx.deprecate_patch('add-tax') here, then resume" in message


def test_the_error_of_a_question_that_has_moved_says_so() -> None:
    async def moved(ctx: Context) -> str:
        ctx.patched("add-tax")
        return await taxed_if_patched(ctx)

    world = World(workflow(taxed_if_patched))
    world.run()
    assert "ctx.patched('add-tax') was asked here, and this code asks somewhere" in held(
        moved, world
    )


def test_the_error_of_a_patch_that_was_deprecated_too_early_names_it() -> None:
    world = World(workflow(charge))
    world.run()
    message = held(taxed_deprecated, world)
    assert "operation 1 of order: the journal has SLEEP" in message
    assert "both branches of ctx.patched('add-tax'), then resume" in message


def test_a_patch_belongs_to_the_workflows_own_code_and_has_a_name() -> None:
    async def in_a_step(ctx: Context) -> None:
        await ctx.run("step", lambda: ctx.patched("a"))

    failure = World(workflow(in_a_step)).run().failure
    assert failure is not None
    assert failure.message.startswith(
        "ctx.patched('a') was used outside of the workflow's own code"
    )

    async def misnamed(ctx: Context) -> list[str]:
        found = []
        for name in ("", "x" * 300, 5):
            for call in (ctx.patched, ctx.deprecate_patch):
                try:
                    call(name)  # type: ignore[arg-type]  # one of them is no str
                except (TypeError, ValueError) as error:
                    found.append(type(error).__name__)
        return found

    assert World(workflow(misnamed)).run().get() == ["ValueError"] * 4 + ["TypeError"] * 2
    with pytest.raises(durable.NonDurableAwaitError, match="after its attempt had ended"):
        a_context().patched("a")
