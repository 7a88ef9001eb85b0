"""The decision table of docs/deploying.md: each change of code meets a journal, and is held or goes on.

A row of the table is a class here: `before` is the code that a running invocation has begun with, and
`after` the code that goes on with it. All rows run at once, in one system; a test for each says what
came of it, and that the table says the same.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import durable
from durable import Context
from tests.support.repository import ROOT
from tests.support.waiting import eventually

from .system import LocalSystem

Code = Callable[..., Awaitable[Any]]

GOES_ON: Final = "goes on"
HELD: Final = "is held"
WAITS: Final = "waits"


class Row(NamedTuple):
    """A change of code, and what happens to an invocation that has begun with the code before it."""

    changed: str
    """The first cell of the row."""
    happens: str
    """The second cell."""
    before: Code
    after: Code
    """Served under the same name, unless it has a `handler` of its own."""
    given: Any
    """The input; None for none."""
    end: Any
    """The result, if it goes on; the type of the failure if it is held."""
    options: Mapping[str, Any]
    """Options of the decorator after the change."""


ROWS: Final[list[Row]] = []


def row(
    changed: str, happens: str, end: Any, *, given: Any = None, **options: Any
) -> Callable[[type], type]:
    """Makes a row of a class with `before` and `after`."""

    def add(it: Any) -> type:
        ROWS.append(Row(changed, happens, it.before, it.after, given, end, options))
        return it  # type: ignore[no-any-return]

    return add


released: Final = threading.Event()
"""Lets a step end after a later one."""
DETERMINISM: Final = "durable.DeterminismError"
UNREADABLE: Final = "durable.CodecError"


@row("a step's body, its arguments, or code between the operations", GOES_ON, 11)
class Body:
    async def before(ctx: Context) -> int:
        one = await ctx.run("one", lambda: 1)
        await ctx.signal("go")
        return one + await ctx.run("two", lambda: 2)

    async def after(ctx: Context) -> int:
        one = await ctx.run("one", lambda: 5)
        await ctx.signal("go")
        return one + await ctx.run("two", lambda: 10)


@row("added a step after all that the journal has", GOES_ON, "added")
class AddedLater:
    async def before(ctx: Context) -> str:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")
        return "before"

    async def after(ctx: Context) -> str:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")
        return await ctx.run("added", lambda: "added")


@row("added a step before something that the journal has", HELD, DETERMINISM)
class AddedInTheMiddle:
    async def before(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.run("added", lambda: 2)
        await ctx.signal("go")


@row("the same within `if ctx.patched(...)`", GOES_ON, "without")
class Patched:
    async def before(ctx: Context) -> str:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")
        return "without"

    async def after(ctx: Context) -> str:
        await ctx.run("one", lambda: 1)
        patched = ctx.patched("add-step")
        if patched:
            await ctx.run("added", lambda: 2)
        await ctx.signal("go")
        return "with" if patched else "without"


@row(
    "rolled that back: the code without `patched` meets a journal with the patch", HELD, DETERMINISM
)
class RolledBack:
    before = Patched.after
    after = Patched.before


@row("removed a step that the journal has", HELD, DETERMINISM)
class Removed:
    async def before(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.run("two", lambda: 2)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")


@row("removed a step that the journal does not have yet", GOES_ON, "removed")
class RemovedLater:
    async def before(ctx: Context) -> str:
        await ctx.signal("go")
        return await ctx.run("one", lambda: "one")

    async def after(ctx: Context) -> str:
        await ctx.signal("go")
        return "removed"


@row("renamed a step, a signal or an awakeable", HELD, DETERMINISM)
class Renamed:
    async def before(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("first", lambda: 1)
        await ctx.signal("go")


@row("reordered steps", HELD, DETERMINISM)
class Reordered:
    async def before(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.run("two", lambda: 2)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("two", lambda: 2)
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")


@row("steps one after another made concurrent (`gather`)", GOES_ON, 3)
class Concurrent:
    async def before(ctx: Context) -> int:
        both = await ctx.run("one", lambda: 1) + await ctx.run("two", lambda: 2)
        await ctx.signal("go")
        return both

    async def after(ctx: Context) -> int:
        both = sum(await asyncio.gather(ctx.run("one", lambda: 1), ctx.run("two", lambda: 2)))
        await ctx.signal("go")
        return both


@row("concurrent steps made one after another, and the later one ended first", HELD, DETERMINISM)
class Sequential:
    async def before(ctx: Context) -> None:
        one = ctx.run("one", released.wait)
        await ctx.run("two", lambda: 2)
        released.set()
        await one
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("one", released.wait)
        await ctx.run("two", lambda: 2)
        await ctx.signal("go")


@row("an operation made one of another kind, such as a step a child", HELD, DETERMINISM)
class AnotherKind:
    async def before(ctx: Context) -> None:
        await ctx.sleep(0.001)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")


@row("added, removed or moved `ctx.get`, `ctx.set` or `ctx.clear`", HELD, DETERMINISM)
class State:
    async def before(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.run("one", lambda: 1)
        ctx.set("seen", value=True)
        await ctx.signal("go")


@row("a condition, so that the recorded results take another branch", HELD, DETERMINISM)
class Branch:
    async def before(ctx: Context) -> None:
        if await ctx.run("price", lambda: 50) > 10:
            await ctx.run("approve", lambda: 1)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        if await ctx.run("price", lambda: 50) > 100:
            await ctx.run("approve", lambda: 1)
        await ctx.signal("go")


@row("the time of a sleep or a timeout", GOES_ON, "slept")
class Sleep:
    async def before(ctx: Context) -> str:
        slept = ctx.sleep(0.001)
        await ctx.signal("go")
        await slept
        return "slept"

    async def after(ctx: Context) -> str:
        slept = ctx.sleep(3600)
        await ctx.signal("go")
        await slept
        return "slept"


@row("a retry policy, of a step or the handler", GOES_ON, 1)
class Retry:
    async def before(ctx: Context) -> int:
        one = await ctx.run("one", lambda: 1)
        await ctx.signal("go")
        return one

    async def after(ctx: Context) -> int:
        retry = durable.RetryPolicy(max_attempts=2)
        one = await ctx.options(retry=retry).run("one", lambda: 1)
        await ctx.signal("go")
        return one


@row("the handler's timeout, retention or `max_concurrent`", GOES_ON, "done", timeout=100)
class Options:
    async def before(ctx: Context) -> str:
        await ctx.signal("go")
        return "done"

    after = before


@row("the input of a child or a call", GOES_ON, "child 1")
class ChildInput:
    async def before(ctx: Context) -> str:
        got = await ctx.invoke(child, 1)
        await ctx.signal("go")
        return got

    async def after(ctx: Context) -> str:
        got = await ctx.invoke(child, 2)
        await ctx.signal("go")
        return got


@row("which handler a child is of, or which method a call has", HELD, DETERMINISM)
class ChildHandler:
    async def before(ctx: Context) -> None:
        await ctx.invoke(child, 1)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        await ctx.invoke(another_child, 1)
        await ctx.signal("go")


@dataclass
class Order:
    item: str


@dataclass
class OrderWithDefault:
    item: str
    count: int = 1


@dataclass
class OrderWithout:
    item: str
    count: int


@row("the input's type: added a field with a default", GOES_ON, "tea 1", given={"item": "tea"})
class FieldWithDefault:
    async def before(ctx: Context, order: Order) -> str:
        await ctx.signal("go")
        return order.item

    async def after(ctx: Context, order: OrderWithDefault) -> str:
        await ctx.signal("go")
        return f"{order.item} {order.count}"


@row(
    "the input's type: added a field without a default, renamed one, or changed its type",
    HELD,
    UNREADABLE,
    given={"item": "tea"},
)
class FieldWithoutDefault:
    async def before(ctx: Context, order: Order) -> str:
        await ctx.signal("go")
        return order.item

    async def after(ctx: Context, order: OrderWithout) -> str:
        await ctx.signal("go")
        return f"{order.item} {order.count}"


@row(
    "the type of a step's result, so that a recorded one does not fit",
    HELD,
    UNREADABLE,
)
class ResultType:
    async def before(ctx: Context) -> None:
        async def one() -> str:
            return "text"

        await ctx.run("one", one)
        await ctx.signal("go")

    async def after(ctx: Context) -> None:
        async def one() -> int:
            return 1

        await ctx.run("one", one)
        await ctx.signal("go")


@row("renamed the handler", WAITS, None, name="renamed")
class RenamedHandler:
    async def before(ctx: Context) -> str:
        await ctx.signal("go")
        return "done"

    after = before


@row("renamed the function and kept the handler's name (`name=`)", GOES_ON, "done")
class RenamedFunction:
    async def before(ctx: Context) -> str:
        await ctx.signal("go")
        return "done"

    after = before


@durable.workflow
async def child(ctx: Context, number: int) -> str:
    return f"child {number}"


@durable.workflow
async def another_child(ctx: Context, number: int) -> str:
    return f"another {number}"


def workflows(version: str) -> list[durable.Workflow[..., Any]]:
    """Returns what a worker serves before or after the changes."""
    made: list[durable.Workflow[..., Any]] = [child, another_child]
    for number, it in enumerate(ROWS):
        code: Any = it.before if version == "before" else it.after
        options = {"name": f"row-{number}", "version": version}
        made.append(
            durable.workflow(**options | dict(it.options if version == "after" else {}))(code)
        )
    return made


async def deploy(folder: Path) -> list[tuple[str, Any]]:
    """Runs all rows: before, to a wait; after, to an end. Returns what happens and the end of each."""
    system = LocalSystem(folder, 0.0, workflows("before"))
    await system.open()
    try:
        client = system.client
        ids = [
            await client.invoke_async(f"row-{number}", *(() if it.given is None else (it.given,)))
            for number, it in enumerate(ROWS)
        ]
        for it in ids:
            await eventually(lambda it=it: waiting(client, it))  # type: ignore[misc]
        await system.kill()
        system.workflows = workflows("after")
        await system.employ()
        for it in ids:
            await client.signal(it, "go")
        return [await ended(client, it, number) for number, it in enumerate(ids)]
    finally:
        await system.close()


async def waiting(client: durable.AsyncClient, invocation_id: str) -> bool:
    found = await client.get(invocation_id)
    assert not found.finished
    assert found.status != "paused", found.failure
    return found.status == "suspended" and any(it.name == "go" for it in found.journal)


async def ended(client: durable.AsyncClient, invocation_id: str, number: int) -> tuple[str, Any]:
    if ROWS[number].happens == WAITS:
        found = await client.get(invocation_id)
        return (WAITS if found.status == "pending" else found.status, None)
    result = await client.get_result(invocation_id)
    if result.status == "paused":
        assert result.failure is not None
        return HELD, result.failure.type
    if result.status == "failed":
        assert result.failure is not None
        return "fails", result.failure.type
    return GOES_ON, result.value()


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Any]]:
    return asyncio.run(deploy(tmp_path_factory.mktemp("code")))


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[it.changed for it in ROWS])
def test_a_change(number: int, ends: list[tuple[str, Any]]) -> None:
    assert ends[number] == (ROWS[number].happens, ROWS[number].end)


def test_the_table_says_what_happens() -> None:
    text = (ROOT / "docs" / "deploying.md").read_text()
    table = text.partition("<!-- tests/conformance/test_code_changes.py -->")[2].partition("\n\n")[
        0
    ]
    cells = re.findall(r"^\| (.*?) \| (.*?) \| .* \|$", table, re.MULTILINE)
    assert [it for it in cells if set(it[0]) != {"-"}][1:] == [
        (it.changed, it.happens) for it in ROWS
    ]
