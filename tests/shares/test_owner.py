"""The owner of a limit, message by message."""

from __future__ import annotations

from durable_server.processor.shares import Grant, Report
from durable_server.quotas.messages import Claim, Grants, Update
from durable_server.quotas.owner import Holder, LimitOwner

ALL = frozenset({0, 1})
NONE: frozenset[int] = frozenset()


class Talk:
    """An owner of a limit of 3, of a system with two partitions, and what it sends."""

    def __init__(self) -> None:
        self.owner = LimitOwner(2, lambda handler: 3)
        self.sent: list[tuple[str, Grants]] = []

    def attach(self, node: str, leads: frozenset[int], held: int) -> Holder:
        claim = Claim(0, node, leads, {"h": held})
        return self.owner.attach(claim, lambda grants: self.sent.append((node, grants)))

    def update(self, holder: Holder, leads: frozenset[int], report: Report) -> None:
        self.owner.update(holder, Update(leads, {"h": report}))


def test_nothing_is_granted_before_every_partition_is_accounted_for() -> None:
    talk = Talk()
    one = talk.attach("one", frozenset({0}), 1)
    talk.update(one, one.leads, Report(wants=2))
    assert not talk.sent
    talk.attach("two", frozenset({1}), 1)
    assert talk.sent == [("one", {"h": Grant(1, 2)}), ("two", {"h": Grant(0, 0)})]


def test_what_a_node_without_partitions_had_is_free_when_it_goes() -> None:
    talk = Talk()
    one = talk.attach("one", ALL, 0)
    two = talk.attach("two", NONE, 3)
    talk.update(one, ALL, Report(wants=2))
    assert talk.sent == [("two", {"h": Grant(0, 1)})]
    talk.owner.detach(two)
    assert talk.sent[1:] == [("one", {"h": Grant(2)})]


def test_nothing_is_granted_while_a_node_that_leads_something_is_away() -> None:
    talk = Talk()
    one = talk.attach("one", frozenset({0}), 0)
    two = talk.attach("two", frozenset({1}), 1)
    talk.owner.detach(two)
    talk.update(one, one.leads, Report(wants=3))
    assert not talk.sent
    # It comes back with what it runs.
    two = talk.attach("two", frozenset({1}), 2)
    assert talk.sent == [("one", {"h": Grant(1, 1)}), ("two", {"h": Grant(0, 0)})]
    # Its partition, with one invocation that runs, is led by the other one.
    talk.update(two, NONE, Report(returned=2))
    assert len(talk.sent) == 2
    talk.update(one, ALL, Report(returned=-1))
    talk.update(one, ALL, Report(wants=3, received=1))
    assert talk.sent[2:] == [("one", {"h": Grant(1, 3)})]


def test_a_holder_that_was_replaced_is_not_heard_any_more() -> None:
    talk = Talk()
    first = talk.attach("one", ALL, 2)
    second = talk.attach("one", ALL, 1)
    talk.update(first, ALL, Report(returned=2, wants=3))
    talk.owner.detach(first)
    assert not talk.sent
    talk.update(second, ALL, Report(wants=3))
    assert talk.sent == [("one", {"h": Grant(2, 3)})]
