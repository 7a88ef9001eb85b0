"""The slots of one worker that several nodes give invocations to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from durable_server.core.model import Handler
from durable_server.processor.demand import DividedSlots
from durable_server.processor.shares import Grant, Report
from durable_server.sessions.slots import SlotOwner
from tests.support.waiting import eventually

from .conftest import COUNT
from .nodes import System

HANDLER = "plain"
ENTRY = "a"


class Division:
    """The worker's slots, divided by the entry node; messages to and from the others take a turn."""

    def __init__(self, system: System) -> None:
        self.messages = 0
        self._system = system
        self._slots: dict[str, DividedSlots] = {}

    async def start(self, capacity: int) -> None:
        for number, name in enumerate("abc"):
            await self._system.add(name, 2 * number, 2 * number + 1)
        await self.divide(capacity, {})

    async def divide(self, capacity: int, resumed: Mapping[str, int]) -> None:
        """Begins a session on all nodes; the owner does not know of the attempts that are resumed."""
        system = self._system
        self._owner = SlotOwner(capacity, dict.fromkeys(system.nodes, 0), self._send)
        for name, node in system.nodes.items():
            session = await node.connect(
                self._owner.share(name), [Handler(HANDLER)], resumed=resumed
            )
            if name == ENTRY:
                self._owner.own(name, node.demand, session.worker)
            else:
                self._slots[name] = node.demand.divide(session.worker, self._reports_of(name))

    def shares(self) -> dict[str, int]:
        """Returns how many slots each node has now."""
        return {
            name: worker.slots
            for name, node in self._system.nodes.items()
            for worker in node.workers
        }

    def _send(self, node: str, grant: Grant) -> None:
        self.messages += 1
        asyncio.get_running_loop().call_soon(self._slots[node].granted, grant)

    def _reports_of(self, node: str) -> Callable[[Report], None]:
        def send(report: Report) -> None:
            self.messages += 1
            asyncio.get_running_loop().call_soon(self._owner.report, node, report)

        return send


async def end_all(system: System, ended: int) -> None:
    rng = random.Random(ended)
    while system.ended < ended:
        await eventually(lambda: system.running)
        await system.end(rng.choice(list(system.running)))


async def test_slots_begin_in_equal_parts_and_go_where_work_waits(system: System) -> None:
    division = Division(system)
    await division.start(8)
    assert division.shares() == {"a": 3, "b": 3, "c": 2}
    await system.invoke(4, HANDLER, 12)
    await eventually(lambda: system.places() == {"c": 8})
    assert division.shares() == {"a": 0, "b": 0, "c": 8}
    await end_all(system, 12)
    assert system.most[HANDLER] == 8


async def test_slots_are_used_fully_and_never_more_of_them(system: System) -> None:
    division = Division(system)
    await division.start(5)
    rng = random.Random(1)
    invoked = 0

    def used_fully() -> bool:
        return len(system.running) == min(5, invoked - system.ended)

    for _ in range(30):
        count = rng.randrange(6)
        await system.invoke(rng.randrange(COUNT), HANDLER, count)
        invoked += count
        await eventually(used_fully)
        for _ in range(rng.randrange(5)):
            if system.running:
                await system.end(rng.choice(list(system.running)))
    await end_all(system, invoked)
    assert system.most[HANDLER] == 5


async def test_nodes_that_all_have_work_share_equally(system: System) -> None:
    division = Division(system)
    await division.start(6)
    await system.invoke(0, HANDLER, 30)
    await eventually(lambda: system.places() == {"a": 6})
    for partition in (2, 4):
        await system.invoke(partition, HANDLER, 30)
    while system.places() != {"a": 2, "b": 2, "c": 2}:
        assert system.ended < 20
        await system.end(next(it for it in system.running if system.place(it) == "a"))
        await eventually(lambda: len(system.running) == 6)
    before = division.messages
    for _ in range(6):
        for name in "abc":
            await system.end(next(it for it in system.running if system.place(it) == name))
        await eventually(lambda: system.places() == {"a": 2, "b": 2, "c": 2})
    # Each node uses its own part again and again, and tells nobody.
    assert division.messages == before
    await end_all(system, 90)
    assert system.most[HANDLER] == 6


async def test_a_single_slot_goes_round(system: System) -> None:
    division = Division(system)
    await division.start(1)
    for partition in (0, 2, 4):
        await system.invoke(partition, HANDLER, 6)
    seen: list[str] = []
    for _ in range(9):
        await eventually(lambda: system.running)
        seen += map(system.place, system.running)
        await system.end(next(iter(system.running)))
    # The first node has it before the others want it.
    assert set(seen[1:4]) == set(seen[4:7]) == {"a", "b", "c"}
    await end_all(system, 18)
    assert system.most[HANDLER] == 1


async def test_no_messages_while_each_node_has_slots_enough(system: System) -> None:
    division = Division(system)
    await division.start(9)
    for _ in range(4):
        for partition in range(COUNT):
            await system.invoke(partition, HANDLER, 1)
        await eventually(lambda: len(system.running) == COUNT)
        for running in list(system.running):
            await system.end(running)
    assert division.messages == 0


async def test_a_new_session_divides_the_slots_anew(system: System) -> None:
    division = Division(system)
    await division.start(4)
    await system.invoke(0, HANDLER, 3)
    await eventually(lambda: len(system.running) == 3)
    node = system.nodes["a"]
    [worker] = node.workers
    # The worker comes back without any of its attempts, so they start again.
    system.running.clear()
    session = await node.connect(2, [Handler(HANDLER)])
    assert session.worker is worker
    # It has the slots of its hello, whatever was divided before.
    assert worker.slots == 2
    await eventually(lambda: len(system.running) == 2)
    await end_all(system, 3)


async def test_an_attempt_that_the_owner_does_not_know_of_has_a_slot(system: System) -> None:
    """As one that was not committed yet when the worker lost its connection."""
    division = Division(system)
    await division.start(3)
    await system.invoke(2, HANDLER, 3)
    await eventually(lambda: system.places() == {"b": 3})
    await division.divide(3, {it.id: it.attempt for it in system.running.values()})
    await eventually(lambda: division.shares() == {"a": 0, "b": 3, "c": 0})
    await system.invoke(4, HANDLER, 3)
    await end_all(system, 6)
    assert system.most[HANDLER] == 3
