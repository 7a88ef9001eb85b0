"""A link that this node has dialled: one connection, until it ends once and for all.

Calls may be made from the moment in which the link exists; they wait until the node has accepted it.
Nothing but the greeting is written before: what the node would not read could cost the reason of its
refusal. `links` decides when a new link is dialled.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from durable_proto.node_v1 import node_pb2

from .caller import Caller
from .carrier import Carrier
from .handshake import Credentials, greeting
from .interface import OnBehalf
from .limits import LinkLimits
from .tally import LinkTally
from .transport import FrameConnection, FrameError, LinkTls

logger = logging.getLogger("durable.peers")


class _EndedThereError(Exception):
    """The other node has ended the link, or refused it; the message says why."""


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
        tally: LinkTally,
        on_behalf: OnBehalf,
        tls: LinkTls | None,
    ) -> None:
        self.node = node
        self.address = address
        self._credentials = credentials
        self._tls = tls
        self._on_accepted = accepted
        self._on_ended = ended
        self._carrier = Carrier(node_pb2.LinkRequest, node_pb2.LinkResponse, limits, tally)
        self.caller = Caller(node, self._carrier.frames, limits, on_behalf)
        self._accepted = asyncio.Event()
        self._connection: FrameConnection | None = None
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
            reason = await self._carrier.carry(self._read, self._write, self._received)
        except (_EndedThereError, FrameError) as error:
            reason = str(error)
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is refused: {error.verify_message.rstrip('.')}"
        except OSError as error:
            reason = error.strerror or str(error) or "the connection is gone"
        except Exception as error:
            reason = f"a defect of this node: {error}"
            logger.exception("the link to node %s fails", self.node)
        finally:
            self._carrier.end(reason)
            self.caller.end(f"node {self.node} at {self.address} cannot be asked: {reason}")
            self._on_ended(self, reason)
            if self._connection is not None:
                await self._connection.close()

    async def _read(self) -> node_pb2.LinkResponse | None:
        """Reads a frame; the first time it connects before."""
        if self._connection is None:
            self._connection = await FrameConnection.dial(self.address, self._tls)
            hello = greeting(self._credentials, self.node)
            await self._connection.write(node_pb2.LinkRequest(greeting=hello))
        frame = await self._connection.read(node_pb2.LinkResponse)
        if frame is None and not self.accepted:
            # A side that refuses a handshake says no more than that.
            raise _EndedThereError(
                "it has closed the connection before it answered: have both nodes TLS, and does each"
                " trust the authority of the other's certificate?"
            )
        if frame is not None and frame.ended:
            refused = "" if self.accepted else "it refuses this node: "
            raise _EndedThereError(refused + frame.ended)
        return frame

    async def _write(self, frame: node_pb2.LinkRequest) -> None:
        await self._accepted.wait()
        assert self._connection is not None
        await self._connection.write(frame)

    def _received(self, frame: node_pb2.LinkResponse) -> None:
        if not self._accepted.is_set():
            self._accepted.set()
            self._on_accepted(self)
        self.caller.received(frame)
