"""Shares of a resource over several holders, with messages that are late in all ways that are drawn."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_server.processor.shares import Grant, Holding, Report, Shares


class World:
    """An owner and its holders, with a queue of messages for each direction."""

    def __init__(self, capacity: int, holders: int, *, spread: bool) -> None:
        self.capacity = capacity
        self.names = [str(number) for number in range(holders)]
        self.shares = Shares(capacity)
        for name in self.names:
            self.shares.add(name, 0)
        if spread:
            self.shares.spread()
        self.holdings = {name: Holding(self.shares.held(name)) for name in self.names}
        self.used = dict.fromkeys(self.names, 0)
        self.waiting = dict.fromkeys(self.names, 0)
        self.served = dict.fromkeys(self.names, 0)
        self.to_owner: dict[str, deque[Report]] = {name: deque() for name in self.names}
        self.to_holder: dict[str, deque[Grant]] = {name: deque() for name in self.names}
        self.messages = 0

    def work(self, name: str) -> None:
        """Starts what can start at a holder, and sends what the owner has to hear."""
        holding = self.holdings[name]
        starts = min(self.waiting[name], max(0, holding.units - self.used[name]))
        self.used[name] += starts
        self.waiting[name] -= starts
        self.served[name] += starts
        report = holding.report(self.used[name], self.waiting[name])
        if report is not None:
            self.messages += 1
            self.to_owner[name].append(report)

    def arrive(self, name: str, count: int = 1) -> None:
        self.waiting[name] += count
        self.work(name)

    def withdraw(self, name: str) -> None:
        """One that waits does not any more, as when it is cancelled or gets another worker."""
        self.waiting[name] = max(0, self.waiting[name] - 1)
        self.work(name)

    def end(self, name: str) -> None:
        if self.used[name]:
            self.used[name] -= 1
            self.holdings[name].released()
            self.work(name)

    def send(self, grants: list[tuple[str, Grant]]) -> None:
        self.messages += len(grants)
        for name, grant in grants:
            self.to_holder[name].append(grant)

    def owner_hears(self, name: str) -> None:
        if self.to_owner[name]:
            self.shares.report(name, self.to_owner[name].popleft())
            self.send(self.shares.settle())

    def holder_hears(self, name: str) -> None:
        if self.to_holder[name]:
            self.holdings[name].granted(self.to_holder[name].popleft())
            self.work(name)

    def check(self) -> None:
        flying = sum(it.units for queue in self.to_holder.values() for it in queue)
        flying += sum(it.returned for queue in self.to_owner.values() for it in queue)
        held = sum(it.units for it in self.holdings.values())
        assert self.shares.free + held + flying == self.capacity
        assert all(self.used[name] <= self.holdings[name].units for name in self.names)
        assert self.shares.free >= 0

    def deliver(self) -> None:
        """Delivers everything; fails if it does not end."""
        for _ in range(100 * len(self.names)):
            if not any(self.to_owner.values()) and not any(self.to_holder.values()):
                return
            for name in self.names:
                self.owner_hears(name)
                self.holder_hears(name)
        raise AssertionError("the messages do not end")


MOVES = (World.arrive, World.withdraw, World.end, World.owner_hears, World.holder_hears)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    capacity = draw(st.integers(0, 12))
    return World(capacity, draw(st.integers(1, 5)), spread=draw(st.booleans()))


@settings(max_examples=400, deadline=None)
@given(worlds(), st.data())
def test_holders_never_use_more_than_the_capacity_and_leave_nothing_unused(
    world: World, data: st.DataObject
) -> None:
    steps = st.tuples(st.sampled_from(MOVES), st.sampled_from(world.names))
    for move, name in data.draw(st.lists(steps, max_size=60)):
        move(world, name)
        world.check()
    world.deliver()
    world.check()
    for move, name in data.draw(st.lists(steps, max_size=10)):
        if any(world.waiting.values()):
            assert sum(world.used.values()) == world.capacity
        move(world, name)
        world.deliver()
    # What waits is served when uses end, whoever holds what.
    for _ in range(60 if world.capacity else 0):
        for name in world.names:
            world.end(name)
            world.deliver()
    assert not world.capacity or not any(world.waiting.values())
    world.check()


def test_a_holder_that_asks_again_before_it_is_given_what_it_wants_keeps_nothing_unused() -> None:
    world = World(2, 2, spread=False)
    asking, other = world.names
    world.arrive(other)
    world.deliver()
    world.arrive(asking)
    world.withdraw(asking)
    world.arrive(asking)
    # The owner sends the unit when it hears the first report, and then hears the others.
    for _ in range(3):
        world.owner_hears(asking)
    world.deliver()
    world.end(asking)
    world.arrive(other)
    world.deliver()
    assert world.used[other] == 2


@settings(max_examples=200, deadline=None)
@given(worlds(), st.data())
def test_no_holder_that_wants_starves_beside_others_that_want(
    world: World, data: st.DataObject
) -> None:
    if not world.capacity:
        return
    for name in data.draw(st.permutations(world.names)):
        world.arrive(name, 10_000)
    world.deliver()
    for _ in range(3 * len(world.names)):
        for name in world.names:
            for _ in range(world.used[name]):
                world.end(name)
                world.deliver()
                world.check()
        assert sum(world.used.values()) == world.capacity
    served = world.served.values()
    assert min(served) >= 2
    if world.capacity >= len(world.names):
        assert max(world.used.values()) - min(world.used.values()) <= 1


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_no_messages_while_all_use_their_equal_parts(world: World, data: st.DataObject) -> None:
    if world.capacity < len(world.names):
        return
    for name in data.draw(st.permutations(world.names)):
        world.arrive(name, 10_000)
    world.deliver()
    for _ in range(world.capacity):  # until those that had more have given it back
        for name in world.names:
            world.end(name)
            world.deliver()
    messages = world.messages
    for name in data.draw(st.lists(st.sampled_from(world.names), max_size=50)):
        world.end(name)
        world.deliver()
    assert world.messages == messages


@settings(max_examples=100, deadline=None)
@given(worlds(), st.data())
def test_no_messages_while_nothing_waits(world: World, data: st.DataObject) -> None:
    names = st.lists(st.sampled_from(world.names), max_size=50)
    for name in data.draw(names):
        if world.used[name] < world.holdings[name].units:
            world.arrive(name)
    for name in data.draw(names):
        world.end(name)
    assert world.messages == 0


@settings(max_examples=200, deadline=None)
@given(worlds(), st.data())
def test_a_capacity_that_is_lowered_is_reached(world: World, data: st.DataObject) -> None:
    steps = st.tuples(st.sampled_from(MOVES), st.sampled_from(world.names))
    for move, name in data.draw(st.lists(steps, max_size=40)):
        move(world, name)
    world.capacity = world.shares.capacity = data.draw(st.integers(0, world.capacity))
    world.send(world.shares.settle())
    world.deliver()
    unused = sum(it.units for it in world.holdings.values()) - sum(world.used.values())
    assert world.shares.free >= 0 or not unused
    for name in world.names:
        for _ in range(world.used[name]):
            world.end(name)
            world.deliver()
    world.check()
