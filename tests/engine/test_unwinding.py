"""The end of an attempt whose program still runs: AttemptEnded unwinds it, without a warning.

The attempt has ended and the invocation may go on elsewhere. So nothing that the program does while
it is unwound has an effect, and none of it may block the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import durable
from durable import Context

from .harness import World, attempt_of, last_message

seen: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def abandoned(program: Any) -> list[Any]:
    """Begins an attempt, abandons it while it waits, and returns what the program has recorded."""
    attempt = attempt_of(durable.workflow(program))
    assert not attempt.done
    attempt.outbox.clear()
    attempt.tasks.clear()
    sent = attempt.unacknowledged()
    attempt.abandon()
    assert not attempt.outbox
    assert not attempt.tasks
    assert attempt.unacknowledged() == sent
    return seen


async def plain(ctx: Context) -> None:
    try:
        await ctx.sleep(1)
    except BaseException as error:
        seen.append(type(error))
        raise


async def plain_asyncio(ctx: Context) -> None:
    try:
        await asyncio.sleep(1)
    except BaseException as error:
        seen.append(type(error))
        raise


async def managed(ctx: Context) -> None:
    class Manager:
        async def __aenter__(self) -> None: ...

        async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
            seen.append(kind)

    async with Manager():
        await ctx.sleep(1)


async def managed_by_generators(ctx: Context) -> None:
    @contextlib.asynccontextmanager
    async def outer() -> AsyncIterator[None]:
        try:
            yield
        except BaseException as error:
            seen.append(type(error))
            raise

    @contextlib.contextmanager
    def inner() -> Iterator[None]:
        try:
            yield
        finally:
            pass

    async with outer(), contextlib.AsyncExitStack() as stack:
        stack.enter_context(inner())
        await ctx.sleep(1)


async def in_a_task(ctx: Context) -> None:
    await asyncio.create_task(plain(ctx))


async def in_a_group(ctx: Context) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(plain(ctx))


async def in_a_generator(ctx: Context) -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            await ctx.sleep(1)
            yield 1
        except BaseException as error:
            seen.append(type(error))
            raise

    async for _ in numbers():
        pass


async def in_a_timeout(ctx: Context) -> None:
    async with asyncio.timeout(5):
        await plain(ctx)


async def on_any_await_of_the_cleanup(ctx: Context) -> None:
    try:
        await ctx.sleep(1)
    finally:
        try:
            await ctx.run("cleanup", int)
        except durable.AttemptEnded:
            seen.append(durable.AttemptEnded)


@pytest.mark.parametrize(
    "program",
    [
        plain,
        plain_asyncio,
        managed,
        managed_by_generators,
        in_a_task,
        in_a_group,
        in_a_generator,
        in_a_timeout,
        on_any_await_of_the_cleanup,
    ],
)
def test_code_that_is_unwound_gets_attempt_ended(program: Any) -> None:
    assert abandoned(program) == [durable.AttemptEnded]


def test_except_exception_does_not_catch_it() -> None:
    assert issubclass(durable.AttemptEnded, BaseException)
    assert not issubclass(durable.AttemptEnded, Exception)


async def swallows_and_returns(ctx: Context) -> str:
    with contextlib.suppress(BaseException):
        await ctx.sleep(1)
    seen.append("went on")
    return "as if nothing was"


async def swallows_and_goes_on(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await ctx.sleep(1)


async def swallows_and_works_on(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await ctx.run("work", int)
            ctx.set("n", 1)
            await ctx.invoke("child")


async def swallows_and_goes_on_with_asyncio(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(1)


async def swallows_and_yields(ctx: Context) -> None:
    ctx.sleep(1)
    while True:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(0)
            await asyncio.Event().wait()


async def awaits_much_in_finally(ctx: Context) -> None:
    try:
        await ctx.sleep(1)
    finally:
        for _ in range(5):
            with contextlib.suppress(BaseException):
                await asyncio.sleep(0)
        seen.append("cleaned")


@pytest.mark.parametrize(
    "program",
    [
        swallows_and_returns,
        swallows_and_goes_on,
        swallows_and_works_on,
        swallows_and_goes_on_with_asyncio,
        swallows_and_yields,
        awaits_much_in_finally,
    ],
)
@pytest.mark.timeout(20)
def test_a_program_that_catches_it_for_ever_does_not_block_the_worker(program: Any) -> None:
    abandoned(program)
    gc.collect()

    @durable.workflow
    async def beside(ctx: Context) -> str:
        task = asyncio.create_task(program(ctx))
        await ctx.run("x", int)
        return str(task.done())

    world = World(beside)
    assert world.run().get() == "False"
    finished = last_message(world.replay())
    assert finished.WhichOneof("message") == "finished"


def test_a_logger_is_silent_while_code_is_unwound(caplog: pytest.LogCaptureFixture) -> None:
    """The same block logs when it runs because the program has reached it."""

    @durable.workflow
    async def program(ctx: Context) -> None:
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                ctx.logger.info("the generator is closed")

        async for _ in numbers():
            break
        try:
            await ctx.sleep(1)
        finally:
            ctx.logger.info("the sleep is over")

    with caplog.at_level(logging.INFO, "durable.workflow"):
        world = World(program)
        world.fork(0).attempt.abandon()
        texts = [record.getMessage().partition(" ")[2] for record in caplog.records]
        assert texts == ["the generator is closed"] * 2  # in either world
        world.run().get()
        texts = [record.getMessage().partition(" ")[2] for record in caplog.records]
    assert texts == ["the generator is closed"] * 2 + ["the sleep is over"]
