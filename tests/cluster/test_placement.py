"""Placement: the assignment's properties, and clusters of pure nodes that carry out their plans."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from durable_server.cluster import placement
from durable_server.cluster.member import Member
from durable_server.cluster.placement import MAX_LAG, MOVES, Plan, View, assignment, may_lead, plan

from .nodes import PROPERTY, member

NAMES = st.text("abcdefghij0123456789-", min_size=1, max_size=8)
NODES = st.sets(NAMES, min_size=1, max_size=9)
PARTITIONS = st.integers(1, 64)


def leaders_of(partitions: int, nodes: set[str]) -> list[str]:
    return [it.leader for it in assignment(partitions, nodes, 0)]


# ---- the assignment


@PROPERTY
@given(NODES, PARTITIONS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_all_nodes_compute_the_same_and_have_the_same_load(
    nodes: set[str], partitions: int, standbys: int, chance: random.Random
) -> None:
    shuffled = sorted(nodes)
    chance.shuffle(shuffled)
    placed = assignment(partitions, shuffled, standbys)
    assert placed == assignment(partitions, sorted(nodes), standbys)
    loads = Counter(it.leader for it in placed)
    assert max(loads[it] for it in nodes) - min(loads[it] for it in nodes) <= 1
    for place in placed:
        assert len({place.leader, *place.standbys}) == 1 + min(standbys, len(nodes) - 1)


@PROPERTY
@given(NODES, PARTITIONS, st.data())
def test_the_first_standby_leads_when_the_leader_is_gone(
    nodes: set[str], partitions: int, data: st.DataObject
) -> None:
    assume(len(nodes) > 1)
    dead = data.draw(st.sampled_from(sorted(nodes)))
    before = assignment(partitions, nodes, 1)
    after = leaders_of(partitions, nodes - {dead})
    for place, leader in zip(before, after, strict=True):
        if place.leader == dead:
            assert leader == place.standbys[0]


@PROPERTY
@given(NODES, PARTITIONS, NAMES)
def test_a_node_that_joins_moves_its_share_and_a_few_more(
    nodes: set[str], partitions: int, new: str
) -> None:
    assume(new not in nodes)
    before, after = leaders_of(partitions, nodes), leaders_of(partitions, nodes | {new})
    moved = sum(a != b for a, b in zip(before, after, strict=True))
    share = math.ceil(partitions / (len(nodes) + 1))
    assert moved <= share + partitions / 2


@pytest.mark.parametrize(("partitions", "count"), [(12, 2), (12, 3), (12, 4), (48, 5), (256, 7)])
def test_a_node_that_joins_or_leaves_moves_half_as_much_again_on_average(
    partitions: int, count: int
) -> None:
    moved = 0
    for number in range(50):
        nodes = {f"node-{number}-{it}" for it in range(count)}
        before, after = leaders_of(partitions, nodes), leaders_of(partitions, nodes | {"new"})
        moved += sum(a != b for a, b in zip(before, after, strict=True))
    assert moved / 50 <= 1.6 * partitions / (count + 1)


def test_the_assignment_is_the_same_in_every_version() -> None:
    """Nodes of two versions must agree, so a change of these names is a change of the protocol."""
    placed = assignment(6, ["a", "b", "c"], 1)
    assert "".join(it.leader for it in placed) == "acbbca"
    assert "".join(it.standbys[0] for it in placed) == "cbccac"


def test_an_assignment_needs_a_node() -> None:
    with pytest.raises(ValueError, match="node"):
        assignment(1, [], 0)


# ---- the plan of one node

A, B, NONE = frozenset({0, 4, 5}), frozenset({1, 2, 3}), frozenset[int]()
"""What a and what b should lead of six partitions."""


def first_moves(partitions: frozenset[int]) -> frozenset[int]:
    """Returns those of some partitions that move at first."""
    return frozenset(sorted(partitions)[:MOVES])


def planned(
    own: Member, *others: Member, settled: bool = True, released: Collection[int] = ()
) -> Plan:
    members = {it.name: it for it in (own, *others)}
    return plan(View(own.name, members, 6, 1, settled, released))


def test_a_free_partition_is_taken_over_at_once_by_the_one_that_should_lead_it() -> None:
    assert {it for it, name in enumerate(leaders_of(6, {"a", "b"})) if name == "a"} == A
    for settled in (False, True):
        assert planned(member("a"), member("b"), settled=settled) == Plan(A, NONE, B)
        assert planned(member("b"), member("a"), settled=settled) == Plan(B, NONE, A)


def test_what_another_one_leads_is_followed_and_not_taken() -> None:
    b = member("b", leads=dict.fromkeys(range(6), (1, 5)))
    assert planned(member("a"), b) == Plan(NONE, NONE, A | B)


def test_a_few_partitions_at_a_time_go_to_a_follower_that_is_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(placement, "MOVES", 2)
    own = member("a", leads=dict.fromkeys(range(6), (1, MAX_LAG + 5)))
    first, second, third = sorted(B)
    close = member("b", follows={first: 5, second: 5, third: 5})
    far = member("b", follows={first: 4})
    assert planned(own, close) == Plan(NONE, frozenset({first, second}), NONE)
    assert planned(own, far) == planned(own, member("b")) == Plan(NONE, NONE, NONE)
    assert planned(own, close, settled=False) == Plan(NONE, NONE, NONE)
    # Two are released, and nobody claims them yet; then one of them is claimed.
    rest = replace(own, leads={it: own.leads[it] for it in A | {third}})
    assert planned(rest, close, released={first, second}).release == NONE
    claimed = replace(close, leads={first: (2, MAX_LAG + 6)})
    assert planned(rest, claimed, released={first, second}).release == {third}


def test_a_node_that_drains_does_not_wait_and_takes_nothing() -> None:
    own = member("a", draining=True, leads=dict.fromkeys(A, (1, 5)))
    other = member("b", follows=dict.fromkeys(A, 5))
    assert planned(own, other, settled=False) == Plan(NONE, A, NONE)
    # Nobody is there who could lead them.
    assert planned(own, settled=False) == Plan(B, NONE, NONE)
    drained = replace(other, draining=True)
    assert planned(own, drained) == Plan(NONE, NONE, B)
    # One that stops gives them to one that is drained, and not the other way round.
    stopping = replace(own, stopping=True)
    assert planned(stopping, drained) == Plan(NONE, first_moves(A), NONE)
    assert planned(own, replace(drained, stopping=True)) == Plan(B, NONE, NONE)


def test_the_lower_claim_is_released_at_once() -> None:
    own, other = member("a", leads={0: (3, 10)}), member("b", leads={0: (4, 11)})
    assert planned(own, other, settled=False).release == {0}
    assert planned(other, own, settled=False).release == NONE


def test_with_shared_stores_nobody_follows_and_a_partition_moves_at_once() -> None:
    def shared(own: Member, *others: Member, settled: bool = True) -> Plan:
        members = {it.name: it for it in (own, *others)}
        return plan(View(own.name, members, 6, 0, settled, shared_stores=True))

    own, other = member("a", leads=dict.fromkeys(range(6), (1, 5))), member("b")
    assert shared(own, other) == Plan(NONE, B, NONE)
    assert shared(own, other, settled=False) == shared(other, own) == Plan(NONE, NONE, NONE)
    assert shared(other, settled=False).lead == A | B
    draining = replace(own, draining=True)
    assert shared(draining, other, settled=False) == Plan(
        NONE, frozenset(range(placement.MOVES)), NONE
    )
    assert shared(draining, settled=False) == Plan(NONE, NONE, NONE)


# ---- clusters of pure nodes


class Cluster:
    """Nodes that carry out their plans at once, and partitions with epochs, as their logs have."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.members: dict[str, Member] = {}
        self.released: dict[str, set[int]] = {}
        self.epochs = [0] * partitions
        self.seen: dict[str, dict[str, Member]] = {}
        """What each node knows; it may be old."""

    def add(self, name: str) -> None:
        self.members[name] = member(name)
        self.released[name] = set()
        self.seen[name] = {}

    def remove(self, name: str) -> None:
        del self.members[name], self.released[name], self.seen[name]

    def step(self, name: str, *, look: bool) -> bool:
        """One node looks at the others, or not, and carries its plan out; whether it did something."""
        if look:
            self.seen[name] = dict(self.members)
        own = self.members[name]
        view = {**self.seen[name], name: own}
        todo = plan(View(name, view, self.partitions, 1, True, frozenset(self.released[name])))
        assert not todo.lead & own.leads.keys()
        assert todo.release <= own.leads.keys()
        leads = {it: own.leads[it] for it in own.leads if it not in todo.release}
        self.released[name] |= todo.release
        for partition in todo.lead:
            self.epochs[partition] += 1
            leads[partition] = (self.epochs[partition], 0)
        follows = dict.fromkeys(todo.follow, 0)
        self.members[name] = replace(own, leads=leads, follows=follows)
        return self.members[name] != own

    def settle(self) -> None:
        """Lets all nodes act on what is true until nobody does anything."""
        for _ in range(4 * self.partitions + 4):
            acted = [self.step(it, look=True) for it in sorted(self.members)]
            if not any(acted):
                return
        raise AssertionError("the cluster does not come to rest")

    def claims(self) -> list[list[str]]:
        return [
            [name for name, it in self.members.items() if partition in it.leads]
            for partition in range(self.partitions)
        ]

    def check_rest(self) -> None:
        placed = assignment(self.partitions, may_lead(self.members), 1)
        assert self.claims() == [[it.leader] for it in placed]
        for partition, place in enumerate(placed):
            for standby in place.standbys:
                assert partition in self.members[standby].follows


@PROPERTY
@given(st.integers(1, 16), st.data())
def test_clusters_whose_nodes_know_the_same_have_one_leader_each(
    partitions: int, data: st.DataObject
) -> None:
    """Nodes come, drain and die; before all is at rest there is never a second leader."""
    cluster = Cluster(partitions)
    for number in range(data.draw(st.integers(1, 6))):
        names = sorted(cluster.members)
        what = data.draw(st.sampled_from(["add", "drain", "stop", "die"])) if names else "add"
        if what == "add":
            cluster.add(f"n{number}")
        else:
            name = data.draw(st.sampled_from(names))
            if what == "die":
                cluster.remove(name)
            else:
                stopping = what == "stop" or cluster.members[name].stopping
                cluster.members[name] = replace(
                    cluster.members[name], draining=True, stopping=stopping
                )
        for _ in range(data.draw(st.integers(0, 8))):
            if cluster.members:
                cluster.step(data.draw(st.sampled_from(sorted(cluster.members))), look=True)
            assert all(len(it) <= 1 for it in cluster.claims())
    if cluster.members:
        cluster.settle()
        cluster.check_rest()


@PROPERTY
@given(st.integers(1, 12), st.integers(2, 4), st.data())
def test_clusters_whose_nodes_know_different_things_come_to_rest(
    partitions: int, count: int, data: st.DataObject
) -> None:
    cluster = Cluster(partitions)
    for number in range(count):
        cluster.add(f"n{number}")
    for _ in range(data.draw(st.integers(0, 20))):
        cluster.step(
            data.draw(st.sampled_from(sorted(cluster.members))), look=data.draw(st.booleans())
        )
    cluster.settle()
    cluster.check_rest()


@PROPERTY
@given(st.integers(1, 16), st.integers(2, 5))
def test_a_drain_ends_with_nothing_led(partitions: int, count: int) -> None:
    cluster = Cluster(partitions)
    for number in range(count):
        cluster.add(f"n{number}")
    cluster.settle()
    cluster.members["n0"] = replace(cluster.members["n0"], draining=True)
    cluster.settle()
    assert not cluster.members["n0"].leads
    cluster.check_rest()
