"""The parts of a node of which `/metrics` tells, as the composition root has made them.

They are not in `prometheus_node`, which reads them, because that needs an extra and this must not.
"""

from __future__ import annotations

from dataclasses import dataclass

from .cluster.members import Members
from .node.roles import Roles
from .peers.tally import LinkTally
from .processor.workers import Workers
from .rpc.forwarding import Forwarding
from .rpc.relay import Relay


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of a node that have something to tell in `/metrics`."""

    members: Members
    roles: Roles
    links: LinkTally
    forwarding: Forwarding
    relay: Relay
    workers: Workers
