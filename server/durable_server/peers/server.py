"""The server of a node for the other nodes: a port of its own, on which links are accepted.

It serves nothing but DurableNode, neither reflection nor health, and a link only to nodes of the same
system (handshake.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc

from durable_proto.node_v1 import node_pb2, node_pb2_grpc

from .answerer import Answerer
from .carrier import Carrier
from .handshake import Credentials, HandshakeError, check_greeting
from .interface import Methods
from .limits import LinkLimits
from .transport import SERVER_OPTIONS

logger = logging.getLogger("durable.peers")

_ENDING_SECONDS = 0.5
"""How long a server that stops waits at least until the ends of its links are written."""

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class NodeAddressError(Exception):
    """The address to listen on is taken, or is not one of this machine."""


class PeerServer(node_pb2_grpc.DurableNodeServicer):
    """Answers the methods that other nodes call."""

    def __init__(
        self,
        credentials: Credentials,
        methods: Methods,
        limits: LinkLimits = LinkLimits(),  # noqa: B008  # immutable
    ) -> None:
        self._credentials = credentials
        self._methods = methods
        self._limits = limits
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._links: dict[Carrier[node_pb2.LinkResponse, node_pb2.LinkRequest], Answerer] = {}
        self._stopping = False
        node_pb2_grpc.add_DurableNodeServicer_to_server(self, self._server)

    async def start(self, listen: str) -> str:
        """Starts to serve on `HOST:PORT`; returns the address with the port that it listens on.

        Raises NodeAddressError.
        """
        host = listen.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise NodeAddressError(
                f"cannot listen on {listen} for other nodes: it is taken by another process or is not "
                "an address of this machine; choose another with --node-listen HOST:PORT"
            ) from error
        await self._server.start()
        return f"{host}:{port}"

    async def stop(self, grace: float) -> None:
        """Takes no new calls, gives the open ones `grace` seconds, and ends all links."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        await asyncio.gather(*(answerer.stop(grace) for answerer in self._links.values()))
        for carrier in self._links:
            carrier.finish("it stops")
        # Calls that end by themselves have the connections closed without an error.
        await self._server.stop(max(_ENDING_SECONDS, deadline - loop.time()))

    # The stubs only know servicers that yield; grpc.aio also takes a coroutine that writes.
    async def Link(  # type: ignore[override]
        self, request_iterator: AsyncIterator[node_pb2.LinkRequest], context: Context
    ) -> None:
        """Serves one link; see node.proto."""
        try:
            caller = check_greeting(self._credentials, context.invocation_metadata() or ())
        except HandshakeError as error:
            logger.warning("a link from %s is refused: %s", context.peer(), error)
            await context.abort(error.code, str(error))
        if self._stopping:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this node stops")
        # The initial metadata is sent first and awaited. It would go with the first frame, and if the
        # link's end cut off that write, the library would send it again with the status. That fails,
        # and the other node would never learn of the end.
        await context.send_initial_metadata(())
        carrier = Carrier(node_pb2.LinkResponse, node_pb2.LinkRequest, self._limits)
        answerer = Answerer(caller, self._methods, carrier.frames, self._limits)
        self._links[carrier] = answerer
        logger.info("node %s has opened a link", caller)
        reason = "the connection is gone"
        try:
            reason = await carrier.carry(context.read, context.write, answerer.received)
        finally:
            del self._links[carrier]
            answerer.end(f"the link from node {caller} has ended: {reason}")
            logger.info("the link from node %s has ended: %s", caller, reason)
        name = self._credentials.name
        await context.abort(
            grpc.StatusCode.UNAVAILABLE, f"node {name} has ended the link: {reason}"
        )
