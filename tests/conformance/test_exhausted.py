"""Retries that are used up, and mistakes that no retry can repair."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import durable
from durable import Context
from tests.support.waiting import eventually

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

pytestmark = EVERYWHERE

QUICKLY = durable.RetryPolicy(initial_interval=0.001, max_attempts=3)


def fails(name: str) -> None:
    """A step that never works."""
    calls.append(name)
    calls.grown.set()
    raise ConnectionError(f"{name} is down")


async def fails_async(name: str) -> None:
    """The same as a coroutine."""
    fails(name)


@durable.workflow(retry=QUICKLY)
async def compensates(ctx: Context, how: str) -> str:
    """A seat is reserved, and given back when it cannot be paid for."""
    policy: durable.RetryPolicy | None = None
    if how == "own":
        policy = durable.RetryPolicy(initial_interval=0, max_attempts=2)
    elif how == "for a time":
        policy = durable.RetryPolicy(initial_interval=0, max_attempts=None, max_duration=0.05)
    await ctx.run("reserve", effect, "reserve")
    try:
        await ctx.options(retry=policy).run(
            "charge", fails_async if how == "async" else fails, "charge"
        )
    except durable.StepFailedError as error:
        await ctx.run("release", effect, "release")
        return f"{error.step}: {error.type}: {error.message}"
    return "charged"


@durable.workflow
async def fails_by_default(ctx: Context) -> str:
    """A handler that declares no policy has the default one: 50 tries, here without the waiting."""

    def step() -> None:
        calls.append("try")
        raise durable.RetryableError("not now", retry_after=0)

    try:
        await ctx.run("step", step)
    except durable.StepFailedError as error:
        return error.type
    return "never"


@durable.workflow(retry=QUICKLY)
async def pauses_at_its_step(ctx: Context) -> str:
    policy = durable.RetryPolicy(initial_interval=0, max_attempts=2, on_exhausted="pause")

    def step() -> str:
        calls.append("try")
        if calls.count("try") < 6:
            raise ConnectionError("down")
        return "up"

    return await ctx.options(retry=policy).run("step", step)


@durable.workflow(
    retry=durable.RetryPolicy(initial_interval=0, max_attempts=2, on_exhausted="fail")
)
async def fails_itself(ctx: Context) -> None:
    calls.append("attempt")
    raise RuntimeError("of the program")


@durable.workflow(retry=durable.RetryPolicy(initial_interval=timedelta(hours=1)))
async def waits_long(ctx: Context) -> list[None]:
    """Two steps that fail, one of which is tried again in an hour."""
    now = durable.RetryPolicy(initial_interval=0, max_attempts=2)
    gone = ctx.options(retry=now).run("gone", fails, "gone")
    await asyncio.gather(gone, return_exceptions=True)
    return [await ctx.run("slow", fails, "slow")]


async def untyped(text: str, number: int) -> Any:
    """Adds what cannot be added."""
    values: list[Any] = [text, number]
    return values[0] + values[1]


def adds(text: str) -> Any:
    """A step that meets data of another type."""
    calls.append("try")
    values: list[Any] = [text, 1]
    return values[0] + values[1]


@durable.workflow(retry=QUICKLY)
async def meets_data(ctx: Context, how: str) -> str:
    """Errors that would be mistakes in the program are ordinary failures where the world's data is."""
    try:
        if how == "builtin":
            await ctx.run("parse", int, "abc")
        elif how == "builtin with keywords":
            await ctx.run("parse", int, "abc", base=16 - 6)
        else:
            await ctx.run("add", adds, "a")
    except durable.StepFailedError as error:
        return error.type
    return "done"


class Opaque:
    """What no codec knows."""


FIXED: list[str] = []


@durable.workflow(retry=QUICKLY)
async def mistaken(ctx: Context, what: str) -> Any:
    """Has a mistake; a new version without it continues from the journal."""
    await ctx.run("before", effect, "before")
    context: Any = ctx
    if FIXED:
        return FIXED[0]
    match what:
        case "TypeError":
            len(5)  # type: ignore[arg-type]  # on purpose
        case "NameError":
            undefined  # type: ignore[name-defined]  # noqa: B018, F821 - on purpose
        case "AttributeError":
            context.runn("x", effect)
        case "ImportError":
            from durable import nothing  # type: ignore[attr-defined]  # noqa: F401 - on purpose
        case "SyntaxError":
            compile("1 +", "there", "eval")
        case "NonDurableAwaitError":
            await asyncio.to_thread(effect, "never")
        case "nothing to wait for":
            await asyncio.Event().wait()
        case "no name":
            await context.run(effect, "x")
        case "not callable":
            await context.run("step", 5)
        case "wrong arguments":
            await context.run("step", effect)
        case "wrong arguments, async":
            await context.run("step", fails_async, "one", "too many")
        case "wrong arguments, sync":
            await context.run("step", fails, "one", "too many")
        case "operation in a step":
            await ctx.run("step", lambda: ctx.run("inner", effect, "never"))
        case "step's value":
            return await ctx.run("step", lambda: Opaque())
        case "state":
            ctx.set("n", Opaque())
        case "child's input":
            await ctx.invoke("fails_itself", Opaque())
        case "result":
            return Opaque()
        case "large result":
            return "x" * 2_000_000
        case "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(0))
                group.create_task(untyped("x", 1))
        case "duration":
            ctx.options(timeout=0)
        case "policy":
            durable.RetryPolicy(max_attempts=0)
        case "code":
            raise durable.TerminalError("no", code="E42")  # type: ignore[arg-type]  # on purpose
        case "code, in a step":
            await ctx.run("step", raises_oddly)
    return "not mistaken"


def raises_oddly() -> None:
    calls.append("step")
    raise durable.TerminalError("no", code="E42")  # type: ignore[arg-type]  # on purpose


@durable.workflow(retry=QUICKLY)
async def several_fail_together(ctx: Context) -> list[str]:
    """Steps that begin together, and fail together each time."""
    ended = await asyncio.gather(
        ctx.run("one", fails_async, "one"),
        ctx.run("two", fails_async, "two"),
        ctx.run("three", fails, "three"),
        return_exceptions=True,
    )
    return [str(it) for it in ended]


WORKFLOWS = [
    *(compensates, fails_by_default, pauses_at_its_step, fails_itself, waits_long, mistaken),
    meets_data,
    several_fail_together,
]


@pytest.mark.parametrize("how", ["handler", "async", "own", "for a time"])
async def test_a_step_whose_tries_are_used_up_raises_in_the_program(
    system: System, how: str
) -> None:
    invocation_id = await system.client.invoke_async(compensates, how)
    result = await system.client.get_result(invocation_id, compensates)
    assert result.value() == "charge: ConnectionError: charge is down"
    tries = calls.count("charge")
    assert calls == ["reserve", *["charge"] * tries, "release"]
    assert tries > 1 if how == "for a time" else tries == {"own": 2}.get(how, 3)
    found = await system.client.get(invocation_id)
    assert [it.failed_try_count for it in found.journal] == [0, tries - 1, 0]
    assert found.to_dict()["journal"][1]["failed_try_count"] == tries - 1
    assert found.failing_steps == []


@pytest.mark.parametrize(
    ("how", "error", "tries"),
    [
        ("builtin", "ValueError", 3),
        ("builtin with keywords", "ValueError", 3),
        ("body", "TypeError", 3),
    ],
)
async def test_a_step_that_meets_bad_data_is_tried_again(
    system: System, how: str, error: str, tries: int
) -> None:
    invocation_id = await system.client.invoke_async(meets_data, how)
    assert (await system.client.get_result(invocation_id)).value() == error
    (entry,) = (await system.client.get(invocation_id)).journal
    assert entry.failed_try_count == tries - 1


async def test_the_default_policy_raises_in_the_program_too(system: System) -> None:
    assert await system.client.invoke(fails_by_default) == "durable.RetryableError"
    assert len(calls) == 50


async def test_a_step_that_pauses_has_all_its_tries_after_a_resume(system: System) -> None:
    with pytest.raises(durable.InvocationPausedError, match="ConnectionError: down") as caught:
        await system.client.invoke(pauses_at_its_step)
    invocation_id = caught.value.invocation_id
    for count in (2, 4):
        assert len(calls) == count
        await system.client.resume(invocation_id)
        await system.until(invocation_id, "paused", "completed")
        await calls_reach(count + 2)
    assert (await system.client.get_result(invocation_id)).value() == "up"


async def calls_reach(count: int) -> None:
    await eventually(lambda: len(calls) >= count)


async def test_a_program_may_fail_instead_of_being_held(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="of the program"):
        await system.client.invoke(fails_itself)
    assert len(calls) == 2


async def test_what_fails_is_seen_while_it_is_tried_again(system: System) -> None:
    invocation_id = await system.client.invoke_async(waits_long)

    async def backing_off() -> durable.Invocation | None:
        found = await system.client.get(invocation_id)
        return found if found.status == "backing_off" and calls.count("slow") else None

    found = await eventually(backing_off)
    assert found is not None
    (step,) = found.failing_steps
    assert (step.step_number, step.kind, step.name) == (1, "RUN", "slow")
    assert step.failed_try_count == 1
    assert step.last_failure is not None
    assert (step.last_failure.type, step.last_failure.message) == (
        "ConnectionError",
        "slow is down",
    )
    assert step.first_failure_time == step.last_failure_time is not None
    assert found.to_dict()["failing_steps"] == [step.to_dict()]
    assert await system.client.cancel(invocation_id) == "pending"
    await system.until(invocation_id, "cancelled")
    assert (await system.client.get(invocation_id)).failing_steps == []


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("TypeError", "TypeError: object of type 'int' has no len"),
        ("NameError", "NameError: name 'undefined'"),
        ("AttributeError", "AttributeError: .*runn"),
        ("ImportError", "ImportError: cannot import name 'nothing'"),
        ("SyntaxError", "SyntaxError"),
        ("NonDurableAwaitError", "durable.NonDurableAwaitError"),
        ("nothing to wait for", "durable.NonDurableAwaitError: .*nothing durable is open"),
        ("no name", "TypeError: the first argument of ctx.run is the step's name"),
        ("not callable", "(Attribute|Type)Error"),
        ("wrong arguments", "TypeError: .*missing 1 required"),
        ("wrong arguments, async", "TypeError: .*takes 1 positional argument"),
        ("wrong arguments, sync", "TypeError: .*takes 1 positional argument"),
        ("operation in a step", "durable.NonDurableAwaitError: .*within a step"),
        ("step's value", "the value of step 'step', of type Opaque, cannot be encoded"),
        ("state", "durable.CodecError"),
        ("child's input", "durable.CodecError"),
        ("result", "durable.InvalidOutput"),
        ("large result", "durable.PayloadTooLarge"),
        ("group", "TypeError"),
        ("duration", "ValueError: timeout is 0.*None for no limit"),
        ("policy", "ValueError: max_attempts is 0"),
        ("code", "TypeError: code is a whole number.*'E42'"),
        ("code, in a step", "TypeError: code is a whole number.*'E42'"),
    ],
)
async def test_a_mistake_is_held_at_once_and_goes_on_when_it_is_mended(
    system: System, what: str, problem: str
) -> None:
    FIXED.clear()
    with pytest.raises(durable.InvocationPausedError, match=problem) as caught:
        await system.client.invoke(mistaken, what)
    assert calls.count("step") <= 1
    invocation_id = caught.value.invocation_id
    found = await system.client.get(invocation_id)
    assert found.attempt <= 2  # a second one if it was suspended
    assert found.failure is not None
    if "result" not in what:
        assert "test_exhausted.py" in found.failure.stack_trace
    FIXED.append("mended")
    await system.client.resume(invocation_id)
    assert (await system.client.get_result(invocation_id)).value() == "mended"
    assert calls.count("before") == 1


async def test_steps_that_fail_in_one_attempt_all_use_up_their_own_tries(system: System) -> None:
    texts = await system.client.invoke(several_fail_together)
    assert [it.rpartition(": ")[2] for it in texts] == [
        "one is down",
        "two is down",
        "three is down",
    ]
    assert sorted(calls) == ["one"] * 3 + ["three"] * 3 + ["two"] * 3
