"""The rules of the membership: when a member is found gone, and when this node counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from durable_server.cluster.member import Member
from durable_server.cluster.membership import Membership

from . import nodes

LEASE = 5.0


def member(name: str, **fields: object) -> Member:
    """A member with the lease of these tests."""
    return nodes.member(name, **{"lease": LEASE, **fields})


@pytest.fixture
def membership() -> Membership:
    """That of a, which heard b at time 100 and was acknowledged then."""
    membership = Membership(member("a"))
    membership.acknowledged(100.0)
    assert membership.hear(member("b", leads={0: (1, 1)}), 100.0)
    return membership


def test_a_member_is_gone_when_an_acknowledged_renewal_was_sent_a_lease_after_it_was_heard(
    membership: Membership,
) -> None:
    for sent in (102.0, 104.9):
        assert not membership.acknowledged(sent)
        assert membership.leader(0) is membership.live["b"]
    assert membership.acknowledged(105.0)
    assert membership.live.keys() == {"a"}
    assert membership.leader(0) is None


def test_a_member_that_is_heard_stays(membership: Membership) -> None:
    other = membership.live["b"]
    assert not membership.hear(other, 103.0)
    assert not membership.acknowledged(104.0)
    assert not membership.acknowledged(107.9)
    assert membership.acknowledged(108.0)


def test_nobody_is_found_gone_over_an_interruption_of_this_nodes_lease(
    membership: Membership,
) -> None:
    assert not membership.acknowledged(105.1)
    assert membership.live.keys() == {"a", "b"}
    assert not membership.acknowledged(110.0)
    assert membership.acknowledged(110.1)


def test_who_lived_has_a_new_lease_when_this_node_hears_again(membership: Membership) -> None:
    assert not membership.resume([membership.live["b"]], 104.0, 104.5)
    assert not membership.acknowledged(105.0)
    assert not membership.acknowledged(109.4)
    assert membership.acknowledged(109.5)


def test_who_was_gone_before_stays_so_unless_it_has_written(membership: Membership) -> None:
    other = membership.live["b"]
    membership.acknowledged(103.0)
    assert membership.acknowledged(106.0)
    assert not membership.resume([other], 107.0, 107.1)
    assert membership.live.keys() == {"a"}
    newer = member("b", incarnation=other.incarnation, leads={0: (1, 2)})
    assert membership.resume([newer], 108.0, 108.1)
    assert membership.live["b"] is newer


def test_what_was_read_does_not_replace_what_was_heard_meanwhile(membership: Membership) -> None:
    newer = member("b", leads={0: (1, 9)})
    membership.hear(newer, 102.5)
    assert not membership.resume([member("b", leads={0: (1, 8)})], 102.0, 103.0)
    assert membership.live["b"] is newer


def test_who_has_left_is_gone_whether_heard_or_read(membership: Membership) -> None:
    gone = membership.live["b"].gone()
    assert membership.hear(gone, 101.0)
    assert membership.live.keys() == {"a"}
    assert membership.hear(member("b"), 102.0)
    assert membership.resume([gone], 103.0, 103.1)
    assert membership.live.keys() == {"a"}


def test_positions_are_no_change_and_all_else_is(membership: Membership) -> None:
    same = {"incarnation": membership.live["b"].incarnation}
    assert not membership.hear(member("b", **same, leads={0: (1, 2)}), 101.0)
    assert membership.hear(member("b", **same, leads={0: (2, 2)}), 101.0)
    assert membership.hear(member("b", **same, follows={0: 2}), 101.0)
    assert not membership.hear(member("b", **same, follows={0: 3}), 101.0)
    assert membership.hear(member("b", **same, follows={0: 3}, draining=True), 101.0)
    assert membership.set_own(member("a", leads={0: (3, 3)}))
    assert membership.leader(0) is membership.live["a"]


def test_each_member_is_judged_by_the_lease_of_its_own_record() -> None:
    membership = Membership(member("a", lease=2.0))
    membership.acknowledged(100.0)
    assert membership.hear(member("b", lease=5.0), 100.0)
    assert membership.hear(member("c", lease=1.0), 100.0)
    assert not membership.counts(102.0)
    assert membership.acknowledged(101.0)
    assert membership.live.keys() == {"a", "b"}
    for sent in (102.5, 104.0):
        assert not membership.acknowledged(sent)
    assert membership.acknowledged(105.0)
    assert membership.live.keys() == {"a"}


def test_this_node_counts_for_a_lease_after_its_last_acknowledged_renewal_was_sent() -> None:
    membership = Membership(member("a"))
    assert not membership.counts(100.0)
    membership.acknowledged(100.0)
    assert membership.counts(104.9)
    assert not membership.counts(105.0)
    membership.acknowledged(120.0)
    assert membership.counts(120.1)
    membership.stop()
    assert not membership.counts(120.1)


def test_a_partition_is_served_once_the_claim_is_in_the_stream_and_nobody_else_claims_it(
    membership: Membership,
) -> None:
    own = member("a", takes={0: 2})
    membership.set_own(own)
    assert membership.must_read(own, 101.0)
    membership.confirm(own)
    assert not membership.must_read(own, 101.0)
    # b leads it with the epoch before and has not heard of this one.
    assert not membership.may_serve(0, 101.0)
    membership.hear(member("b"), 101.0)
    assert membership.may_serve(0, 101.0)
    assert not membership.may_serve(1, 101.0)
    # Not without a lease.
    assert not membership.may_serve(0, 105.0)


def test_a_claim_of_a_new_epoch_is_to_be_confirmed_anew(membership: Membership) -> None:
    membership.hear(member("b"), 100.0)
    own = member("a", takes={0: 2})
    membership.set_own(own)
    membership.confirm(own)
    newer = member("a", takes={0: 3})
    membership.set_own(newer)
    assert not membership.may_serve(0, 101.0)
    assert membership.must_read(newer, 101.0)


def test_all_records_are_read_before_a_node_counts_again(membership: Membership) -> None:
    own = member("a")
    assert not membership.must_read(own, 104.9)
    assert membership.must_read(own, 105.0)


def test_what_is_read_is_newer_or_unknown_or_nothing(membership: Membership) -> None:
    known = membership.live["b"]
    newer = replace(known, renewal=1, takes={1: 7})
    assert membership.read([newer], 101.0, 101.1)
    assert membership.live["b"].takes == {1: 7}
    assert not membership.read([known], 102.0, 102.1)
    assert membership.live["b"].takes == {1: 7}
    assert membership.read([member("c")], 102.0, 102.1)
    # Another process of the name has written since, and was not heard.
    other = member("b", takes={1: 9})
    assert membership.read([other], 103.0, 103.1)
    assert membership.live["b"].takes == {1: 9}
    # This one was heard while the records were read, so what was read is older.
    assert not membership.read([member("b")], 101.0, 103.1)
    # Whoever is gone does not come back because its last record still stands there.
    membership.acknowledged(104.0)
    membership.acknowledged(107.0)
    membership.acknowledged(110.0)
    assert membership.live.keys() == {"a"}
    assert not membership.read([other], 110.0, 110.1)
