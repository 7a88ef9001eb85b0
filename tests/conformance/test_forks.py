"""Forks as a client sees them: what is copied, what runs again, and what is edited."""

from __future__ import annotations

from typing import Any

import pytest

import durable

from .conftest import EVERYWHERE
from .effects import calls, effect
from .system import System

pytestmark = EVERYWHERE


@durable.workflow
async def child(ctx: durable.Context, number: int) -> int:
    return await ctx.run("double", lambda: 2 * number)


@durable.workflow
async def order(ctx: durable.Context, item: str) -> dict[str, Any]:
    """Has entries of most kinds before a wait, and says after it what it has got."""
    began, luck = ctx.now(), ctx.random.randrange(1_000_000)
    price = await ctx.run("price", effect, f"price of {item}")
    ctx.set("price", price)
    doubled = await ctx.options(partition_key="elsewhere").invoke(child, 7)
    try:
        await ctx.run("reserve", effect, f"reserve {item}")
    except durable.StepFailedError as error:
        return {"failed": str(error), "state": await ctx.get("price")}
    thing = await ctx.signal("go")
    paid = await ctx.promise("paid")
    own = await ctx.awakeable(f"stock for {ctx.invocation_id}")
    told = await ctx.run("tell", effect, f"told {price}")
    return {
        "began": began.isoformat(),
        "luck": luck,
        "price": price,
        "doubled": doubled,
        "thing": thing,
        "paid": paid,
        "own": own,
        "told": told,
        "state": await ctx.get("price"),
        "item": item,
    }


@durable.workflow
async def endless(ctx: durable.Context, count: int = 0) -> list[Any]:
    """Counts its runs in its state; the third one ends, after a signal."""
    ctx.set("runs", await ctx.get("runs", int, 0) + 1)
    luck = ctx.random.randrange(1_000_000)
    await ctx.run("step", effect, f"run {count}")
    if count < 2:
        ctx.continue_as(count + 1)
    go = await ctx.signal("go")
    return [count, await ctx.get("runs"), luck, go]


@durable.object("till")
class Till:
    @durable.handler
    async def add(self, ctx: durable.Context, amount: int) -> int:
        total: int = await ctx.get("total", int, 0) + amount
        ctx.set("total", total)
        await ctx.run("print", effect, f"total {total}")
        return total


WORKFLOWS: list[Any] = [child, order, endless, Till]


async def answered(system: System, invocation_id: str, thing: str) -> Any:
    """Gives an order what it waits for; returns its result."""
    client = system.client
    await client.signal(invocation_id, "go", thing)
    await client.resolve_awakeable(f"{invocation_id}.paid", f"paid {thing}")
    await client.resolve_awakeable(f"stock for {invocation_id}", f"stock {thing}")
    return (await client.get_result(invocation_id)).value()


async def test_a_fork_of_one_that_waits_goes_on_beside_it(system: System) -> None:
    source = await system.client.invoke_async(order, "tea")
    await system.journaled(source, 5)
    forked = await system.client.restart(
        source, from_index=4, outcomes={0: "free"}, while_running=True
    )
    both = [await answered(system, it, it[-4:]) for it in (source, forked)]
    for name in ("began", "luck", "doubled"):
        assert both[0][name] == both[1][name]
    assert [it["price"] for it in both] == ["price of tea", "free"]
    assert [it["state"] for it in both] == ["price of tea", "price of tea"]  # as it was written
    assert [it["thing"] for it in both] == [source[-4:], forked[-4:]]
    assert [it["paid"] for it in both] == [f"paid {source[-4:]}", f"paid {forked[-4:]}"]
    # What was copied was not done again.
    assert sorted(calls) == ["price of tea", "reserve tea", "told free", "told price of tea"]
    found = await system.client.get(forked)
    assert (found.source_invocation_id, found.source_index) == (source, 4)
    assert len((await system.client.query(handler="child")).invocations) == 1


async def test_signals_promises_and_awakeables_that_were_taken_are_copied(system: System) -> None:
    source = await system.client.invoke_async(order, "tea")
    first = await answered(system, source, "A")
    whole = await system.client.restart(source, from_index=8, input="tea")
    again = (await system.client.get_result(whole)).value()
    assert again == first
    edited = await system.client.restart(source, from_index=7, outcomes={4: "B", 5: {"euro": 3}})
    again = (await system.client.get_result(edited)).value()
    assert (again["thing"], again["paid"], again["own"]) == ("B", {"euro": 3}, "stock A")


async def test_a_failure_and_another_input(system: System) -> None:
    source = await system.client.invoke_async(order, "tea")
    await system.journaled(source, 5)
    forked = await system.client.restart(
        source, from_index=4, failures={3: "no stock"}, input="milk", while_running=True
    )
    result = (await system.client.get_result(forked)).value()
    assert result == {"failed": "reserve: durable.Edited: no stock", "state": "price of tea"}
    assert calls == ["price of tea", "reserve tea"]
    assert (await system.client.get(source)).status in ("running", "suspended")


async def test_a_child_keeps_its_outcome_or_gets_another_one(system: System) -> None:
    source = await system.client.invoke_async(order, "tea")
    first = await answered(system, source, "A")
    assert first["doubled"] == 14
    forked = await system.client.restart(source, from_index=8, outcomes={2: 99})
    assert (await system.client.get_result(forked)).value()["doubled"] == 99
    # Before the child's entry: it is started anew, by another parent.
    forked = await system.client.restart(source, from_index=2)
    assert (await answered(system, forked, "B"))["doubled"] == 14
    assert len((await system.client.query(handler="child")).invocations) == 2


async def test_a_fork_of_a_later_run_goes_on_in_that_run(system: System) -> None:
    source = await system.client.invoke_async(endless)
    await calls.reached(3)
    await system.journaled(source, 4)
    found = await system.client.get(source)
    first = found.message.first_index
    assert first > 0
    forked = await system.client.restart(
        source, from_index=first + 3, outcomes={first: 41}, while_running=True
    )
    again = await system.client.restart(source, while_running=True)
    ends = []
    for one in (source, forked, again):
        await system.client.signal(one, "go", "now")
        ends.append((await system.client.get_result(one)).value())
    assert [it[0] for it in ends] == [2, 2, 2]
    assert ends[0][1:] == ends[1][1:]
    assert ends[2][1] == 3  # the state that the run had begun with, and one more
    assert ends[2][2] != ends[0][2]
    assert calls == ["run 0", "run 1", "run 2", "run 2"]
    with pytest.raises(durable.InvalidArgumentError, match=f"has the entries {first} to"):
        await system.client.restart(source, from_index=first)


async def test_the_state_of_an_object_is_not_rolled_back(system: System) -> None:
    till = system.client.options(key="one")
    source = await till.invoke_async(Till.add, 5)
    assert (await system.client.get_result(source)).value() == 5
    # It read 0 and wrote 5. The copied write is not made again, and what it read can be edited.
    forked = await system.client.restart(source, from_index=2, outcomes={0: 100})
    assert (await system.client.get_result(forked)).value() == 105
    assert await system.client.get_state(object="till", key="one") == {"total": 5}


async def test_a_kill_after_a_fork(system: System) -> None:
    source = await system.client.invoke_async(order, "tea")
    await system.journaled(source, 5)
    forked = await system.client.restart(
        source, from_index=4, outcomes={0: "free"}, while_running=True
    )
    await system.journaled(forked, 5)
    await system.kill()
    await system.employ()
    assert (await answered(system, forked, "A"))["told"] == "told free"
    assert (await answered(system, source, "B"))["told"] == "told price of tea"
    assert sorted(calls) == ["price of tea", "reserve tea", "told free", "told price of tea"]
