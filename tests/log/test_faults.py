"""Leaders over a memory stream that loses, delays and duplicates appends.

Whatever happens, acknowledged frames are in the log once and in order, and a deposed leader adds none.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.log.fenced import FencedLog
from durable_server.log.interface import (
    DeposedError,
    LogDataLostError,
    LogUnavailableError,
    Position,
)
from durable_server.log.memory import Fault, MemoryLog, MemoryStream, MemoryStreamClient

from ..sim.virtual import run
from .worlds import fence, lead

LEADERS = 3
INDEX = st.integers(0, LEADERS - 1)
ACTIONS = st.one_of(
    st.tuples(st.just("lead"), INDEX),
    st.tuples(st.just("append"), INDEX),
    st.tuples(st.just("race"), INDEX, INDEX),
    st.tuples(st.just("depose"), INDEX, INDEX),
    st.tuples(st.just("fault"), st.sampled_from(list(Fault)), st.integers(1, 4)),
    st.tuples(st.just("release")),
    st.tuples(st.just("away"), st.floats(0.01, 9)),
)


class Leader:
    def __init__(self, stream: MemoryStream, rng: random.Random) -> None:
        self.log = MemoryLog(stream, budget=5, rng=rng)
        self.applied = Position()
        self.bodies: list[bytes] = []

    async def _apply(self, position: Position, body: bytes) -> None:
        assert position > self.applied
        self.applied = position
        self.bodies.append(body)

    async def lead(self) -> None:
        try:
            await self.log.take_over(self.applied, self._apply, fence)
        except LogUnavailableError:
            return

    async def append(self, body: bytes, acknowledged: list[bytes]) -> None:
        try:
            position = await self.log.append(body)
        except (DeposedError, LogUnavailableError):
            return
        await self._apply(position, body)
        acknowledged.append(body)


class Run:
    def __init__(self) -> None:
        rng = random.Random(7)
        self.stream = MemoryStream()
        self.stream.fault = self._fault
        self.faults: list[Fault] = []
        self.leaders = [Leader(self.stream, rng) for _ in range(LEADERS)]
        self.acknowledged: list[bytes] = []
        self.bodies = 0

    def _fault(self, data: bytes, expected: int) -> Fault:
        return self.faults.pop() if self.faults else Fault.NONE

    def _back(self) -> None:
        self.stream.available = True

    async def _append(self, index: int) -> None:
        self.bodies += 1
        await self.leaders[index].append(b"body %d" % self.bodies, self.acknowledged)

    async def act(self, action: Sequence[object]) -> None:
        match action:
            case "lead", int(index):
                await self.leaders[index].lead()
            case "append", int(index):
                await self._append(index)
            case "race", int(one), int(other) if one != other:
                await asyncio.gather(self._append(one), self._append(other))
            case "depose", int(one), int(other) if one != other:
                await asyncio.gather(self._append(one), self.leaders[other].lead())
            case "fault", Fault() as fault, int(count):
                self.faults += [fault] * count
            case ("release",):
                self.stream.release()
            case "away", float(seconds):
                self.stream.available = False
                asyncio.get_running_loop().call_later(seconds, self._back)
            case _:
                pass

    async def check(self) -> None:
        self.faults.clear()
        self.stream.release()
        self._back()
        bodies = (await lead(MemoryLog(self.stream))).bodies
        written = [body for body in bodies if body.startswith(b"body")]
        assert len(set(written)) == len(written), "a body is in the log twice"
        rest = iter(written)
        assert all(body in rest for body in self.acknowledged), "acknowledged, and lost or moved"
        for leader in self.leaders:
            assert leader.bodies == bodies[: len(leader.bodies)], "a leader applied something else"


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_acknowledged_is_in_the_log_once_and_in_order(actions: list[Sequence[object]]) -> None:
    async def scenario() -> None:
        world = Run()
        for action in actions:
            await world.act(action)
        await world.check()

    run(scenario())


@pytest.mark.parametrize("fault", [Fault.LOST_ACK, Fault.LOST_APPEND, Fault.LATE])
def test_one_fault_is_healed_without_a_word(fault: Fault) -> None:
    async def scenario() -> None:
        world = Run()
        await world.act(("lead", 0))
        world.faults = [fault]
        await world.act(("append", 0))
        await world.act(("append", 0))
        assert world.acknowledged == [b"body 1", b"body 2"]
        assert world.stream.last == 3
        assert world.stream.release() == 0
        await world.check()

    run(scenario())


def test_a_late_fence_cannot_be_mistaken_for_ones_own() -> None:
    """Two would-be leaders of the same epoch with the same fence body: only one may lead."""

    async def scenario() -> None:
        world = Run()
        one, other = world.leaders[:2]
        world.faults = [Fault.LOST_APPEND]
        await asyncio.gather(one.lead(), other.lead())
        assert {one.applied.epoch, other.applied.epoch} == {1, 2}
        await world.act(("race", 0, 1))
        assert len(world.acknowledged) == 1
        await world.check()

    run(scenario())


async def test_a_log_that_counts_what_it_has_lost_is_refused() -> None:
    class Hollow(MemoryStreamClient):
        """As a JetStream whose file was cut: its state still names the last sequence."""

        async def read(self, *_: object) -> None: ...

    stream = MemoryStream()
    reader = await lead(MemoryLog(stream))
    with pytest.raises(LogDataLostError, match="sequence 1, which was applied, is missing"):
        await lead(FencedLog(Hollow(stream)), reader.last)
