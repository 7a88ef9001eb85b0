"""Placement: which node should lead and follow each partition, and what a node does now to get there.

All of it is a function of what a node knows of the members, without a clock or I/O. Nodes that know the
same decide the same, so nobody has to be in charge. Nodes that know different things for a moment may
both take a partition over; then the fence of its log lets the later one lead (`log.fenced`), and the
other one learns that it is deposed. So a wrong decision here costs time and never data.

**Assignment.** Rendezvous hashing gives every pair of a node and a partition a score. The pairs are
gone through from the highest score on, and a partition goes to the node of its first pair that still
has room. Nodes have room for P/N partitions, rounded down, and the first ones that reach that for one
more, until all partitions have a place: so no two nodes differ by more than one. A node that joins or
leaves moves little more than its own share.

The first standby of a partition is the node that would lead it if its leader were not there. So when a
leader dies, each of its partitions goes to a node that has followed it.

**Plan.** A node takes over what it should lead as soon as nobody claims it. It releases what another
node should lead when that one follows closely, so that the takeover is short; a few partitions at a
time, so that only these pause, and workers reconnect once for all of them; and only after the
membership has settled, so that a node that restarts twice moves nothing twice.

**Drain.** A node that drains is left out of the assignment; the same rules then empty it, and it does
not wait for the membership to settle. If all nodes drain, those lead that do not stop, and if all stop,
all of them: a partition that somebody can lead is never without a leader.

**Shared stores.** Where the members have the same stores, there are no followers: the next leader opens
the store that the last one has closed.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from .member import Member, leaders

MAX_LAG = 2000
"""The most log sequences, so batches, by which a follower may be behind when it is about to lead. A
busy leader writes up to this many between two records of the follower, so a smaller limit would keep a
partition that is always busy from moving.
"""

MOVES = 4
"""How many partitions of a node move at a time: a takeover by a node that follows takes some 50 ms, and
workers reconnect once for all that have moved meanwhile.
"""


class Placed(NamedTuple):
    """The nodes of one partition."""

    leader: str
    standbys: tuple[str, ...]
    """The nodes that should follow it; the first one would lead it without the leader."""


class Plan(NamedTuple):
    """What a node does now, as sets of partitions."""

    lead: frozenset[int]
    """To take over."""
    release: frozenset[int]
    """To stop leading."""
    follow: frozenset[int]
    """To follow, of those that it neither leads nor takes over."""
    deposed: frozenset[int] = frozenset()
    """Those to stop leading at once, because another node has taken them over."""


@dataclass(frozen=True, slots=True)
class View:
    """What a node knows when it makes its plan."""

    name: str
    """The node's own name."""
    members: Mapping[str, Member]
    """The live members by name, with the node's own newest record."""
    partitions: int
    standbys: int
    """How many nodes should follow each partition, as far as there are as many."""
    settled: bool
    """Whether the live members have been the same for long enough to move partitions among them."""
    released: Collection[int] = ()
    """The partitions that this node has released since its start. Those that nobody claims are on their
    way, and count as moves.
    """
    shared_stores: bool = False
    """Whether all members have the same stores, as the processes of one machine do, of which only the
    leader has one open. Then nobody follows, and a partition moves without a follower.
    """


def assignment(partitions: int, nodes: Collection[str], standbys: int) -> tuple[Placed, ...]:
    """Returns the nodes of each partition; the order of `nodes` does not matter.

    `standbys` is lowered to the number of the other nodes. Raises ValueError without a node.
    """
    if not nodes:
        raise ValueError("an assignment needs a node")
    return _assignment(partitions, frozenset(nodes), min(standbys, len(nodes) - 1))


def plan(view: View) -> Plan:
    """Returns what the node of this view does now."""
    own = view.members[view.name]
    claims = leaders(view.members, taking=True)
    placed = assignment(view.partitions, may_lead(view.members), view.standbys)
    lead = frozenset(
        partition
        for partition, place in enumerate(placed)
        if place.leader == view.name and partition not in claims
    )
    deposed = frozenset(it for it in (*own.leads, *own.takes) if claims[it] != view.name)
    release = deposed
    moving = sum(it not in claims for it in view.released)
    if view.settled or own.draining:
        movable = (
            partition
            for partition in sorted(own.leads.keys() - deposed)
            if _can_move(view, view.members.get(placed[partition].leader), own, partition)
        )
        release |= frozenset([*movable][: max(0, MOVES - moving)])
    follow = frozenset(
        partition
        for partition, place in enumerate(placed)
        if not view.shared_stores
        and (place.leader == view.name or view.name in place.standbys)
        and partition not in lead
        and claims.get(partition) != view.name
    )
    return Plan(lead, release, follow, deposed)


def may_lead(members: Mapping[str, Member]) -> Collection[str]:
    """Returns the names of the members among which the partitions are divided."""
    staying = [name for name, member in members.items() if not member.draining]
    lasting = [name for name, member in members.items() if not member.stopping]
    return staying or lasting or members.keys()


def _can_move(view: View, target: Member | None, own: Member, partition: int) -> bool:
    """Whether the partition that this node leads should and can go to another one now."""
    if target is None or target.name == own.name:
        return False
    if view.shared_stores:
        return True
    if partition not in target.follows:
        return False
    _, sequence = own.leads[partition]
    return sequence - target.follows[partition] <= MAX_LAG


@functools.lru_cache(maxsize=8)
def _assignment(partitions: int, nodes: frozenset[str], standbys: int) -> tuple[Placed, ...]:
    scores = [{node: _score(node, partition) for node in nodes} for partition in range(partitions)]
    pairs = sorted(
        (
            (score, node, partition)
            for partition, by_node in enumerate(scores)
            for node, score in by_node.items()
        ),
        reverse=True,
    )
    preferred = _preferred(partitions, nodes, pairs)
    if not standbys:
        return tuple(Placed(leader, ()) for leader in preferred)
    without = {it: _preferred(partitions, nodes - {it}, pairs) for it in nodes}
    placed: list[Placed] = []
    for partition, leader in enumerate(preferred):
        first = without[leader][partition]
        others = sorted(nodes - {leader, first}, key=scores[partition].__getitem__, reverse=True)
        placed.append(Placed(leader, (first, *others[: standbys - 1])))
    return tuple(placed)


def _preferred(
    partitions: int, nodes: frozenset[str], pairs: Iterable[tuple[bytes, str, int]]
) -> list[str]:
    """Returns the preferred leader of each partition; `pairs` may name other nodes, too."""
    share, larger_shares = divmod(partitions, len(nodes))
    loads = dict.fromkeys(nodes, 0)
    preferred: dict[int, str] = {}
    for _, node, partition in pairs:
        if partition in preferred or node not in nodes:
            continue
        load = loads[node]
        if load < share or (load == share and larger_shares):
            larger_shares -= load == share
            loads[node] = load + 1
            preferred[partition] = node
    return [preferred[it] for it in range(partitions)]


def _score(node: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{partition}/{node}".encode(), digest_size=8).digest()
