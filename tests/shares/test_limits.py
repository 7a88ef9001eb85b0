"""`max_concurrent` of a handler whose invocations run in partitions of several nodes."""

from __future__ import annotations

import random

import pytest

from durable_server.core import ids
from durable_server.core.model import Handler
from tests.support.waiting import eventually

from .conftest import COUNT
from .nodes import System

LIMIT = 3


def handler_of(home: int, limit: int = LIMIT) -> Handler:
    """Returns a handler whose limit belongs to the leader of this partition."""
    names = (f"handler-{number}" for number in range(1000))
    name = next(it for it in names if ids.object_partition(it, COUNT) == home)
    return Handler(name, max_concurrent=limit)


async def three_nodes(system: System, *handlers: Handler) -> None:
    for name, partitions in (("a", (0, 1)), ("b", (2, 3)), ("c", (4, 5))):
        await system.add(name, *partitions)
    for node in system.nodes.values():
        await node.connect(100, list(handlers))


async def end_all(system: System, ended: int) -> None:
    """Ends what runs, in any order, until so many invocations have ended."""
    rng = random.Random(ended)
    while system.ended < ended:
        await eventually(lambda: system.running)
        await system.end(rng.choice(list(system.running)))


@pytest.mark.parametrize("home", [0, 4])
async def test_a_limit_is_used_fully_and_never_exceeded(system: System, home: int) -> None:
    handler = handler_of(home)
    await three_nodes(system, handler, Handler("free"))
    for partition in range(COUNT):
        await system.invoke(partition, handler.name, 4)
        await system.invoke(partition, "free", 4)
    await eventually(lambda: system.counts() == {handler.name: LIMIT, "free": 4 * COUNT})
    while system.ended < 8 * COUNT - LIMIT:
        # Whoever waits, and wherever it is: the limit is used fully again and again.
        await eventually(lambda: system.counts()[handler.name] == LIMIT)
        await system.end(next(iter(system.running)))
    await end_all(system, 8 * COUNT)
    assert system.most[handler.name] == LIMIT


async def test_one_node_gets_the_whole_limit_and_another_one_its_part_of_it(system: System) -> None:
    handler = handler_of(0, 4)
    await three_nodes(system, handler)
    await system.invoke(2, handler.name, 50)
    await eventually(lambda: system.places() == {"b": 4})
    await system.invoke(4, handler.name, 50)
    # The owner hears of what waits on c while b starts the next ones.
    while system.places() != {"b": 2, "c": 2}:
        assert system.ended < 40
        await system.end(next(it for it in system.running if system.place(it) == "b"))
        await eventually(lambda: system.counts()[handler.name] == 4)
    for _ in range(20):
        await system.end(next(iter(system.running)))
        await eventually(lambda: system.places() == {"b": 2, "c": 2})
    await end_all(system, 100)
    assert system.most[handler.name] == 4


async def test_a_limit_of_one_goes_round(system: System) -> None:
    handler = handler_of(3, 1)
    await three_nodes(system, handler)
    for partition in (0, 2, 4):
        await system.invoke(partition, handler.name, 4)
    seen = []
    for _ in range(6):
        await eventually(lambda: system.running)
        seen += map(system.place, system.running)
        await system.end(next(iter(system.running)))
    assert set(seen[:3]) == set(seen[3:]) == {"a", "b", "c"}
    await end_all(system, 12)
    assert system.most[handler.name] == 1


async def test_a_limit_holds_while_partitions_move(system: System) -> None:
    handlers = [handler_of(home) for home in (0, 3)]
    await three_nodes(system, *handlers)
    rng = random.Random(1)
    for partition in range(COUNT):
        for handler in handlers:
            await system.invoke(partition, handler.name, 8)
    for _ in range(12):
        for _ in range(3):
            await eventually(lambda: system.running)
            await system.end(rng.choice(list(system.running)))
        partition = rng.randrange(COUNT)
        old = system.nodes[system.leaders[partition]]
        new = rng.choice([it for it in system.nodes.values() if it is not old])
        await old.release(partition)
        await new.lead(partition)
    await end_all(system, 16 * COUNT)
    assert system.most == {it.name: LIMIT for it in handlers}


async def test_an_owner_grants_nothing_before_it_knows_what_runs_everywhere(
    system: System,
) -> None:
    handler = handler_of(0)
    await three_nodes(system, handler)
    await system.invoke(4, handler.name, LIMIT)
    await eventually(lambda: system.places() == {"c": LIMIT})
    await system.invoke(2, handler.name, 1)
    # The next leader of the home partition hears of what runs on c only when the link is there.
    address = system.addresses.pop("b")
    await system.nodes["a"].release(0)
    await system.nodes["b"].lead(0)
    await system.invoke(2, handler.name, 1)
    assert system.places() == {"c": LIMIT}
    system.addresses["b"] = address
    await end_all(system, LIMIT + 2)
    assert system.most[handler.name] == LIMIT


async def test_a_node_that_is_cut_off_starts_no_more_and_goes_on_when_it_is_back(
    system: System,
) -> None:
    handler = handler_of(0)
    await three_nodes(system, handler)
    await system.invoke(4, handler.name, LIMIT)
    await eventually(lambda: system.places() == {"c": LIMIT})
    await system.end(next(iter(system.running)))
    address = system.addresses.pop("a")
    system.nodes["c"].links.drop("a")
    await eventually(lambda: 0 not in system.nodes["c"].concurrency.reached)
    # An invocation that may start does so in the batch that creates it.
    await system.invoke(4, handler.name, 1)
    assert system.places() == {"c": LIMIT - 1}
    await system.end(next(iter(system.running)))
    await system.invoke(4, handler.name, LIMIT)
    assert system.places() == {"c": LIMIT - 2}
    system.addresses["a"] = address
    await eventually(lambda: system.places() == {"c": LIMIT})
    await end_all(system, 2 * LIMIT + 1)
    assert system.most[handler.name] == LIMIT


async def test_another_limit_holds_from_then_on(system: System) -> None:
    handler = handler_of(0)
    await three_nodes(system, handler)
    for partition in (2, 4):
        await system.invoke(partition, handler.name, 20)
    await eventually(lambda: system.counts()[handler.name] == LIMIT)
    higher = handler._replace(max_concurrent=8)
    for node in system.nodes.values():
        await node.connect(100, [higher], worker="second")
    await eventually(lambda: system.counts()[handler.name] == 8)
    lower = handler._replace(max_concurrent=2)
    for node in system.nodes.values():
        await node.connect(100, [lower], worker="third")
    while system.counts()[handler.name] > 2:
        await system.end(next(iter(system.running)))
    system.most.clear()
    for _ in range(5):
        await system.end(next(iter(system.running)))
        await eventually(lambda: system.counts()[handler.name] == 2)
    await end_all(system, 40)
    assert 1 <= system.most[handler.name] <= 2
