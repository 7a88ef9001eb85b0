"""Virtual objects: order on a key, state of any size, and the state after a failure."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import durable
from durable import Context
from tests.support.waiting import eventually

from .effects import calls, effect
from .system import System

AT_ONCE = durable.RetryPolicy(initial_interval=timedelta(milliseconds=1), max_attempts=4)


@durable.object("list")
class Appended:
    """A list for each key."""

    @durable.handler
    async def append(self, ctx: Context, item: int) -> int:
        """Adds an item."""
        items = await ctx.get("items", list, [])
        ctx.set("items", [*items, item])
        return len(items)

    @durable.handler
    async def take_all(self, ctx: Context) -> list[int]:
        """Gives all items and forgets them."""
        items = await ctx.get("items", list, [])
        ctx.clear("items")
        return items


@durable.workflow
async def mixed(ctx: Context, key: str, one_way: list[bool]) -> None:
    """Appends its numbers in order, by one-way calls or by calls that it awaits at the end."""
    appended = []
    for number, sends in enumerate(one_way):
        view = ctx.options(key=key)
        appended.append(
            view.send(Appended.append, number) if sends else view.invoke(Appended.append, number)
        )
    for it in appended:
        await it


@durable.workflow
async def many_sends(ctx: Context, key: str, count: int) -> None:
    for number in range(count):
        ctx.options(key=key).send(Appended.append, number)


@durable.workflow
async def many_keys(ctx: Context, keys: list[str], count: int) -> None:
    for number in range(count):
        for key in keys:
            await ctx.options(key=key).send(Appended.append, number)


@durable.object("record")
class Record:
    """State of many sizes."""

    @durable.handler(retry=AT_ONCE)
    async def set_then_fail(self, ctx: Context, value: str) -> None:
        """Sets a value and fails for good."""
        ctx.set("value", value)
        raise durable.TerminalError("after the set")

    @durable.handler(retry=AT_ONCE)
    async def set_then_stumble(self, ctx: Context, value: int) -> list[Any]:
        """Sets values and fails twice before it succeeds: what was set is set once."""
        ctx.set("n", await ctx.get("n", int, 0) + value)
        ctx.set(f"attempt {value}", "set")
        await ctx.run("count", effect, "attempt")
        ctx.clear("gone")
        if ctx.attempt < 3:
            raise RuntimeError("not yet")
        return [await ctx.get("n", int), await ctx.state_keys()]

    @durable.handler
    async def fill(self, ctx: Context, count: int, size: int) -> list[int]:
        """Sets many large values; reads some of them back in the same turn."""
        for number in range(count):
            ctx.set(f"large {number:02}", f"{number:02}" * (size // 2))
        ctx.set("small", 1)
        first = await ctx.get("large 00", str, "")
        return [len(first), len(await ctx.state_keys())]

    @durable.handler
    async def sizes(self, ctx: Context) -> dict[str, int]:
        """Reads everything, with a change and a removal between the reads."""
        found: dict[str, int] = {}
        for name in await ctx.state_keys():
            found[name] = len(str(await ctx.get(name)))
        ctx.set("large 00", "new")
        ctx.clear("large 01")
        await ctx.sleep(0.01)
        found["large 00 anew"] = len(await ctx.get("large 00", str, ""))
        found["large 01 gone"] = len(await ctx.get("large 01", str, ""))
        return found

    @durable.shared
    async def look(self, ctx: Context, name: str) -> Any:
        """Reads a value beside a writer."""
        return await ctx.get(name)

    @durable.handler
    async def empty(self, ctx: Context) -> list[Any]:
        """Clears the state, sets one value, and returns the keys."""
        ctx.clear_all()
        ctx.set("new", None)
        keys = await ctx.state_keys()
        return [keys, await ctx.get("new"), await ctx.get("small", int, -1)]

    @durable.handler
    async def hold(self, ctx: Context) -> None:
        """Keeps the object's lock until it gets a signal."""
        ctx.set("value", "held")
        await ctx.run("begin", effect, "holds")
        await ctx.signal("go")

    @durable.shared
    async def release(self, ctx: Context, holder: str) -> None:
        """Lets a holder go, from beside it."""
        await ctx.send_signal(holder, "go")


WORKFLOWS = [Appended, mixed, many_sends, many_keys, Record]


@pytest.mark.parametrize(
    "one_way",
    [
        [True, False, False],
        [False, True, False],
        [True, True, False],
        [number % 3 == 0 for number in range(50)],
    ],
    ids=str,
)
async def test_calls_to_one_key_keep_their_order(system: System, one_way: list[bool]) -> None:
    await system.client.invoke(mixed, "k", one_way)
    items = await system.client.options(key="k").invoke(Appended.take_all)
    assert items == list(range(len(one_way)))


async def taken(system: System, key: str, count: int) -> list[int]:
    """Takes items until there were so many: sends to another partition may still be on their way."""
    items: list[int] = []

    async def complete() -> bool:
        items.extend(await system.client.options(key=key).invoke(Appended.take_all))
        return len(items) >= count

    await eventually(complete)
    return items


async def test_a_loop_of_sends_to_one_key_keeps_its_order(system: System) -> None:
    await system.client.invoke(many_sends, "k", 300)
    assert await taken(system, "k", 300) == list(range(300))


async def test_each_key_has_an_order_of_its_own(system: System) -> None:
    keys = ["ключ", "k/with#odd?signs", " ", "k" * 256]
    await system.client.invoke(many_keys, keys, 20)
    for key in keys:
        assert await taken(system, key, 20) == list(range(20))


@pytest.mark.parametrize(
    ("key", "status", "problem"),
    [
        ("", "paused", "list.append is a keyed handler; say which key it is for"),
        ("к" * 129, "paused", "a key has 258 bytes, and the limit is at most 256 bytes"),
        ("a\0b", "paused", "a key has a NUL character; leave it out of 'a\\x00b'"),
    ],
    ids=["none", "too long", "NUL"],
)
async def test_an_invalid_key_is_refused(
    system: System, key: str, status: str, problem: str
) -> None:
    """It waits, visibly, for code that gives another one."""
    invocation_id = await system.client.invoke_async(many_keys, [key], 1)
    await system.until(invocation_id, status)
    found = await system.client.get(invocation_id)
    assert found.message.last_failure.message.startswith(problem)
    assert found.journal == []


async def test_what_was_set_before_a_failure_stays(system: System) -> None:
    record = system.client.options(key="k")
    with pytest.raises(durable.InvocationFailedError, match="after the set"):
        await record.invoke(Record.set_then_fail, "kept")
    assert await record.invoke(Record.look, "value") == "kept"


async def test_what_a_failed_attempt_has_set_is_not_set_again(system: System) -> None:
    record = system.client.options(key="k")
    assert await record.invoke(Record.set_then_stumble, 5) == [5, ["attempt 5", "n"]]
    assert await record.invoke(Record.set_then_stumble, 2) == [7, ["attempt 2", "attempt 5", "n"]]
    assert calls == ["attempt"] * 2


@pytest.mark.parametrize(("count", "size"), [(40, 4_000), (3, 400_000), (1, 1_000_000)])
async def test_state_beyond_what_travels(system: System, count: int, size: int) -> None:
    record = system.client.options(key="k")
    assert await record.invoke(Record.fill, count, size) == [size, count + 1]
    sizes = await record.invoke(Record.sizes)
    expected = {f"large {number:02}": size for number in range(count)} | {"small": 1}
    assert sizes == expected | {"large 00 anew": 3, "large 01 gone": 0}
    assert await record.invoke(Record.look, "large 00") == "new"
    assert await record.invoke(Record.empty) == [["new"], None, -1]


async def test_a_shared_handler_runs_while_the_lock_is_held(system: System) -> None:
    """It sees what the lock's holder has set so far, and can make it finish."""
    record = system.client.options(key="k")
    holder = await record.invoke_async(Record.hold)
    await calls.reached(1)
    await system.journaled(holder, 2)
    waiting = asyncio.ensure_future(record.invoke(Record.empty))
    assert await record.invoke(Record.look, "value") == "held"
    await record.invoke(Record.release, holder)
    assert (await waiting)[0] == ["new"]
