"""The metrics of a node of a cluster: its lease, its partitions, and what goes between it and others.

They are part of `/metrics` of a process that is a node (`prometheus`), under the same rules. Each node
tells what it has itself; what concerns the whole cluster is a sum over the nodes. So each node has a
series for each partition, led here or not: a partition without a leader is one whose sum is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .cluster.members import Members
from .node.roles import Roles
from .node_parts import NodeParts
from .peers.tally import LinkTally
from .prometheus_fill import PARTITION, counted, fill
from .rpc.forwarding import Forwarding


class NodeSeries(Collector):
    """The series of one node."""

    def __init__(self, parts: Callable[[], NodeParts | None]) -> None:
        """`parts` returns None before the node is made, and always for a process that is none."""
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        parts = self._parts()
        if parts is not None:
            yield from _node(parts)
            yield from _partitions(parts.members, parts.roles)
            yield from _takeovers(parts.roles)
            yield from _forwarding(parts.forwarding)
            yield from _links(parts.links)


def _node(it: NodeParts) -> Iterator[Metric]:
    relayed = [worker for worker in it.workers if worker.outbound and worker.relayed]
    for name, text, value in (
        ("members", "Live nodes that this one knows, itself included.", len(it.members.live)),
        (
            "lease_held",
            "1 while this node has its lease, so that it may answer for its partitions.",
            it.members.current,
        ),
        (
            "draining",
            "1 while this node gives its partitions away, by command or because it stops.",
            it.roles.draining,
        ),
        (
            "unreachable",
            "Nodes to which this one cannot open sessions of its workers.",
            it.relay.unreachable_count,
        ),
        (
            "entry_sessions",
            "Sessions of workers that have dialled this node.",
            it.relay.session_count,
        ),
        (
            "relayed_sessions",
            "Sessions of workers that have dialled another node.",
            len(relayed),
        ),
    ):
        yield GaugeMetricFamily(f"durable_node_{name}", text, value=value)


def _partitions(members: Members, roles: Roles) -> Iterator[Metric]:
    leading = _gauge("partition_leading", "1 if this node leads the partition, else 0.")
    following = _gauge("partition_following", "1 if this node follows the partition, else 0.")
    position = _gauge(
        "partition_position",
        "The sequence of the log up to which this node has applied the partition.",
    )
    lag = _gauge(
        "follower_lag",
        "Batches by which this node is behind the leader, of a partition that it follows.",
    )
    leads, follows = roles.leads, roles.follows
    for partition in range(roles.partition_count):
        label = [str(partition)]
        leading.add_metric(label, partition in leads)
        following.add_metric(label, partition in follows)
        if partition in leads:
            position.add_metric(label, leads[partition][1])
        elif partition in follows:
            position.add_metric(label, follows[partition])
            leader = members.leader(partition)
            if leader is not None:
                behind = leader.leads[partition][1] - follows[partition]
                lag.add_metric(label, max(0, behind))
    yield from (leading, following, position, lag)


def _takeovers(roles: Roles) -> Iterator[Metric]:
    seconds = HistogramMetricFamily(
        "durable_takeover_seconds",
        "Time from the decision to lead a partition to leading it.",
    )
    fill(seconds, [], roles.takeover_seconds)
    yield seconds
    yield counted(
        "durable_leaderships_ended",
        "Times that this node has stopped leading a partition, by reason.",
        "reason",
        roles.leaderships_ended,
    )


def _forwarding(forwarding: Forwarding) -> Iterator[Metric]:
    yield counted(
        "durable_forwarded_requests",
        "Requests that were sent to another node, by what came of it.",
        "outcome",
        forwarding.tries,
    )
    yield CounterMetricFamily(
        "durable_leaderless_requests",
        "Requests that ended because no leader was found for the length of a takeover.",
        value=forwarding.given_up,
    )
    yield GaugeMetricFamily(
        "durable_requests_without_leader",
        "Requests that wait for a leader of their partition now.",
        value=forwarding.waiting,
    )


def _links(tally: LinkTally) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "durable_link_frames", "Frames written to other nodes.", value=tally.frames
    )
    yield CounterMetricFamily(
        "durable_link_bytes", "Bytes written to other nodes, about.", value=tally.bytes
    )
    yield counted(
        "durable_links",
        "Links to other nodes that this one has dialled, by what came of it.",
        "event",
        {"opened": tally.opened, "failed": tally.failed, "lost": tally.lost},
    )


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"durable_{name}", text, labels=[PARTITION])
