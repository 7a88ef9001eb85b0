"""The workflow's event loop: what a program may do on it, and the errors for what it may not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import gc
import logging
import random
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

import durable
from durable import Context
from durable._engine.attempt import Attempt
from durable._engine.loop import WorkflowLoop, WorkflowTask

from .harness import World, attempt_of, last_message


def failure_of(attempt: Attempt) -> Any:
    message = last_message(attempt)
    assert message.WhichOneof("message") == "attempt_failed", message
    return message.attempt_failed.failure


def held_with(attempt: Attempt) -> Any:
    """Returns the failure with which the program is held."""
    message = last_message(attempt)
    assert message.WhichOneof("message") == "held", message
    return message.held.failure


async def in_a_thread(ctx: Context) -> None:
    await asyncio.to_thread(print)


async def in_an_executor(ctx: Context) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, print)


async def a_connection(ctx: Context) -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def a_server(ctx: Context) -> None:
    await asyncio.start_server(print, "127.0.0.1", 0)


async def a_socket(ctx: Context) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        await asyncio.get_running_loop().sock_recv(ours, 1)


async def a_reader(ctx: Context) -> None:
    asyncio.get_running_loop().add_reader(0, print)


async def a_name(ctx: Context) -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def a_process(ctx: Context) -> None:
    await asyncio.create_subprocess_exec("true", stdout=subprocess.DEVNULL)


async def a_signal(ctx: Context) -> None:
    asyncio.get_running_loop().add_signal_handler(10, print)


async def a_wake_up_by_a_thread(ctx: Context) -> None:
    asyncio.get_running_loop().call_soon_threadsafe(print)


@pytest.mark.parametrize(
    "program",
    [
        in_a_thread,
        in_an_executor,
        a_connection,
        a_server,
        a_socket,
        a_reader,
        a_name,
        a_process,
        a_signal,
        a_wake_up_by_a_thread,
    ],
)
def test_the_error_for_reaching_outside_says_to_use_a_step(program: Any) -> None:
    failure = held_with(attempt_of(durable.workflow(program)))
    assert failure.type == "durable.NonDurableAwaitError"
    assert "wrap it in ctx.run" in failure.message


@pytest.mark.parametrize("grouped", [False, True])
def test_the_error_for_a_future_of_another_loop_says_to_use_a_step(grouped: bool) -> None:
    other = asyncio.new_event_loop()
    foreign = other.create_future()

    @durable.workflow
    async def program(ctx: Context) -> None:
        if grouped:

            async def child() -> None:
                await foreign

            async with asyncio.TaskGroup() as group:
                group.create_task(child())
        await foreign

    try:
        failure = held_with(attempt_of(program))
        if grouped:
            failure = failure.cause
        assert failure.type == "durable.NonDurableAwaitError"
        assert "wrap it in ctx.run" in failure.message
    finally:
        other.close()


def test_waiting_for_nothing_durable_is_an_error_and_not_a_hang() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.run("x", int, "1")
        await asyncio.Event().wait()

    world = World(program, attempts=1)
    end = world.run()
    assert end.failure is not None
    assert end.failure.type == "durable.NonDurableAwaitError"
    assert "nothing durable is open" in end.failure.message
    boundaries = len(world.history)
    assert world.fork(boundaries, attempts=1).run().failure == end.failure


def test_polling_is_an_error_and_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durable._engine.loop.CALLBACKS_MAX", 1000)

    @durable.workflow
    async def program(ctx: Context) -> None:
        while True:  # noqa: ASYNC110 - what this test is about
            await asyncio.sleep(0)

    failure = held_with(attempt_of(program))
    assert failure.type == "durable.NonDurableAwaitError"
    assert "1,000 callbacks" in failure.message


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, asyncio.CancelledError, BaseException])
@pytest.mark.parametrize("child", [False, True])
def test_no_exception_of_a_program_escapes_to_the_worker(kind: Any, child: bool) -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        async def raises() -> None:
            raise kind()

        await (asyncio.create_task(raises()) if child else raises())

    attempt = attempt_of(program)
    expected = "held" if kind is asyncio.CancelledError else "attempt_failed"
    assert last_message(attempt).WhichOneof("message") == expected


def test_a_callback_that_raises_fails_the_attempt() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await ctx.sleep(1)

    assert failure_of(attempt_of(program)).type == "ZeroDivisionError"


def test_the_loop_is_stepped_from_callbacks_and_leaves_the_real_one_as_it_was() -> None:
    seen: list[Any] = []

    @durable.workflow
    async def program(ctx: Context) -> None:
        seen.append(asyncio.get_running_loop())
        seen.append(durable.current_context() is ctx)

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        hooks = sys.get_asyncgen_hooks()

        def step() -> None:
            assert asyncio.current_task(loop) is None
            assert attempt_of(program).done
            assert asyncio.get_running_loop() is loop
            assert sys.get_asyncgen_hooks() == hooks
            done.set()

        loop.call_soon(step)
        await done.wait()
        with pytest.raises(LookupError):
            durable.current_context()

    asyncio.run(main())
    assert isinstance(seen[0], WorkflowLoop)
    assert seen[1] is True


def test_what_the_program_leaves_is_closed_without_a_warning(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tasks that are pending, do not end or never started, and failures that no code looked at."""
    closed: list[str] = []

    @durable.workflow
    async def program(ctx: Context) -> str:
        async def waits() -> None:
            try:
                await ctx.sleep(100)
            finally:
                closed.append("waits")

        async def stubborn() -> None:
            try:
                await ctx.sleep(100)
            finally:
                closed.append("stubborn")
                await ctx.run("too late", int)
                closed.append("never")

        async def fails() -> None:
            raise ValueError("nobody looks")

        held = [asyncio.create_task(it()) for it in (waits, stubborn, fails, waits)]
        await ctx.run("x", int)
        held.append(asyncio.create_task(waits()))
        asyncio.get_running_loop().create_future().set_exception(ValueError("nor at this"))
        return str(len(held))

    with caplog.at_level(logging.DEBUG):
        world = World(program)
        assert world.run().get() == "5"
        assert "too late" not in {name for _, name in world.executions}
        world.fork(0).attempt.abandon()
        del world
        gc.collect()
    assert sorted(closed) == ["stubborn"] * 2 + ["waits"] * 4
    assert not caplog.records
    assert capsys.readouterr() == ("", "")


def test_an_async_generator_that_is_dropped_is_closed_where_it_ran() -> None:
    where: list[Any] = []

    @durable.workflow
    async def program(ctx: Context) -> None:
        async def numbers() -> Any:
            try:
                yield 1
                yield 2
            finally:
                where.append(asyncio.get_running_loop())
                await ctx.run("too late", int)

        async for _ in numbers():
            break
        await ctx.run("x", int)

    async def main() -> None:
        done = asyncio.Event()

        def step() -> None:
            world = World(program)
            world.run()
            assert [name for _, name in world.executions] == ["x"]
            done.set()

        asyncio.get_running_loop().call_soon(step)
        await done.wait()

    asyncio.run(main())
    assert [type(it) for it in where] == [WorkflowLoop]


def test_a_step_cannot_have_operations_of_its_own() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.run("outer", lambda: ctx.run("inner", int))

    world = World(program, attempts=1)
    end = world.run()
    assert end.failure is not None
    assert end.failure.type == "durable.NonDurableAwaitError"
    assert "within a step" in end.failure.message

    @durable.workflow
    async def threaded(ctx: Context) -> None:
        caught: list[BaseException] = []

        def body() -> None:
            try:
                ctx.sleep(1)
            except BaseException as error:  # noqa: BLE001 - looked at below
                caught.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        raise caught[0]

    assert held_with(attempt_of(threaded)).type == "durable.NonDurableAwaitError"


def test_names_and_hashes_of_tasks_are_the_same_in_each_attempt() -> None:
    @durable.workflow
    async def program(ctx: Context) -> list[Any]:
        tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(3)]
        gathers = {asyncio.gather(tasks[0]), asyncio.gather(tasks[1])}
        names = [task.get_name() for task in [*tasks, asyncio.current_task()]]  # type: ignore[union-attr]
        return [names, [hash(it) for it in tasks], [hash(it) for it in gathers]]

    assert World(program).run().get() == World(program).run().get()


def test_as_completed_with_a_set_of_coroutines_is_refused() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        coroutine = asyncio.sleep(0, 1)
        try:
            for it in asyncio.as_completed({coroutine}):
                await it
        finally:
            coroutine.close()

    failure = held_with(attempt_of(program))
    assert failure.type == "durable.NonDurableAwaitError"
    assert "give it a list" in failure.message


async def test_as_completed_is_asyncios_own_on_other_loops() -> None:
    async def echo(value: int) -> int:
        await asyncio.sleep(0)
        return value

    found = [await it for it in asyncio.as_completed({echo(number) for number in range(5)})]
    assert sorted(found) == [0, 1, 2, 3, 4]
    alone = asyncio.sleep(0)
    with pytest.raises(TypeError):
        list(asyncio.as_completed(alone))  # type: ignore[arg-type]  # on purpose
    alone.close()
    (late,) = asyncio.as_completed([asyncio.sleep(30)], timeout=0.001)
    with pytest.raises(TimeoutError):
        await late


def test_many_attempts_at_once_do_not_slow_each_other_down() -> None:
    """Tasks of all attempts are in one set of asyncio's; they must not share a hash in there."""

    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.sleep(1)

    attempts = [attempt_of(program) for _ in range(300)]
    everywhere: Any = asyncio.tasks
    tasks = getattr(everywhere, "_scheduled_tasks", None) or everywhere._all_tasks
    # From Python 3.14 on they are in a list, which uses no hashes.
    held = [it for it in list(tasks.data) if isinstance(it(), WorkflowTask)]
    assert len({hash(it) for it in held}) >= len(held) * 0.9
    for attempt in attempts:
        attempt.abandon()


def test_time_is_the_journals() -> None:
    @durable.workflow
    async def program(ctx: Context) -> list[float]:
        loop = asyncio.get_running_loop()
        times = [ctx.time(), loop.time()]
        await ctx.sleep(10)
        return [*times, ctx.time(), ctx.now().timestamp()]

    world = World(program)
    times = world.run().get()
    assert times[0] == times[1] == 1_700_000_000.0
    assert times[2] == times[3] == times[0] + 10


def test_random_numbers_are_those_of_the_seed_and_a_copy_is_unguarded() -> None:
    @durable.workflow
    async def program(ctx: Context) -> list[Any]:
        rng = ctx.random
        copied = copy.copy(rng)
        drawn = [rng.random(), rng.randint(1, 99), rng.gauss(0, 1), rng.sample(range(99), 5)]
        borrowed = await ctx.run("copy", lambda: copied.random())
        return [*drawn, borrowed == drawn[0]]

    plain = random.Random(7)
    drawn = [plain.random(), plain.randint(1, 99), plain.gauss(0, 1), plain.sample(range(99), 5)]
    assert World(program).run().get() == [*drawn, True]
