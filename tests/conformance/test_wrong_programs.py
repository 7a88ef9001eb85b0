"""Programs that cannot work: at the first use, one line says what to write instead.

Similar programs that can work are tested too: a refusal must not hit them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

import durable
from durable import Context

from .system import System

ONCE = durable.RetryPolicy(max_attempts=1)

LOCK, EVENT, SEMAPHORE = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2)
CONDITION, BOUNDED = asyncio.Condition(), asyncio.BoundedSemaphore(2)
QUEUE: asyncio.Queue[int] = asyncio.Queue()
FULL: asyncio.Queue[int] = asyncio.PriorityQueue(1)
BARRIER = asyncio.Barrier(1)

kept: dict[str, Any] = {}


async def fetch(number: int = 1) -> int:
    return number


class Api:
    async def fetch(self, number: int = 1) -> int:
        return number

    def __call__(self, number: int = 1) -> int:
        return number


@durable.workflow
async def child(ctx: Context, number: int = 0) -> int:
    return number


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


hidden = logged(child)

# What ctx.run is given


async def a_coroutine(ctx: Any) -> Any:
    return await ctx.run("x", fetch(1))


async def a_coroutine_of_a_method(ctx: Any) -> Any:
    return await ctx.run("x", Api().fetch(1))


async def a_result(ctx: Any) -> Any:
    return await ctx.run("x", Api()(5))


async def a_none(ctx: Any) -> Any:
    return await ctx.run("x", None)


async def a_name_alone(ctx: Any) -> Any:
    return await ctx.run("x")


async def a_future(ctx: Any) -> Any:
    return await ctx.run("x", ctx.sleep(0.01))


async def a_task(ctx: Any) -> Any:
    return await ctx.run("x", asyncio.create_task(fetch()))


async def a_workflow(ctx: Any) -> Any:
    return await ctx.run("x", child)


async def no_name(ctx: Any) -> Any:
    return await ctx.run(fetch, 1)


async def no_name_and_called(ctx: Any) -> Any:
    return await ctx.run(fetch(1))


async def no_name_but_a_lambda(ctx: Any) -> Any:
    return await ctx.run(lambda: 1)


# What ctx.invoke is given


async def invoked_function(ctx: Any) -> Any:
    return await ctx.invoke(fetch, 1)


async def invoked_coroutine(ctx: Any) -> Any:
    return await ctx.invoke(child(ctx, 1))


async def sent_function(ctx: Any) -> Any:
    return await ctx.send(fetch)


async def sent_later_function(ctx: Any) -> Any:
    return await ctx.send_delayed(fetch, None, 1)


async def invoked_behind_a_decorator(ctx: Any) -> Any:
    return await ctx.invoke(hidden, 1)


async def called_without_context(ctx: Any) -> Any:
    fits: Any = child
    return await fits(5)


# Asyncio's primitives that several invocations share


async def shared_lock(ctx: Any) -> Any:
    async with LOCK:
        await ctx.sleep(0.01)


async def shared_event_waited(ctx: Any) -> Any:
    await EVENT.wait()


async def shared_semaphore(ctx: Any) -> Any:
    async with SEMAPHORE:
        await ctx.sleep(0.01)


async def shared_bounded_semaphore(ctx: Any) -> Any:
    async with BOUNDED:
        await ctx.sleep(0.01)


async def shared_condition(ctx: Any) -> Any:
    async with CONDITION:
        CONDITION.notify_all()


async def shared_queue_put(ctx: Any) -> Any:
    await QUEUE.put(1)


async def shared_queue_get(ctx: Any) -> Any:
    return await QUEUE.get()


async def shared_queue_nowait(ctx: Any) -> Any:
    return FULL.get_nowait()


async def shared_barrier(ctx: Any) -> Any:
    async with BARRIER:
        pass


async def another_invocations_lock(ctx: Any) -> Any:
    async with kept["lock"]:
        await ctx.sleep(0.01)


async def a_lock_in_a_step(ctx: Any) -> Any:
    lock = asyncio.Lock()

    async def step() -> None:
        async with lock:
            pass

    await ctx.run("x", step)


async def an_event_set_by_a_step(ctx: Any) -> Any:
    event = asyncio.Event()
    await ctx.run("x", event.set)
    await event.wait()


# Loops and threads of their own


async def runs_asyncio(ctx: Any) -> Any:
    return asyncio.run(fetch())


async def runs_a_runner(ctx: Any) -> Any:
    with asyncio.Runner() as runner:
        return runner.run(fetch())


async def runs_its_loop(ctx: Any) -> Any:
    coroutine = fetch()
    try:
        return asyncio.get_event_loop().run_until_complete(coroutine)
    finally:
        coroutine.close()


async def runs_a_thread(ctx: Any) -> Any:
    return await asyncio.to_thread(int)


async def runs_an_anyio_thread(ctx: Any) -> Any:
    return await anyio.to_thread.run_sync(int)


async def asks_a_server(ctx: Any) -> Any:
    async with httpx.AsyncClient() as client:
        return (await client.get("http://127.0.0.1:9/")).status_code


async def asks_in_a_thread_of_its_own(ctx: Any) -> Any:
    caught: list[BaseException] = []

    def use() -> None:
        try:
            ctx.set("n", 1)
        except BaseException as error:  # noqa: BLE001  # raised below
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    raise caught[0]


async def returns_a_coroutine(ctx: Any) -> Any:
    coroutine = fetch()
    kept["coroutine"] = coroutine
    return coroutine


WRONG: dict[Callable[..., Any], str] = {
    a_coroutine: r"TypeError: step 'x': fetch\(\) was called already; .* ctx.run\('x', fetch, ...\)",
    a_coroutine_of_a_method: r"TypeError: step 'x': fetch\(\) was called already",
    a_result: "TypeError: step 'x' needs a function, not 5; .*give the function and its arguments",
    a_none: "TypeError: step 'x' needs a function, not None",
    a_name_alone: "TypeError: step 'x' needs a function, not None",
    a_future: "TypeError: step 'x': <DurableFuture 'sleep' .* is under way already; write `await`",
    a_task: "TypeError: step 'x': <WorkflowTask .* is under way already; write `await`",
    a_workflow: r"TypeError: step 'x': child is a workflow.* write ctx.invoke\(child, ...\)",
    no_name: r"TypeError: the first argument of ctx.run is the step's name.*\"name\", fetch, ...\)",
    no_name_and_called: r"TypeError: the first argument of ctx.run is the step's name.*\"name\", fetch",
    no_name_but_a_lambda: "TypeError: the first argument of ctx.run is the step's name",
    invoked_function: "TypeError: fetch is no workflow: decorate it with @durable.workflow",
    invoked_coroutine: r"TypeError: child\(\) was called already; give the workflow and its arguments",
    sent_function: "TypeError: fetch is no workflow",
    sent_later_function: "TypeError: fetch is no workflow",
    invoked_behind_a_decorator: "TypeError: a decorator above @durable.workflow .* around the workflow"
    " 'child'",
    called_without_context: r"TypeError: child was called as a function.* ctx.invoke\(child, ...\)",
    shared_lock: "a workflow used asyncio.Lock.acquire of one that was made outside of any workflow",
    shared_event_waited: "a workflow used asyncio.Event.wait of one that was made outside",
    shared_semaphore: "a workflow used asyncio.Semaphore.acquire of one that was made outside",
    shared_bounded_semaphore: "a workflow used asyncio.BoundedSemaphore.acquire of one that was made",
    shared_condition: "a workflow used asyncio.Condition.notify of one that was made outside",
    shared_queue_put: "a workflow used asyncio.Queue.put of one that was made outside",
    shared_queue_get: "a workflow used asyncio.Queue.get of one that was made outside",
    shared_queue_nowait: "a workflow used asyncio.PriorityQueue.get_nowait of one that was made",
    shared_barrier: "a workflow used asyncio.Barrier.wait of one that was made outside",
    another_invocations_lock: "a workflow used asyncio.Lock.acquire of one that was made in another",
    a_lock_in_a_step: "asyncio.Lock.acquire of one that a workflow has made was used outside",
    an_event_set_by_a_step: "asyncio.Event.set of one that a workflow has made was used outside",
    runs_asyncio: "a workflow called asyncio.run, .* write `await`",
    runs_a_runner: "a workflow called asyncio.Runner, .* write `await`",
    runs_its_loop: "a workflow called asyncio's run_until_complete, .* wrap it in ctx.run",
    runs_a_thread: "a workflow called asyncio's run_in_executor, .* wrap it in ctx.run",
    runs_an_anyio_thread: "nothing durable is open that could wake it.* wrap what it waits for in",
    asks_a_server: "a workflow called asyncio's (create_connection|getaddrinfo), .* wrap it in ctx.run",
    asks_in_a_thread_of_its_own: "SET_STATE 'n' was used outside .* in another thread",
    returns_a_coroutine: "a value of type coroutine is no JSON: it was not awaited; write `await`",
}

# The neighbours


async def steps_of_all_kinds(ctx: Context) -> list[Any]:
    api = Api()
    return [
        await ctx.run("function", fetch, 1),
        await ctx.run("method", api.fetch, 2),
        await ctx.run("object", api, 3),
        await ctx.run("partial", functools.partial(fetch, 4)),
        await ctx.run("class", int, "5"),
        await ctx.run("builtin", len, "123456"),
        await ctx.run("lambda", lambda: fetch(7)),
    ]


async def primitives_of_its_own(ctx: Context) -> list[Any]:
    lock, event, condition = asyncio.Lock(), asyncio.Event(), asyncio.Condition()
    semaphore, queue = asyncio.Semaphore(1), asyncio.Queue[int](1)
    barrier = asyncio.Barrier(2)
    order: list[Any] = []

    async def first() -> None:
        async with lock, semaphore:
            order.append(await ctx.run("first", fetch, 1))
        await queue.put(2)
        await queue.put(3)
        event.set()
        async with barrier:
            pass

    async def second() -> None:
        async with lock, semaphore:
            order.append(await ctx.run("second", fetch, 4))
        order.extend([await queue.get(), await queue.get()])
        await event.wait()
        async with condition:
            condition.notify_all()
        async with barrier:
            pass

    await asyncio.gather(first(), second())
    return order


async def shares_among_steps(ctx: Context) -> list[int]:
    """A semaphore at module level may limit how many steps run concurrently."""

    async def step(number: int) -> int:
        async with STEPS[0]:
            return await fetch(number)

    return list(await asyncio.gather(*[ctx.run(f"s{it}", step, it) for it in range(3)]))


STEPS = [asyncio.Semaphore(1)]


async def anyio_of_its_own(ctx: Context) -> list[Any]:
    found: list[Any] = []
    lock, event = anyio.Lock(), anyio.Event()

    async def work(number: int) -> None:
        await anyio.sleep(0.01)
        async with lock:
            found.append(await ctx.run(f"s{number}", fetch, number))
        if len(found) == 3:
            event.set()

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(work, number)
        await event.wait()
    with anyio.move_on_after(0.01):
        await ctx.signal("never")
        found.append("came")
    return sorted(found)


async def tells_the_outside(ctx: Context) -> str:
    """A coroutine that no workflow awaits."""
    TOLD[0].set()
    await ctx.sleep(0.01)
    return "told"


TOLD = [asyncio.Event()]


async def generators_and_stacks(ctx: Context) -> list[Any]:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield await ctx.run(f"s{number}", fetch, number)

    found: list[Any] = []
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(ctx.run, "last", lambda: found.append("last"))
        found.extend([it async for it in numbers()])
        found.append([it + 1 async for it in numbers() if it])
    return found[:4]


async def asks_in_a_step(ctx: Context) -> str:
    async def ask() -> str:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get("http://127.0.0.1:9/")).text
        except httpx.ConnectError:
            return "nobody is there"

    return await ctx.run("ask", ask)


async def awaits_what_it_cancelled(ctx: Context) -> None:
    task = asyncio.ensure_future(ctx.sleep(1000))
    task.cancel()
    await task


async def undoes_by_a_closure(ctx: Context) -> None:
    async def back() -> None:
        await ctx.run("back", fetch)

    async with durable.saga(ctx) as saga:
        saga.undo(back)
        raise durable.TerminalError("declined")


WRONG[awaits_what_it_cancelled] = "cancelled by its own code: .*; catch asyncio.CancelledError"
WRONG[undoes_by_a_closure] = r"give a compensation the context: saga.undo\(function, ctx\)"

RIGHT: dict[Callable[..., Any], Any] = {
    steps_of_all_kinds: [1, 2, 3, 4, 5, 6, 7],
    primitives_of_its_own: [1, 4, 2, 3],
    shares_among_steps: [0, 1, 2],
    anyio_of_its_own: [0, 1, 2],
    tells_the_outside: "told",
    generators_and_stacks: [0, 1, 2, [2, 3]],
    asks_in_a_step: "nobody is there",
}


@durable.workflow
async def keeps_a_lock(ctx: Context) -> None:
    kept["lock"] = asyncio.Lock()


@durable.workflow
async def before_a_slash(ctx: Context, first: int, second: int = 2, /, third: int = 3) -> list[int]:
    await ctx.sleep(0.001)
    return [first, second, third]


@durable.workflow
async def one_before_a_slash(ctx: Context, only: int = 1, /) -> int:
    return only


@durable.workflow
async def after_a_star(ctx: Context, *, first: int, second: int = 2) -> list[int]:
    return [first, second]


WORKFLOWS = [
    child,
    keeps_a_lock,
    before_a_slash,
    one_before_a_slash,
    after_a_star,
    *[durable.workflow(retry=ONCE)(it) for it in [*WRONG, *RIGHT]],
]
SERVED = {it.name: it for it in WORKFLOWS}


@pytest.mark.filterwarnings(
    "ignore:coroutine 'fetch' was never awaited",
    # The thread of anyio is refused too, where it would wake the workflow.
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
)
async def test_each_error_names_what_to_write(system: System) -> None:
    await system.client.invoke(keeps_a_lock)
    for function, expected in WRONG.items():
        with pytest.raises(durable.DurableError, match=expected) as caught:
            await system.client.invoke(SERVED[function.__name__])
        error: Any = caught.value
        assert isinstance(error, durable.InvocationFailedError | durable.InvocationPausedError), (
            function.__name__
        )
    kept.pop("coroutine").close()
    assert await system.client.invoke(child, 5) == 5


async def test_what_is_right_beside_it_works(system: System) -> None:
    STEPS[0], TOLD[0] = asyncio.Semaphore(1), asyncio.Event()
    for function, expected in RIGHT.items():
        assert await system.client.invoke(SERVED[function.__name__]) == expected, function.__name__
    assert TOLD[0].is_set()


async def test_parameters_before_a_slash_and_after_a_star(system: System) -> None:
    client = system.client
    assert await client.invoke(before_a_slash, 1) == [1, 2, 3]
    assert await client.invoke(before_a_slash, 1, 5) == [1, 5, 3]
    assert await client.invoke(before_a_slash, 1, third=7) == [1, 2, 7]
    by_name = await client.invoke("before_a_slash", {"first": 1, "third": 9})
    assert by_name.value() == [1, 2, 9]
    assert await client.invoke(one_before_a_slash) == 1
    assert await client.invoke(one_before_a_slash, 4) == 4
    assert await client.invoke(after_a_star, first=3) == [3, 2]
