"""The cluster, as an operator sees it: the nodes and the partitions, for GetCluster.

The answer is made of what the live nodes say of themselves, so any node can give it. A control plane
that is no cluster answers as its only node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from durable_proto.v1 import control_pb2

from .. import __version__
from .topology import Topology


class ClusterFacts(NamedTuple):
    """What does not change while a control plane runs."""

    system_id: str = ""
    format_level: int = 0
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
    found.nodes.add(address=address, version=__version__, led_partitions=sorted(leads))
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
        found.nodes.add(
            name=node.name,
            address=node.address,
            version=node.version,
            draining=node.draining,
            led_partitions=led.get(node.name, ()),
            followed_count=len(node.follows),
        )
    return found


def _empty(
    facts: ClusterFacts, own_name: str, partition_count: int
) -> control_pb2.GetClusterResponse:
    return control_pb2.GetClusterResponse(
        system_id=facts.system_id,
        format_level=facts.format_level,
        standby_count=facts.standbys,
        answering_node=own_name,
        partitions=[
            control_pb2.ClusterPartition(partition=number) for number in range(partition_count)
        ],
    )
