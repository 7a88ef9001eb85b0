"""Views of a cluster: its nodes, and its partitions with their leaders and followers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from durable_proto.v1 import control_pb2


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A node of a cluster: one control plane process."""

    name: str
    """Its name; empty for a control plane that is no cluster."""
    address: str
    """HOST:PORT where it serves clients and workers."""
    version: str
    """Its version."""
    draining: bool
    """Whether it gives its partitions to other nodes and takes none, by command or because it stops."""
    stopping: bool
    """Whether it does so because it stops, which cannot be undone."""
    led_partitions: tuple[int, ...]
    """The partitions that it leads."""
    followed_count: int
    """How many partitions it follows."""
    format_level: int = 0
    """The newest format level that it can read; see `Cluster.format_level`."""

    @classmethod
    def of(cls, message: control_pb2.ClusterNode) -> ClusterNode:
        """Returns the view of a message."""
        return cls(
            name=message.name,
            address=message.address,
            version=message.version,
            draining=message.draining,
            stopping=message.stopping,
            led_partitions=tuple(message.led_partitions),
            followed_count=message.followed_count,
            format_level=message.format_level,
        )

    @property
    def state(self) -> str:
        """What it does, in one word: `serving`, `draining`, `drained` (it leads nothing any more) or
        `stopping`."""
        if self.stopping:
            return "stopping"
        if not self.draining:
            return "serving"
        return "draining" if self.led_partitions else "drained"


@dataclass(frozen=True, slots=True)
class ClusterFollower:
    """A node that follows a partition, ready to lead it."""

    node: str
    """The name of the node."""
    position: int
    """The last position of the log that it has applied."""
    lag: int
    """How many frames of the log it is behind the leader."""


@dataclass(frozen=True, slots=True)
class ClusterPartition:
    """A partition of the control plane."""

    partition: int
    """Its number, from 0."""
    leader: str | None
    """The name of the node that leads it; None while no node does."""
    epoch: int
    """The leader's epoch."""
    position: int
    """The position of the log's last frame."""
    followers: tuple[ClusterFollower, ...]
    """Its followers, by name."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes and the partitions of a control plane, as one of its nodes knows them."""

    system_id: str
    """The id of the system; empty in local mode."""
    format_level: int
    """What its logs may hold; the same for all nodes."""
    standby_count: int
    """How many followers each partition has if there are enough nodes."""
    answering_node: str
    """The name of the node that has answered."""
    nodes: tuple[ClusterNode, ...]
    """The live nodes, by name."""
    partitions: tuple[ClusterPartition, ...]
    """All partitions, by number."""

    @classmethod
    def of(cls, message: control_pb2.GetClusterResponse) -> Cluster:
        """Returns the view of a message."""
        return cls(
            system_id=message.system_id,
            format_level=message.format_level,
            standby_count=message.standby_count,
            answering_node=message.answering_node,
            nodes=tuple(map(ClusterNode.of, message.nodes)),
            partitions=tuple(
                ClusterPartition(
                    partition=it.partition,
                    leader=it.leader if it.has_leader else None,
                    epoch=it.epoch,
                    position=it.position,
                    followers=tuple(
                        ClusterFollower(node=one.node, position=one.position, lag=one.lag)
                        for one in it.followers
                    ),
                )
                for it in message.partitions
            ),
        )

    @property
    def leaderless(self) -> tuple[int, ...]:
        """The partitions that no node leads."""
        return tuple(it.partition for it in self.partitions if it.leader is None)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, for JSON."""
        return asdict(self)
