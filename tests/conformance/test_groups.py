"""Exception groups, and exceptions with unusual attributes, from steps and from workflow code."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import durable
from durable import Context

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

pytestmark = EVERYWHERE

TRICE = durable.RetryPolicy(initial_interval=0.001, max_attempts=3)


async def _raise(error: Exception) -> None:
    raise error


async def _several(*errors: Exception) -> None:
    """A step that does several things at once."""
    calls.append("try")
    async with asyncio.TaskGroup() as group:
        for error in errors:
            group.create_task(_raise(error))


@durable.workflow(retry=TRICE)
async def steps(ctx: Context, what: str) -> str:
    options: dict[str, Any] = {}
    errors: list[Exception] = [ConnectionError("down"), ConnectionError("down too")]
    match what:
        case "terminal":
            errors.append(durable.TerminalError("sold out", code=409, metadata={"seat": "1"}))
        case "given up":
            options["give_up_on"] = KeyError
            errors.append(KeyError("seat"))
        case "not all retried":
            options["retry_on"] = ConnectionError
            errors.append(KeyError("seat"))
        case "all retried":
            options["retry_on"] = ConnectionError
    policy = durable.RetryPolicy(initial_interval=0.001, max_attempts=3, **options)
    try:
        await ctx.options(retry=policy).run("several", _several, *errors)
    except durable.StepFailedError as error:
        return f"{error.type} {error.code} {error.metadata}"
    return "done"


@durable.workflow(retry=TRICE)
async def programs(ctx: Context, what: str) -> str:
    calls.append("attempt")
    async with asyncio.TaskGroup() as group:
        group.create_task(_raise(ConnectionError("down")))
        if what == "terminal":
            group.create_task(_raise(durable.TerminalError("sold out", code=409)))
    return "done"


@durable.workflow(retry=TRICE)
async def cancelled_together(ctx: Context, what: str) -> None:
    """Is cancelled while the tasks of a group wait, or while one of them cleans up."""

    async def waits() -> None:
        try:
            await ctx.sleep(1000)
        except asyncio.CancelledError:
            if what == "gives back":
                await ctx.run("give back", effect, "given back")
            if what == "fails to give back":
                await ctx.run("give back", _several, durable.TerminalError("gone"))
            raise

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(waits())
            group.create_task(waits())
    except asyncio.CancelledError as error:
        if what == "as a group":
            raise BaseExceptionGroup("stopped", [error]) from None
        raise


class OldError(durable.TerminalError):
    """An error class of a program's own, with a constructor and fields of its own."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.code = "E42"  # type: ignore[assignment]  # on purpose
        self.metadata = None  # type: ignore[assignment]  # on purpose

    def __str__(self) -> str:
        return f"order {self.order}"


def sold_out() -> None:
    calls.append("try")
    raise OldError(17)


@durable.workflow(retry=TRICE)
async def odd(ctx: Context, caught: bool) -> str:
    try:
        await ctx.run("buy", sold_out)
    except durable.TerminalError as error:
        if caught:
            return f"compensated: {error}"
        raise OldError(18) from error
    return "bought"


WORKFLOWS = [steps, programs, cancelled_together, odd]


@pytest.mark.parametrize(
    ("what", "tries", "result"),
    [
        ("plain", 3, "ExceptionGroup 0 {}"),
        ("terminal", 1, "ExceptionGroup 409 {'seat': '1'}"),
        ("given up", 1, "ExceptionGroup 0 {}"),
        ("not all retried", 1, "ExceptionGroup 0 {}"),
        ("all retried", 3, "ExceptionGroup 0 {}"),
    ],
)
async def test_a_group_that_a_step_raises(
    system: System, what: str, tries: int, result: str
) -> None:
    assert await system.client.invoke(steps, what) == result
    assert calls == ["try"] * tries


async def test_a_group_that_a_program_raises(system: System) -> None:
    with pytest.raises(durable.InvocationFailedError, match="sold out") as failed:
        await system.client.invoke(programs, "terminal")
    assert failed.value.failure.code == 409
    assert calls == ["attempt"]
    with pytest.raises(durable.InvocationPausedError, match="ConnectionError: down"):
        await system.client.invoke(programs, "plain")
    assert calls == ["attempt"] * 4


@pytest.mark.parametrize(
    ("what", "status", "made"),
    [
        ("waits", "cancelled", []),
        ("as a group", "cancelled", []),
        ("gives back", "cancelled", ["given back"] * 2),
        ("fails to give back", "failed", ["try"] * 2),
    ],
)
async def test_a_cancellation_reaches_the_tasks_of_a_group(
    system: System, what: str, status: str, made: list[str]
) -> None:
    invocation_id = await system.client.invoke_async(cancelled_together, what)
    await system.journaled(invocation_id, 2)
    await system.client.cancel(invocation_id)
    assert await system.until(invocation_id, "cancelled", "failed", "paused") == status
    assert calls == made


async def test_an_error_with_odd_fields_is_an_error_all_the_same(system: System) -> None:
    assert await system.client.invoke(odd, True) == f"compensated: buy: {_name()}: order 17"
    assert calls == ["try"]
    with pytest.raises(durable.InvocationFailedError, match="order 18") as failed:
        await system.client.invoke(odd, False)
    assert failed.value.failure.type == _name()
    assert failed.value.failure.code == 0


def _name() -> str:
    return f"{OldError.__module__}.{OldError.__qualname__}"
