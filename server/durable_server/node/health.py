"""The readiness of a node: whether clients and workers should come to it now, and if not, why.

A node that leads nothing is ready, because it passes requests on. It is not ready

- before it has joined, and while no node that it knows leads a partition;
- without its lease: NATS does not answer it, or its own NATS server is out of the majority. A shorter
  interruption does not count, because a request that comes then only waits;
- while another process locks the store of a partition that it leads, or the disk is full;
- from the moment when it begins to stop, so that whoever watches its health goes elsewhere while it
  still serves.

A single log that does not answer is no reason: another node would not get further with it, and this
one gives the partition up before long.
"""

from __future__ import annotations

from collections.abc import Callable

from ..processor.router import Router
from .roles import MembersPort, Roles


class NodeHealth:
    """The readiness of one node, as the health checks of gRPC and HTTP report it."""

    def __init__(self, members: MembersPort, roles: Roles, router: Router) -> None:
        self._members = members
        self._roles = roles
        self._router = router
        self._joined = False

    @property
    def problem(self) -> str:
        """Why this node should not be used now, for people; empty when it should."""
        name = self._members.name
        if self._roles.stopping:
            return f"node {name} stops"
        if self._members.current:
            self._joined = True
        elif self._joined:
            return (
                f"node {name} has no lease: NATS does not acknowledge its record, so other nodes may"
                " lead its partitions"
            )
        else:
            return f"node {name} has not joined the cluster yet"
        if not any(it.leads for it in self._members.live.values()):
            return f"no live node leads a partition, as node {name} sees it"
        return next((it.store_problem for it in self._router.all() if it.store_problem), "")

    def on_problem_changed(self, changed: Callable[[], None]) -> None:
        """Calls `changed` whenever `problem` may have changed."""
        self._members.listen(changed)
        self._router.on_problem_changed(changed)
