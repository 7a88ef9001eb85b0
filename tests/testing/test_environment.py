"""Virtual time: what follows the clock, in which order, and that no timer is skipped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import durable
import durable.testing
from durable_server.local import LocalPlane

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
fired: list[tuple[str, float]] = []


@durable.workflow
async def month(ctx: durable.Context, note: str = "") -> list[str]:
    began = ctx.now()
    await ctx.sleep(30 * DAY)
    return [began.isoformat(), ctx.now().isoformat()]


@durable.workflow
async def alarms(ctx: durable.Context, name: str, hours: list[float]) -> None:
    for hour in hours:
        await ctx.sleep(hour * 3600)
        passed = (ctx.now() - START).total_seconds() / 3600
        await ctx.run("note", lambda at=passed: fired.append((name, at)))


@durable.workflow(
    retry=durable.RetryPolicy(
        initial_interval=timedelta(hours=1), max_interval=timedelta(hours=1), max_attempts=5
    )
)
async def stubborn(ctx: durable.Context) -> str:
    attempts = len(fired)
    fired.append(("attempt", 0))
    if attempts < 3:
        raise ValueError("not yet")
    return "done"


@durable.workflow(timeout=timedelta(days=2))
async def waits(ctx: durable.Context) -> Any:
    return await ctx.awakeable(f"answer-{ctx.invocation_id}")


@durable.workflow
async def asks(ctx: durable.Context) -> Any:
    return await ctx.awakeable("asked")


@durable.workflow
async def in_time(ctx: durable.Context) -> Any:
    try:
        async with asyncio.timeout(3600):
            return await ctx.awakeable(f"answer-{ctx.invocation_id}")
    except TimeoutError:
        return "late"


@durable.workflow
async def sends(ctx: durable.Context) -> str:
    return await ctx.send_delayed(month, "later", timedelta(hours=5))


@durable.workflow
async def slow_step(ctx: durable.Context, kind: str) -> str:
    def blocking() -> str:
        time.sleep(0.05)
        return kind

    async def waiting() -> str:
        await asyncio.sleep(0.05)
        return kind

    async with asyncio.timeout(10):
        return await ctx.run("step", blocking if kind == "thread" else waiting)


@durable.workflow(retention=timedelta(hours=3))
async def brief(ctx: durable.Context) -> str:
    return "here"


ALL = (month, alarms, stubborn, waits, asks, in_time, sends, slow_step, brief)


@pytest.fixture(autouse=True)
def only_when_idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checks that no callback is scheduled on the event loop whenever the clock is advanced.

    Callbacks of the loop's timers do not count: grace periods and the timeouts of calls are in real
    time, so that one of them may be due at that moment by chance.
    """
    fired.clear()
    move = LocalPlane.move
    scheduled: dict[asyncio.Handle, tuple[asyncio.AbstractEventLoop, str]] = {}
    left: list[str] = []

    def track(name: str) -> None:
        schedule = getattr(asyncio.BaseEventLoop, name)

        def tracked(
            loop: Any, callback: Callable[..., object], *args: Any, context: Any = None
        ) -> asyncio.Handle:
            def run() -> None:
                del scheduled[handle]
                callback(*args)

            handle: asyncio.Handle = schedule(loop, run, context=context)
            scheduled[handle] = loop, f"{callback} {args}"
            return handle

        monkeypatch.setattr(asyncio.BaseEventLoop, name, tracked)

    def checked(self: LocalPlane, to_ms: int) -> bool:
        here = asyncio.get_running_loop()
        left.extend(
            text
            for handle, (loop, text) in list(scheduled.items())
            if loop is here and not handle.cancelled()
        )
        return move(self, to_ms)

    track("call_soon")
    monkeypatch.setattr(LocalPlane, "move", checked)
    yield
    assert not left


@pytest.fixture(params=["never", "always"])
async def env(request: pytest.FixtureRequest) -> AsyncIterator[durable.testing.AsyncEnvironment]:
    async with durable.testing.AsyncEnvironment(start=START, suspend=request.param) as made:
        await made.register(*ALL)
        yield made


async def test_a_month_passes_at_once(env: durable.testing.AsyncEnvironment) -> None:
    began, ended = await env.client.invoke(month)
    assert datetime.fromisoformat(began) == START
    assert datetime.fromisoformat(ended) == START + 30 * DAY == env.now()


async def test_timers_fire_in_their_order(env: durable.testing.AsyncEnvironment) -> None:
    await asyncio.gather(
        env.client.invoke(alarms, "a", [1, 3, 0.5]),
        env.client.invoke(alarms, "b", [2, 1, 9]),
        env.client.invoke(alarms, "c", [0.25] * 8),
    )
    every = [("c", number / 4) for number in range(1, 9)]
    assert sorted(fired, key=lambda it: it[1]) == fired
    assert sorted(fired) == sorted(
        [("a", 1.0), ("a", 4.0), ("a", 4.5), ("b", 2.0), ("b", 3.0), ("b", 12.0), *every]
    )


async def test_retries_follow_the_clock(env: durable.testing.AsyncEnvironment) -> None:
    assert await env.client.invoke(stubborn) == "done"
    assert timedelta(hours=1) < env.now() - START <= timedelta(hours=3)


async def test_deadlines_follow_the_clock(env: durable.testing.AsyncEnvironment) -> None:
    with pytest.raises(durable.InvocationFailedError, match="TimedOut"):
        await env.client.invoke(waits)
    assert env.now() == START + 2 * DAY
    assert await env.client.invoke(in_time) == "late"


async def test_delayed_work_follows_the_clock(env: durable.testing.AsyncEnvironment) -> None:
    sent = await env.client.invoke(sends)
    assert env.now() == START
    _, ended = (await env.client.get_result(sent, month)).value()
    assert datetime.fromisoformat(ended) == START + timedelta(hours=5) + 30 * DAY
    at = env.now() + DAY
    _, ended = await env.client.options(start_time=at).invoke(month)
    assert datetime.fromisoformat(ended) == at + 30 * DAY


async def test_time_stands_still_while_no_call_waits_for_a_result(
    env: durable.testing.AsyncEnvironment,
) -> None:
    invocation_id = await env.client.invoke_async(in_time)
    await env.settle()
    assert env.now() == START
    await env.client.resolve_awakeable(f"answer-{invocation_id}", "soon")
    assert (await env.client.get_result(invocation_id)).value() == "soon"
    # Its timer has no effect any more, and does not advance the clock either.
    other = asyncio.create_task(env.client.invoke(asks))
    await env.settle()
    assert env.now() == START
    await env.client.resolve_awakeable("asked", "now")
    assert await other == "now"


async def test_time_waits_for_steps(env: durable.testing.AsyncEnvironment) -> None:
    assert await env.client.invoke(slow_step, "task") == "task"
    assert await env.client.invoke(slow_step, "thread") == "thread"
    assert env.now() == START


async def test_retention_follows_the_clock(env: durable.testing.AsyncEnvironment) -> None:
    invocation_id = await env.client.invoke_async(brief)
    await env.advance(timedelta(hours=2))
    assert (await env.client.get(invocation_id)).status == "completed"
    await env.advance(3601)
    with pytest.raises(durable.NotFoundError):
        await env.client.get(invocation_id)


async def test_advancing_by_hand() -> None:
    async with durable.testing.AsyncEnvironment(start=START, skip_time=False) as env:
        await env.register(*ALL)
        work = asyncio.create_task(env.client.invoke(alarms, "a", [1, 1, 1]))
        await env.settle()
        assert fired == []
        await env.advance(timedelta(minutes=59))
        assert fired == []
        await env.advance(timedelta(minutes=61))
        assert fired == [("a", 1.0), ("a", 2.0)]
        assert env.now() == START + timedelta(hours=2)
        await env.advance(DAY)
        await work
        assert fired[-1] == ("a", 3.0)
        with pytest.raises(ValueError, match=r"by is .* must be 0 or more"):
            await env.advance(-DAY)


async def test_an_environment_without_workflows_has_its_time_too() -> None:
    async with durable.testing.AsyncEnvironment(start=START) as env:
        await env.settle()
        await env.advance(DAY)
        assert env.now() == START + DAY


async def test_many_at_once(env: durable.testing.AsyncEnvironment) -> None:
    found = await asyncio.gather(*(env.client.invoke(month) for _ in range(200)))
    assert {datetime.fromisoformat(ended) for _, ended in found} == {START + 30 * DAY}


def test_without_asyncio() -> None:
    with durable.testing.Environment(start=START) as env:
        env.register(*ALL)
        assert datetime.fromisoformat(env.client.invoke(month)[1]) == START + 30 * DAY
        invocation_id = env.client.invoke_async(waits)
        env.settle()
        env.advance(DAY)
        env.client.resolve_awakeable(f"answer-{invocation_id}", 7)
        assert env.client.get_result(invocation_id).value() == 7
        assert env.now() == START + 31 * DAY
    assert not [it for it in threading.enumerate() if it.name == "durable-client"]


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="start must have a time zone"):
        durable.testing.Environment(start=datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="suspend must be"):
        durable.testing.Environment(suspend="sometimes")  # type: ignore[arg-type]


@durable.workflow
async def tells_time(ctx: durable.Context) -> datetime:
    return ctx.now()


async def test_a_delayed_workflow_begins_at_its_time() -> None:
    """Its clock shows the time at which it was due, the same in every attempt."""
    async with durable.testing.AsyncEnvironment(suspend="always") as env:
        await env.register(tells_time)
        asked = env.now()
        assert await env.client.options(delay=3600).invoke(tells_time) == asked + timedelta(hours=1)
