"""A forgotten `await`: when the workflow ends, a warning names the operation and its line.

Operations that a program need not await give no warning: people ignore warnings of correct programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import durable
from durable import Context

from .system import System

ONCE = durable.RetryPolicy(max_attempts=1)


@durable.workflow
async def child(ctx: Context, number: int = 0) -> int:
    return number


@durable.workflow(retry=ONCE)
async def failing_child(ctx: Context) -> int:
    raise durable.TerminalError("the child has failed")


async def helper(ctx: Context, seconds: float = 0.01) -> None:
    await ctx.sleep(seconds)


async def fails(ctx: Context) -> None:
    await ctx.sleep(0.001)
    raise ValueError("the background is broken")


def refuses() -> None:
    raise durable.TerminalError("the step is refused")


# Each has the mistake in the line that ends with a mark.


async def a_sleep(ctx: Context) -> None:
    ctx.sleep(600)  # here


async def a_child(ctx: Context) -> None:
    ctx.invoke(child, 1)  # here


async def a_child_that_has_ended(ctx: Context) -> None:
    ctx.invoke(child, 1)  # here
    await ctx.invoke(child, 2)


async def a_child_that_failed(ctx: Context) -> None:
    same = ctx.options(idempotency_key=ctx.invocation_id)
    same.invoke(failing_child)  # here
    with contextlib.suppress(durable.ChildFailedError):
        await ctx.attach(await same.send(failing_child))


async def an_awakeable(ctx: Context) -> None:
    ctx.awakeable("nobody")  # here


async def a_promise(ctx: Context) -> None:
    promise = ctx.promise("nobody")  # here
    await ctx.run("use", str, promise.id)


async def a_signal(ctx: Context) -> None:
    ctx.signal("go", type=int)  # here


async def an_attach(ctx: Context) -> None:
    ctx.attach(await ctx.send(child))  # here


async def a_task(ctx: Context) -> None:
    asyncio.create_task(helper(ctx, 3600))  # noqa: RUF006  # here
    await ctx.run("x", int)


async def a_task_that_failed(ctx: Context) -> None:
    task = asyncio.create_task(fails(ctx))  # here
    await ctx.sleep(0.05)
    assert task.done()


async def a_task_that_failed_and_was_dropped(ctx: Context) -> None:
    asyncio.create_task(fails(ctx))  # noqa: RUF006  # here
    await ctx.sleep(0.05)


async def a_gather(ctx: Context) -> None:
    asyncio.gather(ctx.sleep(60), ctx.run("x", int))  # here
    await ctx.run("y", int)


async def a_coroutine(ctx: Context) -> None:
    helper(ctx)  # type: ignore[unused-coroutine]  # here
    await ctx.run("x", int)


async def a_step_that_failed(ctx: Context) -> None:
    ctx.run("refuses", refuses)  # here
    await ctx.run("x", int)


async def a_step_that_fails_after_the_handler(ctx: Context) -> None:
    async def late() -> None:
        await asyncio.sleep(0.05)
        refuses()

    ctx.run("late", late)  # here


async def a_resolution_that_failed(ctx: Context) -> None:
    taken = f"{ctx.invocation_id}.taken"  # in this partition, so the answer comes before the end
    await ctx.resolve_awakeable(taken, 1)
    ctx.resolve_awakeable(taken, 2)  # here
    await ctx.send(child)


async def a_bare_failure(ctx: Context) -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("set by hand"))
    await ctx.run("x", int)


MISTAKES: dict[Callable[..., Any], str] = {
    a_sleep: "nothing awaited the sleep that is its step 0, started at {}; write `await`",
    a_child: "nothing awaited the INVOKE 'child' that is its step 0, started at {}; write `await` in"
    " front of it, or use ctx.send",
    a_child_that_has_ended: "nothing awaited the INVOKE 'child' that is its step 0, started at {};",
    a_child_that_failed: "nobody has seen that step 0 ('failing_child', started at {}) failed:"
    " durable.TerminalError: failing_child: durable.TerminalError: the child has failed",
    an_awakeable: "nothing awaited the AWAKEABLE 'nobody' that is its step 0, started at {};",
    a_promise: "nothing awaited the AWAKEABLE '",
    a_signal: "nothing awaited the SIGNAL 'go' that is its step 0, started at {};",
    an_attach: "nothing awaited the ATTACH '",
    a_task: "nothing awaited the task helper made at {}, and the handler's end cuts it off; await it",
    a_task_that_failed: "nobody has seen that the task fails made at {} failed: ValueError: the"
    " background is broken (File ",
    a_task_that_failed_and_was_dropped: "nobody has seen that the task fails made at {} failed:",
    a_gather: "nothing awaited the asyncio.gather of {}, and the handler's end cuts it off; write",
    a_coroutine: "nothing awaited the coroutine helper made at {}, so it never ran;",
    a_step_that_failed: "nobody has seen that step 0 ('refuses', started at {}) failed: ",
    a_step_that_fails_after_the_handler: "nobody has seen that step 0 ('late', started at {}) failed",
    a_resolution_that_failed: "nobody has seen that step 1 ('",
    a_bare_failure: "nobody has seen that a WorkflowFuture failed: ValueError: set by hand;",
}


async def steps_and_messages(ctx: Context) -> None:
    """What is wanted for its effect."""
    ctx.run("effect", int)
    ctx.set("n", 1)
    ctx.clear("n")
    ctx.send(child, 1)
    ctx.send_delayed(child, 1, 0.01)
    ctx.resolve_awakeable("free", 1)
    ctx.send_signal(ctx.invocation_id, "s", 1)
    ctx.cancel(await ctx.send(child, 2))
    await ctx.signal("s")


async def awaited_late(ctx: Context) -> None:
    """Awaited, looked at or gathered when it had long completed."""
    children = [ctx.invoke(child, number) for number in range(6)]
    await ctx.sleep(0.3)
    assert await children[0] == 0
    assert await asyncio.gather(*children[1:3]) == [1, 2]
    await asyncio.wait([children[3]])
    if children[4].done():
        children[4].result()
    assert [await it for it in asyncio.as_completed(children[5:])] == [5]
    assert await ctx.get("nothing") is None


async def lost_races(ctx: Context) -> None:
    slow, quick = ctx.signal("never"), ctx.sleep(0.01)
    await asyncio.wait([slow, quick], return_when=asyncio.FIRST_COMPLETED)
    both = asyncio.gather(ctx.signal("never"), ctx.signal("neither"))
    task = asyncio.create_task(helper(ctx))
    await asyncio.wait([both, task], return_when=asyncio.FIRST_COMPLETED)
    try:
        async with asyncio.timeout(0.01):
            await ctx.awakeable("late")
    except TimeoutError:
        return


async def cancelled(ctx: Context) -> None:
    ctx.signal("never").cancel()
    ctx.invoke(child).cancel()
    task = asyncio.create_task(helper(ctx))
    await ctx.run("x", int)
    task.cancel()
    helper(ctx).close()


async def finished_by_itself(ctx: Context) -> None:
    task = asyncio.create_task(helper(ctx))
    await ctx.sleep(0.1)
    assert task.done()


async def failures_that_were_seen(ctx: Context) -> None:
    task = asyncio.create_task(fails(ctx))
    children = [ctx.invoke(failing_child) for _ in range(2)]
    found = await asyncio.gather(task, *children, return_exceptions=True)
    assert all(isinstance(it, Exception) for it in found)
    late = ctx.invoke(failing_child)
    await asyncio.wait([late])
    assert late.exception() is not None


async def a_failure_before_the_awaits(ctx: Context) -> None:
    ctx.invoke(child)
    ctx.signal("go")
    raise durable.TerminalError("before")


GOOD = [
    steps_and_messages,
    awaited_late,
    lost_races,
    cancelled,
    finished_by_itself,
    failures_that_were_seen,
    a_failure_before_the_awaits,
]


async def as_text(ctx: Context) -> str:
    return f"got {ctx.run('x', int)}"


async def as_str(ctx: Context) -> str:
    return str(ctx.run("x", int))


async def as_percent(ctx: Context) -> str:
    return "got %s" % ctx.run("x", int)  # noqa: UP031


async def as_condition(ctx: Context) -> str:
    return "yes" if ctx.get("x", bool) else "no"


async def as_list(ctx: Context) -> list[int]:
    return list(ctx.run("x", lambda: [1]))  # type: ignore[call-overload, no-any-return]


async def as_pair(ctx: Context) -> int:
    first, _ = ctx.run("x", lambda: [1, 2])  # type: ignore[misc]
    return int(first)


async def as_item(ctx: Context) -> Any:
    return ctx.run("x", lambda: [1])[0]  # type: ignore[index]


async def as_equal(ctx: Context) -> bool:
    return ctx.get("x") == 5  # type: ignore[no-any-return]


async def as_member(ctx: Context) -> bool:
    return 5 in ctx.run("x", lambda: [5])  # type: ignore[operator]


async def as_object(ctx: Context) -> Any:
    return ctx.run("x", str).upper()  # type: ignore[attr-defined]


async def as_number(ctx: Context) -> Any:
    return 1 + ctx.run("x", int)  # type: ignore[operator]


async def as_text_of_parts(ctx: Context) -> Any:
    return "a" + ctx.run("x", str)  # type: ignore[operator]


async def as_smaller(ctx: Context) -> Any:
    return ctx.get("x", int, 0) < 5  # type: ignore[operator]


async def as_many(ctx: Context) -> Any:
    return len(ctx.run("x", list[int]))  # type: ignore[arg-type]


async def as_argument(ctx: Context) -> Any:
    return await ctx.invoke(child, ctx.run("x", int))  # type: ignore[arg-type]


async def as_state(ctx: Context) -> Any:
    return ctx.set("n", ctx.run("x", int))


MISUSES = [
    as_text,
    as_str,
    as_percent,
    as_condition,
    as_list,
    as_pair,
    as_item,
    as_equal,
    as_member,
    as_object,
    as_number,
    as_text_of_parts,
    as_smaller,
    as_many,
    as_argument,
    as_state,
]


def drops_a_coroutine(ctx: Context) -> None:
    """Leaves a coroutine to the collector, as the frames of an error do."""
    cycle: list[Any] = [helper(ctx)]
    cycle.append(cycle)


@durable.workflow(retry=ONCE)
async def collects(ctx: Context) -> int:
    gc.disable()
    try:
        await ctx.run("drop", drops_a_coroutine, ctx)
    finally:
        gc.enable()
    gc.collect()
    return 1


WORKFLOWS = [
    child,
    failing_child,
    collects,
    *[durable.workflow(retry=ONCE)(it) for it in [*MISTAKES, *GOOD, *MISUSES]],
]
SERVED = {it.name: it for it in WORKFLOWS}


class Warned(logging.Handler):
    """The warnings of the worker."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def of(self, invocation_id: str) -> list[str]:
        return [
            it.getMessage()
            for it in self.records
            if f"[{invocation_id}] has ended" in it.getMessage()
        ]


@pytest.fixture
def warned() -> Iterator[Warned]:
    handler = Warned()
    logger = logging.getLogger("durable.worker")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def line_of(function: Callable[..., Any]) -> str:
    lines, first = inspect.getsourcelines(function)
    offset = next(offset for offset, line in enumerate(lines) if line.rstrip().endswith("# here"))
    return f"{__file__}:{first + offset}"


async def test_each_is_named_once_when_the_workflow_has_ended(
    system: System, warned: Warned
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for function, expected in MISTAKES.items():
            workflow = SERVED[function.__name__]
            invocation_id = await system.client.invoke_async(workflow)
            (await system.client.get_result(invocation_id, workflow)).value()
            texts = warned.of(invocation_id)
            if "{}" in expected:
                expected = expected.format(line_of(function))
            assert len(texts) == 1, (function.__name__, texts)
            assert texts[0].startswith(
                f"{workflow.name} [{invocation_id}] has ended, and {expected}"
            ), (function.__name__, texts)
            assert __file__ in texts[0] or function is a_bare_failure


async def test_what_a_program_may_leave_alone_gives_no_warning(
    system: System, warned: Warned
) -> None:
    for function in GOOD:
        workflow = SERVED[function.__name__]
        invocation_id = await system.client.invoke_async(workflow)
        result = await system.client.get_result(invocation_id, workflow)
        assert result.status == "completed" or function is a_failure_before_the_awaits, result
        assert warned.of(invocation_id) == [], function.__name__


async def test_what_the_collector_finds_may_be_of_others(system: System, warned: Warned) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        invocation_id = await system.client.invoke_async(collects)
        assert (await system.client.get_result(invocation_id, collects)).value() == 1
    assert warned.of(invocation_id) == []


async def test_a_result_used_without_await_names_the_mistake(system: System) -> None:
    for function in MISUSES:
        with pytest.raises(Exception, match="write `await` in front of it") as caught:
            await system.client.invoke(SERVED[function.__name__])
        assert isinstance(
            caught.value, durable.InvocationFailedError | durable.InvocationPausedError
        ), function.__name__


async def test_python_still_warns_of_the_coroutine(system: System) -> None:
    with pytest.warns(RuntimeWarning, match="coroutine 'helper' was never awaited"):
        await system.client.invoke(SERVED["a_coroutine"])
