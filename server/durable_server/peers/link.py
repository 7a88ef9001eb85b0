"""A link that this node has dialled: one channel, one stream, until it ends once and for all.

Calls may be made from the moment in which the link exists; they wait until the node has accepted it.
Nothing is written before: gRPC may lose the reason of a refusal when a write meets the end of the
stream. `links` decides when a new link is dialled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import grpc

from durable_proto.node_v1 import node_pb2, node_pb2_grpc

from .caller import Caller
from .carrier import Carrier
from .handshake import Credentials, greeting
from .limits import LinkLimits
from .transport import CHANNEL_OPTIONS

logger = logging.getLogger("durable.peers")

_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.FAILED_PRECONDITION)


class Link:
    """A link to the node `node` at `address`.

    `accepted` is called when the node has accepted it, and `ended` with the reason when it is over.
    """

    def __init__(
        self,
        node: str,
        address: str,
        credentials: Credentials,
        limits: LinkLimits,
        accepted: Callable[[Link], None],
        ended: Callable[[Link, str], None],
    ) -> None:
        self.node = node
        self.address = address
        self._credentials = credentials
        self._on_accepted = accepted
        self._on_ended = ended
        self._carrier = Carrier(node_pb2.LinkRequest, node_pb2.LinkResponse, limits)
        self.caller = Caller(node, self._carrier.frames, limits)
        self._accepted = asyncio.Event()
        self.task = asyncio.create_task(self._run())
        """Ends with the link."""

    @property
    def accepted(self) -> bool:
        """Whether the node has accepted the link."""
        return self._accepted.is_set()

    @property
    def over(self) -> bool:
        """Whether the link is over: no call may be made on it."""
        return self._carrier.over

    def end(self, reason: str) -> None:
        """Ends the link; its calls raise PeerUnavailableError in the next turn of the event loop."""
        self._carrier.end(reason)

    async def _run(self) -> None:
        reason = "it was ended"
        try:
            async with grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS) as channel:
                stream = node_pb2_grpc.DurableNodeStub(channel).Link(
                    metadata=greeting(self._credentials, self.node)
                )

                async def write(frame: node_pb2.LinkRequest) -> None:
                    await self._accepted.wait()
                    await stream.write(frame)

                reason = await self._carrier.carry(stream.read, write, self._received)
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            if error.code() in _REFUSALS:
                reason = f"it refuses this node: {reason}"
        except Exception as error:
            reason = f"a defect of this node: {error}"
            logger.exception("the link to node %s fails", self.node)
        finally:
            self._carrier.end(reason)
            self.caller.end(f"node {self.node} at {self.address} cannot be asked: {reason}")
            self._on_ended(self, reason)

    def _received(self, frame: node_pb2.LinkResponse) -> None:
        if not self._accepted.is_set():
            self._accepted.set()
            self._on_accepted(self)
        self.caller.received(frame)
