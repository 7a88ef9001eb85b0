"""DrainNode: makes a node of a cluster lead nothing, or its share again, by a command of an operator.

Any node takes the command and passes it on to the node that it names. That one leaves the assignment
(`cluster.placement`), and from then on the usual rules move its partitions to the others, one by one.

Rules:
- The command is refused if no other node could take over: then the partitions would stay where they
  are. Nodes that drain already cannot, so the last one of several is refused.
- The node forgets the command when it stops, so that a restart is always a way back.
- A wait ends with each partition that leaves, so that whoever waits sees the progress and nobody polls.
  It also ends when the drain is undone, so that a repeated command does not bring it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import grpc

from durable_proto.v1 import control_pb2, errors_pb2

from ..core.limits import Limits
from ..peers.interface import PeerRefusedError, Peers, PeerUnavailableError
from . import convert
from .cluster import describe
from .refusal import Refusal, invalid, unavailable
from .topology import Changes, Node, Topology


class Draining:
    """Executes DrainNode here or at the node that it names."""

    def __init__(
        self,
        topology: Topology,
        peers: Peers,
        changes: Changes,
        set_drained: Callable[[bool], None],
        limits: Limits,
    ) -> None:
        self._topology = topology
        self._peers = peers
        self._changes = changes
        self._set_drained = set_drained
        self._limits = limits
        self._closed = False

    def close(self) -> None:
        """Ends all waits at the next change, because this node stops."""
        self._closed = True

    async def answer(self, request: control_pb2.DrainNodeRequest) -> control_pb2.DrainNodeResponse:
        """Executes a request of a client. Raises Refusal."""
        name = request.node
        if not name:
            raise invalid("node", "is empty; say which node it is")
        live = self._topology.live
        node = live.get(name)
        if node is None:
            raise _not_found(name, live)
        if name == self._topology.name:
            return await self.here(request)
        try:
            data = await self._peers.call(name, "DrainNode", request.SerializeToString(), None)
        except PeerUnavailableError:
            raise unavailable(
                "unreachable",
                f"node {name} at {node.address} cannot be reached from node {self._topology.name}",
            ) from None
        except PeerRefusedError as error:
            raise Refusal.of_status(error.status) from None
        return control_pb2.DrainNodeResponse.FromString(data)

    async def here(self, request: control_pb2.DrainNodeRequest) -> control_pb2.DrainNodeResponse:
        """Executes a request that names this node. Raises Refusal."""
        wait = 0.0
        if request.HasField("wait_timeout"):
            wait = convert.wait_seconds(request.wait_timeout, self._limits.wait_seconds)
        if request.undo:
            self._set_drained(False)
            return self._response()
        self._check_successors()
        self._set_drained(True)
        end = asyncio.get_running_loop().time() + wait
        count = len(self._own.leads)
        while (own := self._own).leads and len(own.leads) >= count and own.draining:
            if self._closed:
                break
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self._changes.wait(left)
            self._check_successors()
        return self._response()

    @property
    def _own(self) -> Node:
        return self._topology.live[self._topology.name]

    def _response(self) -> control_pb2.DrainNodeResponse:
        own = self._own
        return control_pb2.DrainNodeResponse(node=describe(own, sorted(own.leads)))

    def _check_successors(self) -> None:
        """Raises Refusal if no other node can take over."""
        own = self._topology.name
        others = {name: node for name, node in self._topology.live.items() if name != own}
        if any(not it.draining for it in others.values()):
            return
        if not others:
            problem = "no other node is live: start one"
        elif len(others) == 1:
            problem = f"the only other node, {next(iter(others))}, drains too: undo that first"
        else:
            names = ", ".join(sorted(others))
            problem = f"all others ({names}) drain too: undo the drain of one first"
        raise _no_other_node(own, f"nobody can take over what node {own} leads: {problem}", others)


def no_cluster(name: str) -> Refusal:
    """Returns the error for a control plane that is no cluster."""
    return _no_other_node(
        name, "this control plane is one process without --node: nobody can take over from it", ()
    )


def _no_other_node(name: str, message: str, draining: Mapping[str, Node] | tuple[()]) -> Refusal:
    return Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        errors_pb2.ERROR_REASON_NO_OTHER_NODE,
        message,
        node=name,
        draining=",".join(sorted(draining)),
    )


def _not_found(name: str, live: Mapping[str, Node]) -> Refusal:
    names = sorted(live)
    return Refusal(
        grpc.StatusCode.NOT_FOUND,
        errors_pb2.ERROR_REASON_NODE_NOT_FOUND,
        f"no live node has the name {name!r}; live: {', '.join(names)}",
        node=name,
        live=",".join(names),
    )
