"""The server of a node for the other nodes: a port of its own, on which links are accepted.

It serves nothing but links, and a link only to nodes of the same system (handshake.py).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext

from durable_proto.node_v1 import node_pb2

from .answerer import Answerer
from .carrier import Carrier
from .handshake import Credentials, HandshakeError, check_greeting
from .interface import Acting, Methods
from .limits import LinkLimits
from .tally import LinkTally
from .transport import (
    ENDING_SECONDS,
    GREETING_BYTES,
    FrameConnection,
    FrameError,
    LinkTls,
    Listening,
    bind,
    serve,
)

logger = logging.getLogger("durable.peers")


class NodeAddressError(Exception):
    """The address to listen on is taken, or is not one of this machine."""


class PeerServer:
    """Answers the methods that other nodes call."""

    def __init__(
        self,
        credentials: Credentials,
        methods: Methods,
        limits: LinkLimits = LinkLimits(),  # noqa: B008  # immutable
        tally: LinkTally | None = None,
        acting: Acting = nullcontext,
        tls: LinkTls | None = None,
    ) -> None:
        self._credentials = credentials
        self._methods = methods
        self._limits = limits
        self._tally = tally
        self._acting = acting
        self._tls = tls
        self._server: Listening | None = None
        self._links: dict[Carrier[node_pb2.LinkResponse, node_pb2.LinkRequest], Answerer] = {}
        self._connections: set[asyncio.Task[None]] = set()
        """The tasks of all connections."""
        self._ungreeted: dict[FrameConnection, None] = {}
        """The connections without a greeting yet, the oldest first."""
        self._stopping = False

    async def start(self, listen: str) -> str:
        """Starts to serve on `HOST:PORT`; returns the address with the port that it listens on.

        Raises NodeAddressError.
        """
        try:
            listening = bind(listen)
        except OSError as error:
            raise NodeAddressError(
                f"cannot listen on {listen} for other nodes: it is taken by another process or is not "
                "an address of this machine; choose another with --node-listen HOST:PORT"
            ) from error
        self._server = serve(
            listening, self._accepted, self._tls, handshakes=self._limits.ungreeted
        )
        return f"{listen.rpartition(':')[0]}:{listening.getsockname()[1]}"

    async def stop(self, grace: float) -> None:
        """Takes no new calls, gives the open ones `grace` seconds, and ends all links."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        await asyncio.gather(*(answerer.stop(grace) for answerer in self._links.values()))
        for carrier in self._links:
            carrier.finish("it stops")
        if self._server is not None:
            self._server.close()
        if self._connections:
            # The end of a connection takes two times this at most.
            rest = max(2 * ENDING_SECONDS, deadline - loop.time())
            await asyncio.wait(self._connections, timeout=rest)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accepted(self, connection: FrameConnection) -> None:
        """Serves one connection; see node.proto."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        ended = ""
        try:
            caller = await self._greeted(connection)
            ended = await self._serve(caller, connection)
        except HandshakeError as error:
            logger.warning("a link from %s is refused: %s", connection.other, error)
            ended = str(error)
        except asyncio.CancelledError:
            # By `stop`. This task belongs to asyncio's stream, which logs it as a failure otherwise.
            ended = f"node {self._credentials.name} stops"
        finally:
            await connection.end(node_pb2.LinkResponse(ended=ended))
            self._connections.discard(task)

    async def _greeted(self, connection: FrameConnection) -> str:
        """Returns the name of the node that opens a link; raises HandshakeError if it may not."""
        if len(self._ungreeted) >= self._limits.ungreeted:
            oldest = next(iter(self._ungreeted))
            del self._ungreeted[oldest]
            oldest.abort()
        self._ungreeted[connection] = None
        try:
            async with asyncio.timeout(self._limits.silence_seconds):
                frame = await connection.read(node_pb2.LinkRequest, GREETING_BYTES)
        except (TimeoutError, OSError, FrameError) as error:
            raise HandshakeError(str(error) or "no greeting came") from None
        finally:
            self._ungreeted.pop(connection, None)
        if frame is None:
            raise HandshakeError("no greeting came")
        caller = check_greeting(self._credentials, frame.greeting)
        if self._stopping:
            raise HandshakeError(f"node {self._credentials.name} stops")
        return caller

    async def _serve(self, caller: str, connection: FrameConnection) -> str:
        """Serves a link until it ends; returns what to tell the other node about it."""
        carrier = Carrier(node_pb2.LinkResponse, node_pb2.LinkRequest, self._limits, self._tally)
        answerer = Answerer(caller, self._methods, carrier.frames, self._limits, self._acting)
        self._links[carrier] = answerer
        logger.info("node %s has opened a link", caller)

        async def read() -> node_pb2.LinkRequest | None:
            return await connection.read(node_pb2.LinkRequest)

        reason = "the connection is gone"
        try:
            reason = await carrier.carry(read, connection.write, answerer.received)
        except (OSError, FrameError) as error:
            reason = str(error) or reason
        finally:
            del self._links[carrier]
            answerer.end(f"the link from node {caller} has ended: {reason}")
            logger.info("the link from node %s has ended: %s", caller, reason)
        return f"node {self._credentials.name} has ended the link: {reason}"
