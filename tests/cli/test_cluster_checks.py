"""What `durable doctor` finds in a cluster, from the views of its nodes."""

from __future__ import annotations

from dataclasses import replace

from durable import Cluster, ClusterFollower, ClusterNode, ClusterPartition
from durable_cli.cluster_checks import cluster_checks
from durable_proto.v1 import control_pb2

NODES = ("a", "b", "c")


def node(name: str, **fields: object) -> ClusterNode:
    found = ClusterNode.of(control_pb2.ClusterNode(name=name, version="1.0.0"))
    return replace(found, **fields)  # type: ignore[arg-type]  # each test names fields and values


def partition(number: int, leader: str | None, lag: int | None = 0) -> ClusterPartition:
    followers = () if lag is None else (ClusterFollower(node="c", position=5, lag=lag),)
    return ClusterPartition(
        partition=number, leader=leader, epoch=1, position=5, followers=followers
    )


HEALTHY = Cluster(
    system_id="s",
    format_level=1,
    standby_count=1,
    answering_node="a",
    nodes=tuple(map(node, NODES)),
    partitions=(partition(0, "a"), partition(1, "b")),
)


def found(*views: Cluster) -> list[tuple[str, str]]:
    return [(it.verdict, it.found) for it in cluster_checks(views)]


def test_a_cluster_without_trouble_is_one_line() -> None:
    text = "3 nodes, 2 partitions, each with a leader"
    assert found(HEALTHY) == found(HEALTHY, replace(HEALTHY, answering_node="b")) == [("ok", text)]


def test_a_control_plane_that_is_no_cluster_is_not_checked() -> None:
    assert not found(replace(HEALTHY, answering_node=""))


def test_partitions_without_a_leader_are_a_failure() -> None:
    partitions = tuple(partition(it, None) for it in range(10))
    text = "no node leads partitions 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"
    assert found(replace(HEALTHY, partitions=partitions)) == [("fail", text)]


def test_a_node_that_is_cut_off_knows_fewer_nodes() -> None:
    alone = replace(HEALTHY, answering_node="c", nodes=(node("c"),))
    text = "node c does not know a, b, which node a knows"
    assert found(alone, HEALTHY) == [("warn", text)]


def test_a_node_that_is_alone() -> None:
    view = replace(HEALTHY, nodes=(node("a"),), partitions=(partition(0, "a", None),))
    text = "node a is alone: nobody takes over when it fails"
    assert found(view) == [("warn", text)]


def test_followers_that_are_behind_or_missing() -> None:
    view = replace(HEALTHY, partitions=(partition(0, "a", 2000), partition(1, "b", 2001)))
    assert found(view) == [("warn", "followers are behind: c by 2001 batches in partition 1")]
    view = replace(HEALTHY, partitions=(partition(0, "a", None), partition(1, None, None)))
    assert ("warn", "partition 0 with less than 1 follower") in found(view)
    # A drained node follows nothing.
    nodes = (node("a"), node("b", draining=True, stopping=True))
    assert found(replace(view, nodes=nodes, partitions=view.partitions[:1])) == [
        ("ok", "2 nodes, 1 partitions, each with a leader")
    ]


def test_different_versions_and_drained_nodes() -> None:
    nodes = (node("a"), node("b", version="1.1.0", draining=True), node("c"))
    assert found(replace(HEALTHY, nodes=nodes)) == [
        ("warn", "different versions: 1.0.0 on a, c; 1.1.0 on b"),
        ("warn", "drained: b"),
    ]
