"""The cluster, as an operator sees it: the nodes and the partitions, for GetCluster.

The answer is made of what the live nodes say of themselves, so any node can give it. A control plane
that is no cluster answers as its only node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from durable_proto.v1 import control_pb2

from .. import __version__
from .topology import Node, Topology


class ClusterFacts(NamedTuple):
    """What does not change while a control plane runs."""

    system_id: str = ""
    format_level: Callable[[], int] = int
    """Returns the format level of the system."""
    readable_level: int = 0
    """The newest format level that this control plane can read."""
    standbys: int = 0
    """How many followers each partition has if there are enough nodes."""


NO_FACTS: Final = ClusterFacts()
"""For a control plane that is no system of its own, as in local mode."""


def of_one_node(
    facts: ClusterFacts, partition_count: int, address: str, leads: Mapping[int, tuple[int, int]]
) -> control_pb2.GetClusterResponse:
    """Returns the answer of a control plane that is no cluster.

    `leads` has the epoch and the last sequence of the log of each partition.
    """
    found = _empty(facts, "", partition_count)
    found.nodes.add(
        address=address,
        version=__version__,
        led_partitions=sorted(leads),
        format_level=facts.readable_level,
    )
    for partition in found.partitions:
        if partition.partition in leads:
            partition.has_leader = True
            partition.epoch, partition.position = leads[partition.partition]
    return found


def of_topology(
    facts: ClusterFacts, partition_count: int, topology: Topology
) -> control_pb2.GetClusterResponse:
    """Returns the answer of a node of a cluster."""
    found = _empty(facts, topology.name, partition_count)
    nodes = [node for _, node in sorted(topology.live.items())]
    led: dict[str, list[int]] = {}
    for partition in found.partitions:
        number = partition.partition
        leader = topology.leader(number)
        if leader is not None:
            partition.has_leader, partition.leader = True, leader.name
            partition.epoch, partition.position = leader.leads[number]
            led.setdefault(leader.name, []).append(number)
        for node in nodes:
            if number in node.follows:
                position = node.follows[number]
                lag = max(0, partition.position - position)
                partition.followers.add(node=node.name, position=position, lag=lag)
    for node in nodes:
        found.nodes.append(describe(node, led.get(node.name, ())))
    return found


def describe(node: Node, led: Iterable[int]) -> control_pb2.ClusterNode:
    """Returns a node with the partitions that it leads, as clients see it."""
    return control_pb2.ClusterNode(
        name=node.name,
        address=node.address,
        http_address=node.http_address,
        version=node.version,
        draining=node.draining,
        stopping=node.stopping,
        led_partitions=led,
        followed_count=len(node.follows),
        format_level=node.format_level,
    )


def _empty(
    facts: ClusterFacts, own_name: str, partition_count: int
) -> control_pb2.GetClusterResponse:
    return control_pb2.GetClusterResponse(
        system_id=facts.system_id,
        format_level=facts.format_level(),
        standby_count=facts.standbys,
        answering_node=own_name,
        partitions=[
            control_pb2.ClusterPartition(partition=number) for number in range(partition_count)
        ],
    )
