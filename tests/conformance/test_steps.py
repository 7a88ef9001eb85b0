"""Steps: their threads, timeouts and context variables, and which callables can be one."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from unittest.mock import AsyncMock, Mock

import pytest

import durable
from durable import Context
from durable.testing import crash_everywhere

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

T = TypeVar("T")

THREADS = 2
ONCE = durable.RetryPolicy(max_attempts=1)
OFTEN = durable.RetryPolicy(initial_interval=timedelta(milliseconds=1), max_attempts=20)

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


# Context variables


def see() -> str:
    return tenant.get()


async def see_async() -> str:
    return tenant.get()


def set_and_see(value: str) -> list[str]:
    before = tenant.get()
    tenant.set(value)
    return [before, tenant.get()]


async def set_async(value: str) -> list[str]:
    return set_and_see(value)


def set_then_await(value: str) -> Awaitable[list[str]]:
    tenant.set(value)
    return set_async(f"{value} awaited")


def then_await(value: str) -> Any:
    """As above, but only the call shows that the result is an awaitable."""
    return set_then_await(value)


@durable.workflow
async def carries(ctx: Context, name: str) -> list[Any]:
    """Every step sees the variables of its workflow; what a step sets, only that step sees."""
    seen: list[Any] = [tenant.get(), await ctx.run("before", see)]
    tenant.set(name)
    seen += [await ctx.run("sync", see), await ctx.run("async", see_async)]
    seen.append(await ctx.run("set sync", set_and_see, "leak 1"))
    seen.append(await ctx.run("set async", set_async, "leak 2"))
    seen.append(await ctx.run("set on the loop", set_then_await, "leak 3"))
    seen.append(await ctx.run("set in both", then_await, "leak 4"))
    seen += [tenant.get(), await ctx.run("after", see)]

    async def part(number: int) -> list[str]:
        tenant.set(f"{name}/{number}")
        await ctx.sleep(0.001)
        return await asyncio.gather(ctx.run("part", see), ctx.run("part", see_async))

    seen.append(await asyncio.gather(*map(part, range(3))))
    waits = ctx.run("asked for before", see)
    tenant.set("changed")
    seen.append(await waits)
    return seen


def carried(name: str) -> list[Any]:
    return [
        *("nobody", "nobody", name, name),
        *([name, "leak 1"], [name, "leak 2"], ["leak 3", "leak 3 awaited"]),
        *(["leak 4", "leak 4 awaited"], name, name),
        [[f"{name}/{number}"] * 2 for number in range(3)],
        name,
    ]


@durable.workflow
async def compensates(ctx: Context, name: str) -> list[str]:
    tenant.set(name)

    def fails() -> None:
        tenant.set("leak")
        raise durable.TerminalError("no")

    try:
        await ctx.run("fail", fails)
    except durable.StepFailedError:
        return [await ctx.run("undo", see), tenant.get()]
    raise AssertionError


@durable.workflow
async def where_am_i(ctx: Context) -> list[bool]:
    """A step is no part of its workflow's code."""

    def inside() -> bool:
        try:
            durable.current_context()
        except LookupError:
            return False
        return True

    async def inside_async() -> bool:
        return inside()

    found = [await ctx.run("sync", inside), await ctx.run("async", inside_async)]
    return [*found, durable.current_context() is ctx]


# Threads and time


GO = threading.Semaphore(0)
LOOPS: list[asyncio.AbstractEventLoop] = []


@durable.workflow
async def holds(ctx: Context) -> str:
    """Holds a thread until GO is released."""
    loop = LOOPS[0]

    def hold() -> str:
        loop.call_soon_threadsafe(asyncio.ensure_future, effect("held"))
        GO.acquire()
        return "held"

    return await ctx.run("hold", hold)


def book() -> str:
    LOOPS[0].call_soon_threadsafe(asyncio.ensure_future, effect("booked"))
    return "booked"


@durable.workflow(retry=ONCE)
async def in_line(ctx: Context) -> str:
    """Its one step has far less time than it waits for a thread."""
    return await ctx.options(timeout=0.4).run("book", book)


@durable.workflow
async def cannot_wait(ctx: Context) -> str:
    """Gives up a step that has not begun, and undoes it."""
    try:
        async with asyncio.timeout(0.5):
            return await ctx.run("book", book)
    except TimeoutError:
        return await ctx.run("undo", effect, "undone")


HANG = threading.Event()


@durable.workflow
async def gives_up(ctx: Context) -> str:
    """Two steps that hang; what compensates for them needs a thread too."""
    once = ctx.options(timeout=0.02, retry=ONCE)
    try:
        await asyncio.gather(once.run("hang", HANG.wait), once.run("hang", HANG.wait))
    except durable.StepFailedError as error:
        return await ctx.run("undo", "undone after {}".format, error.type)
    raise AssertionError


# What can be a step


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    number: int


def logged(function: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> T:
        return function(*args)

    return wrapper


def syncify(function: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> T:
        return asyncio.run(function(*args))

    return wrapper


@logged
def receipt() -> Receipt:
    return Receipt(1)


@logged
def order() -> Order:
    return Order("a")


@syncify
async def fetched() -> Order:
    return Order("fetched")


@syncify
async def counted(number: int) -> int:
    return number + 1


class Shop:
    async def __call__(self) -> Order:
        return Order("shop")

    def sell(self, name: str) -> Order:
        return Order(name)


@durable.workflow(retry=ONCE)
async def odd_callables(ctx: Context) -> list[str]:
    shop = Shop()

    def closure(kind: type[T], *args: Any) -> Callable[[], T]:
        def make() -> kind:  # type: ignore[valid-type]  # the enclosing function's
            return kind(*args)

        return make

    values = [
        await ctx.run("receipt", receipt),
        await ctx.run("order", order),
        await ctx.run("fetched", fetched),
        await ctx.run("counted", counted, 1),
        await ctx.run("closure", closure(Order, "b")),
        await ctx.run("closure", closure(Receipt, 2)),
        await ctx.run("shop", shop),
        await ctx.run("sell", functools.partial(shop.sell, "sold")),
        await ctx.run("class", Receipt, 3),
        await ctx.run("mock", Mock(return_value="ok")),
        await ctx.run("async mock", AsyncMock(return_value="ok")),
    ]
    return [repr(value) for value in values]


WORKFLOWS = [
    *(carries, compensates, where_am_i, holds, in_line, cannot_wait, gives_up, odd_callables),
]


WORKER_OPTIONS = {"max_threads": THREADS}


@pytest.fixture
async def threads(system: System) -> AsyncIterator[System]:
    """A system whose steps may block their threads; they are released before the worker stops."""
    HANG.clear()
    LOOPS[:] = [asyncio.get_running_loop()]
    yield system
    HANG.set()


@EVERYWHERE
async def test_context_variables_reach_steps_and_leave_none(system: System) -> None:
    names = [f"tenant {number}" for number in range(20)]
    found = await asyncio.gather(*(system.client.invoke(carries, name) for name in names))
    assert found == [carried(name) for name in names]
    assert tenant.get() == "nobody"
    seen = await asyncio.gather(*(system.client.invoke(compensates, name) for name in names))
    assert seen == [[name, name] for name in names]
    assert await system.client.invoke(where_am_i) == [False, False, True]


@EVERYWHERE
async def test_steps_wait_for_threads_and_lose_no_time(threads: System) -> None:
    holders = [await threads.client.invoke_async(holds) for _ in range(THREADS)]
    await calls.reached(THREADS)
    booked = await threads.client.invoke_async(in_line)
    # Waits for longer than the other one's step has time, and gives up.
    assert await threads.client.invoke(cannot_wait) == "undone"
    assert (await threads.client.get(booked)).status == "running"
    for _ in holders:
        GO.release()
    assert (await threads.client.get_result(booked, timeout=30)).value() == "booked"
    for holder in holders:
        assert (await threads.client.get_result(holder, timeout=30)).value() == "held"
    # Each was booked that has not been undone before, and no other.
    assert sorted(calls) == ["booked", *["held"] * THREADS, "undone"]


@EVERYWHERE
async def test_what_hangs_leaves_room_for_what_undoes_it(threads: System) -> None:
    for _ in range(THREADS):
        assert await threads.client.invoke(gives_up) == "undone after TimeoutError"


@EVERYWHERE
async def test_what_can_be_a_step(system: System) -> None:
    assert await system.client.invoke(odd_callables) == [
        *("Receipt(number=1)", "Order(id='a')", "Order(id='fetched')", "2", "Order(id='b')"),
        *("Receipt(number=2)", "Order(id='shop')", "Order(id='sold')", "Receipt(number=3)"),
        *("'ok'", "'ok'"),
    ]


def test_crashes_change_no_context_variables() -> None:
    for workflow, expected in ((carries, carried("a")), (compensates, ["a", "a"])):
        report = asyncio.run(crash_everywhere(workflow, "a"))
        assert report.result.value() == expected


def test_crashes_change_nothing_of_odd_callables() -> None:
    report = asyncio.run(crash_everywhere(odd_callables))
    assert report.result.value()[:2] == ["Receipt(number=1)", "Order(id='a')"]
