"""The links of this node to the others: dialled on demand, kept, and dialled anew when they broke.

A link is dialled by the first call that needs it. When it ends, its calls raise, and the next call
dials again. After a failed attempt it dials only when a pause is over, so that a node that is down is
not dialled for each call; until then calls raise at once. A link to an address that is not the node's
any more is ended.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from .handshake import Credentials
from .interface import OnBehalf, PeerStream, PeerUnavailableError, nobody
from .limits import LinkLimits
from .link import Link
from .stream import EndedStream
from .tally import LinkTally
from .transport import LinkTls

logger = logging.getLogger("durable.peers")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class _Node:
    """What is known about one other node."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.pause = 0.0
        """How long the next failure keeps calls from dialling, at most."""
        self.dial_at = 0.0
        """From when on a call may dial, on the clock of the event loop."""
        self.problem = ""
        """Why the last link ended; empty once one is accepted."""


class Links:
    """The other nodes: `Peers`.

    `addresses` gives the internal address of a node, or None for one that is not live.
    """

    def __init__(
        self,
        credentials: Credentials,
        addresses: Callable[[str], str | None],
        limits: LinkLimits = LinkLimits(),  # noqa: B008  # immutable
        on_behalf: OnBehalf = nobody,
        tls: LinkTls | None = None,
    ) -> None:
        self.tally = LinkTally()
        """What was written to links, and how they have begun and ended."""
        self._credentials = credentials
        self._addresses = addresses
        self._limits = limits
        self._on_behalf = on_behalf
        self._tls = tls
        self._nodes: dict[str, _Node] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """The tasks of all links that have not ended."""
        self._closed = False

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109  # one timer is cheaper than a scope
        """See `Peers.call`; without an answer within `timeout` it raises PeerUnavailableError."""
        return await self._link(node).caller.call(method, body, timeout)

    def open(self, node: str, method: str, body: bytes) -> PeerStream:
        """See `Peers.open`. If the node cannot be reached, `receive` of the stream says so."""
        try:
            link = self._link(node)
        except PeerUnavailableError as error:
            return EndedStream(error)
        return link.caller.open(method, body)

    def drop(self, node: str) -> None:
        """Ends the link to a node, if there is one, because the node is not live any more."""
        self._drop(node, "it is not live any more")

    async def close(self) -> None:
        """Ends all links; every later call raises PeerUnavailableError."""
        self._closed = True
        for node in list(self._nodes):
            self._drop(node, "this node stops")
        if self._ending:
            await asyncio.wait(list(self._ending))

    def _drop(self, node: str, reason: str) -> None:
        known = self._nodes.pop(node, None)
        if known is not None and known.link is not None:
            logger.info("the link to node %s is ended: %s", node, reason)
            known.link.end(reason)

    def _link(self, node: str) -> Link:
        """Returns the link to a node and dials it if need be; raises PeerUnavailableError."""
        if self._closed:
            raise PeerUnavailableError("this node stops")
        address = self._addresses(node)
        if address is None:
            self.drop(node)
            raise PeerUnavailableError(f"node {node} is not live")
        known = self._nodes.get(node)
        if known is not None and (link := known.link) is not None:
            if link.address != address:
                self._drop(node, f"its address is {address} now")
                known = None
            elif not link.over:
                return link
        if known is None:
            known = self._nodes[node] = _Node()
        if asyncio.get_running_loop().time() < known.dial_at:
            raise PeerUnavailableError(f"node {node} at {address} cannot be asked: {known.problem}")
        link = Link(
            *(node, address, self._credentials, self._limits, self._on_accepted, self._on_ended),
            *(self.tally, self._on_behalf, self._tls),
        )
        known.link = link
        self._ending.add(link.task)
        link.task.add_done_callback(self._ending.discard)
        return link

    def _on_accepted(self, link: Link) -> None:
        known = self._nodes.get(link.node)
        if known is None or known.link is not link:
            return
        self.tally.opened += 1
        known.pause = 0.0
        known.problem = ""
        logger.info("linked to node %s at %s", link.node, link.address)

    def _on_ended(self, link: Link, reason: str) -> None:
        known = self._nodes.get(link.node)
        if known is None or known.link is not link:
            return  # it was dropped
        known.link = None
        if link.accepted:
            self.tally.lost += 1
        else:
            self.tally.failed += 1
        if not known.problem:
            # Once until a link is accepted again, not with each attempt.
            logger.warning(
                "the link to node %s at %s has ended: %s", link.node, link.address, reason
            )
        known.problem = reason
        if not link.accepted:
            known.pause = min(max(known.pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
            pause = known.pause * random.uniform(0.5, 1.0)
            known.dial_at = asyncio.get_running_loop().time() + pause
