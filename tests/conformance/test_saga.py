"""Sagas: whatever ends the block early, the compensations run once, in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest

import durable
from durable import Context

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

pytestmark = EVERYWHERE

QUICKLY = durable.RetryPolicy(initial_interval=0.001, max_attempts=2)


def undo(name: str) -> None:
    """A sync compensation."""
    calls.append(f"undo {name}")
    calls.grown.set()


async def undo_with_trouble(name: str) -> None:
    """Fails at its first try."""
    calls.append(f"try {name}")
    if calls.count(f"try {name}") == 1:
        raise ConnectionError("not yet")
    calls.append(f"undo {name}")
    calls.grown.set()


def undo_never(name: str) -> None:
    """A compensation that fails for good."""
    raise durable.TerminalError(f"{name} cannot be undone")


async def give_back(ctx: Context, name: str) -> None:
    """A compensation that is workflow code: it has waits and steps of its own."""
    await ctx.sleep(0.01)
    await ctx.run("give back", undo, name)


def fails(name: str) -> None:
    """A step that never works."""
    raise ConnectionError(f"{name} is down")


def declined() -> None:
    """A step that fails for good."""
    raise durable.TerminalError("declined", code=402)


@durable.workflow(retry=QUICKLY)
async def books(ctx: Context, how: str) -> str:
    """Does three things in a loop, and then something that ends it early."""
    async with durable.saga(ctx) as saga:
        for name in ("a", "b", "c"):
            saga.undo(undo, name)
            await ctx.run(f"do {name}", effect, name)
        await _ends(ctx, saga, how)
    return "booked"


async def _ends(ctx: Context, saga: durable.Saga, how: str) -> None:
    match how:
        case "step":
            await ctx.run("charge", declined)
        case "tries":
            await ctx.run("charge", fails, "charge")
        case "program":
            raise durable.TerminalError("declined", code=402)
        case "plain":
            raise RuntimeError("declined")
        case "timeout":
            async with asyncio.timeout(0.02):
                await ctx.signal("never")
        case "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(_as_task(ctx.run("charge", declined)))
                group.create_task(_as_task(ctx.sleep(1000)))
        case "cancel":
            await ctx.run("waits", effect, "waits")
            await ctx.sleep(1000)
        case "commit":
            saga.commit()
            raise durable.TerminalError("declined")
        case "compensate":
            await saga.compensate()
        case "trouble":
            saga.undo(undo_with_trouble, "d")
            raise durable.TerminalError("declined")
        case "never":
            saga.undo(undo_never, "d")
            raise durable.TerminalError("declined", code=402)
        case "operations":
            saga.undo(ctx.run, "by run", undo, "d")
            saga.undo(give_back, ctx, "e")
            saga.undo(ctx.invoke, undoes, "f")
            raise durable.TerminalError("declined")
        case "mistake":
            if not FIXED:
                raise TypeError("a mistake")
        case "later":
            if ctx.attempt == 1:
                raise durable.RetryableError("later", retry_after=0)


async def _as_task(future: durable.DurableFuture[Any]) -> Any:
    return await future


FIXED: list[str] = []


@durable.workflow
async def undoes(ctx: Context, name: str) -> None:
    """A compensation that is an invocation of its own."""
    await ctx.run("undo", undo, name)


@durable.workflow
async def slow_to_undo(ctx: Context) -> str:
    """Is cancelled while it undoes."""
    try:
        async with durable.saga(ctx) as saga:
            saga.undo(undo, "first")
            saga.undo(give_back, ctx, "second")
            saga.undo(ctx.signal, "go on")
            raise durable.TerminalError("declined")
    except durable.TerminalError:
        return "declined"


@durable.workflow
async def outlives(ctx: Context) -> str:
    """A time limit around the saga is up while it undoes."""
    try:
        async with asyncio.timeout(0.01):
            async with durable.saga(ctx) as saga:
                saga.undo(undo, "first")
                saga.undo(ctx.sleep, 0.1)
                await ctx.sleep(1000)
    except TimeoutError:
        return "too late"
    return "in time"


async def _undone(ctx: Context) -> None:
    async with durable.saga(ctx) as saga:
        saga.undo(undo, "first")
        await ctx.sleep(1000)


async def _fails_soon(ctx: Context) -> None:
    await ctx.sleep(0.01)
    raise RuntimeError("soon")


@durable.workflow(retry=QUICKLY)
async def goes_on(ctx: Context, how: str) -> None:
    """What leaves the handler is not the error that left the saga, and comes of it."""
    match how:
        case "timeout":
            async with asyncio.timeout(0.01):
                await _undone(ctx)
        case "wait_for":
            await asyncio.wait_for(_undone(ctx), 0.01)
        case "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(_fails_soon(ctx))
                await _undone(ctx)
        case "from":
            try:
                async with durable.saga(ctx) as saga:
                    saga.undo(undo, "first")
                    raise RuntimeError("declined")
            except RuntimeError as error:
                raise ValueError("no such order") from error
        case "another":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await _undone(ctx)
            raise RuntimeError("of the rest")


BEGUN = threading.Event()


def reserve(name: str) -> None:
    """Has its effect after its result was given up."""
    calls.append("begun")
    BEGUN.set()
    time.sleep(0.1)
    calls.append(name)


def fails_when_begun() -> None:
    """Fails, and is tried again, while the step beside it runs."""
    BEGUN.wait(20)
    raise ConnectionError("not yet")


STOP = threading.Event()


def hangs_in_a_thread() -> None:
    """Does not end before the test does."""
    BEGUN.set()
    STOP.wait(60)


async def hangs() -> None:
    """Does not end by itself."""
    await asyncio.Event().wait()


@durable.workflow
async def gives_up(ctx: Context, how: str) -> None:
    """Undoes a step that runs, and is not waited for any more."""
    async with durable.saga(ctx) as saga:
        saga.undo(undo, "seat")
        match how:
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(_as_task(ctx.run("reserve", reserve, "seat")))
                    await ctx.run("begun", BEGUN.wait, 20)
                    raise durable.TerminalError("declined")
            case "task":
                task = asyncio.create_task(_as_task(ctx.run("reserve", reserve, "seat")))
                await ctx.run("begun", BEGUN.wait, 20)
                task.cancel()
                raise durable.TerminalError("declined")
            case "hangs":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await ctx.run("hangs", hangs)
                raise durable.TerminalError("declined")
            case "hangs in a thread":
                step = ctx.run("hangs", hangs_in_a_thread)
                await ctx.run("begun", BEGUN.wait, 20)
                step.cancel()
                raise durable.TerminalError("declined")
            case "beside a failure":
                await asyncio.gather(
                    ctx.run("reserve", reserve, "seat"), ctx.run("fails", fails_when_begun)
                )
            case _:
                await ctx.run("reserve", reserve, "seat")


async def tells(ctx: Context, other: str) -> None:
    """A compensation that does not await what it starts."""
    ctx.send_signal(other, "undone")


@durable.workflow
async def gives_up_and_tells(ctx: Context, how: str) -> str:
    """Undoes a step that runs by something that is no step."""
    saga = durable.saga(ctx)
    match how:
        case "invoke":
            saga.undo(ctx.invoke, undoes, "seat")
        case "send":
            saga.undo(ctx.send, undoes, "seat")
        case "resolve":
            saga.undo(ctx.resolve_awakeable, f"{ctx.invocation_id}-undone")
        case "code":
            saga.undo(tells, ctx, ctx.invocation_id)
        case "clear":
            saga.undo(ctx.clear, "reserved")
        case _:
            saga.undo(ctx.set, "reserved", False)
    try:
        async with saga:
            step = ctx.run("reserve", reserve, "seat")
            await ctx.run("begun", BEGUN.wait, 20)
            step.cancel()
            raise durable.TerminalError("declined")
    except durable.TerminalError:
        if how == "set, and more":
            ctx.set("more", True)
        if how.startswith("set, and"):
            return "undone"
        raise


@durable.workflow(retry=QUICKLY)
async def without_a_block(ctx: Context, how: str) -> None:
    """Gives something to a saga, and fails."""
    saga = durable.saga(ctx)
    saga.undo(undo, "first")
    if how == "by hand":
        await saga.compensate()
    if how == "entered":
        async with saga:
            raise durable.TerminalError("declined")
    raise durable.TerminalError("declined")


WORKFLOWS = [
    *(books, undoes, slow_to_undo, outlives, goes_on),
    *(gives_up, gives_up_and_tells, without_a_block),
]
DONE = ["a", "b", "c"]
UNDONE = ["undo c", "undo b", "undo a"]


@pytest.mark.parametrize(
    ("how", "message", "code"),
    [
        ("step", "charge: durable.TerminalError: declined", 402),
        ("tries", "charge: ConnectionError: charge is down", 0),
        ("program", "declined", 402),
        ("plain", "declined", 0),
        ("timeout", "", 0),
        ("group", "unhandled errors in a TaskGroup", 402),
    ],
)
async def test_what_was_done_is_undone_in_reverse(
    system: System, how: str, message: str, code: int
) -> None:
    with pytest.raises(durable.InvocationFailedError) as caught:
        await system.client.invoke(books, how)
    assert calls == [*DONE, *UNDONE]
    failure = caught.value.failure
    assert message in failure.message
    assert failure.code == code
    names = [it.name for it in (await system.client.get(caught.value.invocation_id)).journal]
    assert names[-3:] == ["undo undo"] * 3


async def test_nothing_is_undone_when_all_went_well(system: System) -> None:
    assert await system.client.invoke(books, "well") == "booked"
    assert calls == DONE


async def test_a_cancelled_saga_is_undone_to_the_end(system: System) -> None:
    invocation_id = await system.client.invoke_async(books, "cancel")
    await system.journaled(invocation_id, 5)
    await system.client.cancel(invocation_id)
    await system.until(invocation_id, "cancelled")
    assert calls == [*DONE, "waits", *UNDONE]


async def test_what_is_committed_stays(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(books, "commit")
    assert calls == DONE


async def test_a_program_can_compensate_and_go_on(system: System) -> None:
    assert await system.client.invoke(books, "compensate") == "booked"
    assert calls == [*DONE, *UNDONE]


async def test_compensations_are_tried_again(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(books, "trouble")
    assert calls == [*DONE, "try d", "try d", "undo d", *UNDONE]


async def test_a_compensation_that_fails_does_not_keep_the_others(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError) as caught:
        await system.client.invoke(books, "never")
    assert calls == [*DONE, *UNDONE]
    failure = caught.value.failure
    assert failure.type == "durable.CompensationFailedError"
    assert "1 of 4 compensations failed" in failure.message
    assert "d cannot be undone" in failure.message
    assert failure.message.endswith("because of TerminalError: declined")
    assert (failure.code, failure.cause.message) == (402, "declined")


async def test_operations_and_workflow_code_can_undo(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(books, "operations")
    assert calls == [*DONE, "undo f", "undo e", "undo d", *UNDONE]


async def test_a_mistake_is_held_with_nothing_undone(system: System) -> None:
    FIXED.clear()
    with pytest.raises(durable.InvocationPausedError, match="TypeError: a mistake") as caught:
        await system.client.invoke(books, "mistake")
    assert calls == DONE
    FIXED.append("mended")
    await system.client.resume(caught.value.invocation_id)
    result = await system.client.get_result(caught.value.invocation_id, books)
    assert result.value() == "booked"
    assert calls == DONE


async def test_an_attempt_that_is_to_be_repeated_undoes_nothing(system: System) -> None:
    assert await system.client.invoke(books, "later") == "booked"
    assert calls == DONE


async def test_a_cancellation_during_the_compensation_waits_and_counts(system: System) -> None:
    invocation_id = await system.client.invoke_async(slow_to_undo)
    await system.journaled(invocation_id, 1)
    await system.client.cancel(invocation_id)
    await system.client.signal(invocation_id, "go on")
    await system.until(invocation_id, "cancelled")
    assert calls == ["undo second", "undo first"]


async def test_a_timeout_around_it_waits_and_counts(system: System) -> None:
    assert await system.client.invoke(outlives) == "too late"
    assert calls == ["undo first"]


@pytest.mark.parametrize("how", ["timeout", "wait_for", "group", "from"])
async def test_what_comes_of_an_error_that_was_undone_is_final_too(
    system: System, how: str
) -> None:
    with pytest.raises(durable.InvocationFailedError):
        await system.client.invoke(goes_on, how)
    assert calls == ["undo first"]


async def test_an_error_after_a_saga_is_no_concern_of_it(system: System) -> None:
    with pytest.raises(durable.InvocationPausedError, match="of the rest"):
        await system.client.invoke(goes_on, "another")
    assert calls == ["undo first"]


@pytest.mark.parametrize("how", ["group", "task", "cancel", "beside a failure"])
async def test_a_step_that_runs_is_undone_when_it_has_ended(system: System, how: str) -> None:
    BEGUN.clear()
    invocation_id = await system.client.invoke_async(gives_up, how)
    cancelled = how in ("cancel", "beside a failure")
    if cancelled:
        await asyncio.to_thread(BEGUN.wait, 20)
        await system.client.cancel(invocation_id)
    await system.until(invocation_id, "cancelled" if cancelled else "failed")
    assert calls == ["begun", "seat", "undo seat"]


@pytest.mark.parametrize(
    "how", ["invoke", "send", "resolve", "code", "clear", "set", "set, and return", "set, and more"]
)
async def test_what_is_no_step_waits_too_until_the_step_has_ended(system: System, how: str) -> None:
    BEGUN.clear()
    invocation_id = await system.client.invoke_async(gives_up_and_tells, how)
    await system.until(invocation_id, "completed" if how.startswith("set, and") else "failed")
    reserved, _, *undone = (await system.client.get(invocation_id)).journal
    assert calls[:2] == ["begun", "seat"]
    assert reserved.complete_time
    assert len(undone) == (2 if how == "set, and more" else 1)
    for entry in undone:
        assert entry.create_time
        assert entry.create_time >= reserved.complete_time


@pytest.mark.parametrize("how", ["forgotten", "by hand", "entered"])
async def test_a_saga_whose_block_was_forgotten_is_named(
    system: System, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(without_a_block, how)
    found = [it for it in caplog.messages if "nothing has run the compensations" in it]
    if how == "forgotten":
        line = without_a_block.function.__code__.co_firstlineno + 4
        assert f"saga at {__file__}:{line}; write `async with durable.saga(ctx)" in found[0]
        assert calls == []
    else:
        assert not found
        assert calls == ["undo first"]


async def test_an_async_step_that_hangs_is_cancelled_to_be_undone(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(gives_up, "hangs")
    assert calls == ["undo seat"]


async def test_a_sync_step_that_hangs_is_left_alone_in_the_end(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    BEGUN.clear()
    STOP.clear()
    caplog.set_level("INFO", "durable.worker")
    monkeypatch.setattr("durable._worker.time_bounds.UNDO_WAIT_SECONDS_MAX", 0.01)
    with pytest.raises(durable.InvocationFailedError, match="declined"):
        await system.client.invoke(gives_up, "hangs in a thread")
    assert "has not ended; it goes on while it is compensated" in caplog.text
    STOP.set()
    assert calls == ["undo seat"]
