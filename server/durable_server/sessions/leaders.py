"""The leaders of the partitions, as a session of a worker uses them: which node gets which message.

A session has one such list for its whole life. When another node leads a partition, what the worker
had sent to the one before may be lost, so the list is not changed: the worker reconnects, names the
attempts that it holds, sends again what was not acknowledged, and its next session has a new list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from ..processor.router import Router


class Member(Protocol):
    """A node, as far as sessions need to know it."""

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        ...

    @property
    def leads(self) -> Mapping[int, tuple[int, int]]:
        """The epoch and the last sequence of the log, for each partition that it leads."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether it gives its partitions away because it stops."""
        ...


class Topology(Protocol):
    """Who lives and who leads, as far as this node knows."""

    @property
    def name(self) -> str:
        """The name of this node."""
        ...

    @property
    def live(self) -> Mapping[str, Member]:
        """The nodes that live, this one included, by name."""
        ...

    @property
    def current(self) -> bool:
        """Whether this node still counts as live for the others, as far as it can know."""
        ...

    def leader(self, partition: int) -> Member | None:
        """Returns the node that leads a partition; None if none is known."""
        ...

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` when any of that has changed; returns what ends this."""
        ...


class Leader(NamedTuple):
    """The leader of one partition."""

    node: str
    epoch: int
    """A node that lost a partition and has it again leads it in a later epoch."""


class Leaders:
    """The present leaders of all partitions."""

    def __init__(self, router: Router, topology: Topology) -> None:
        self.node = topology.name
        """The name of this node."""
        self._router = router
        self._topology = topology

    def now(self, unreachable: Container[str]) -> Sequence[Leader | None]:
        """Returns the leader of each partition; None where none is known that can be reached."""
        here = {it.partition.index: Leader(self.node, it.epoch) for it in self._router.all()}
        return [
            here.get(partition) or self._elsewhere(partition, unreachable)
            for partition in range(self._router.count)
        ]

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Calls `changed` whenever a leader may have changed; returns what ends this."""
        endings = self._router.listen(changed), self._topology.listen(changed)

        def end() -> None:
            for it in endings:
                it()

        return end

    def partition(self, invocation_id: str) -> int:
        """Returns the number of the partition of an invocation."""
        return self._router.partition(invocation_id)

    @property
    def current(self) -> bool:
        """See `Topology.current`; if not, what is known here of the leaders may be old."""
        return self._topology.current

    @property
    def stopping(self) -> bool:
        """Whether this node gives its partitions away because it stops."""
        own = self._topology.live.get(self.node)
        return own is not None and own.stopping

    @property
    def leads_here(self) -> bool:
        """Whether this node leads a partition."""
        return bool(self._router.all())

    def serving(self) -> Collection[str]:
        """Returns the names of the nodes that live and do not stop."""
        return [name for name, it in self._topology.live.items() if not it.stopping]

    def others(self) -> Iterable[str]:
        """Returns the names of the other nodes that live."""
        return [it for it in self._topology.live if it != self.node]

    def leads_any(self, node: str) -> bool:
        """Returns whether another node leads a partition."""
        found = map(self._topology.leader, range(self._router.count))
        return any(it is not None and it.name == node for it in found)

    def _elsewhere(self, partition: int, unreachable: Container[str]) -> Leader | None:
        member = self._topology.leader(partition)
        if member is None or member.name in unreachable or member.name == self.node:
            return None  # this node's own record may be older than its router
        return Leader(member.name, member.leads[partition][0])


def outdated(used: Sequence[Leader | None], now: Sequence[Leader | None]) -> bool:
    """Returns whether a session that uses some leaders needs others.

    A partition that has lost its leader is no reason by itself: the session ends when there is a new
    one.
    """
    return any(it is not None and it != old for old, it in zip(used, now, strict=True))
