"""The handlers that another node knows: asked for when a node needs one that it does not know.

A partition that had no leader while a worker registered its handlers lacks them, and its next leader
may lead no other partition that has them. That is rare and lasts until the worker has connected again,
but an invocation may come meanwhile.

The body of a call is the handler's name; the answer is a batch with one `HandlerRegistered`, as it
would be in the log, or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ..cluster.level import SystemLevel
from ..core.model import Handler
from ..core.records import HandlerRegistered
from ..log.batch import Batch, decode, encode
from ..peers.interface import PeerRefusedError, Peers, PeerUnavailableError, UnreadableError
from ..processor.router import Router

METHOD = "Handler"
_TIMEOUT_SECONDS = 2.0
"""How long the question may take: a caller waits for it."""


class HandlersOut:
    """Asks all other nodes for a handler. An instance is a `router.AskHandler`."""

    def __init__(self, peers: Peers, others: Callable[[], Iterable[str]]) -> None:
        """`others` returns the names of the other nodes that live."""
        self._peers = peers
        self._others = others

    async def __call__(self, name: str) -> Handler | None:
        """Returns the answer of the first node that knows it; None if none does."""
        asked = [asyncio.ensure_future(self._ask(node, name)) for node in self._others()]
        try:
            for answer in asyncio.as_completed(asked):
                found = await answer
                if found is not None:
                    return found
        finally:
            for it in asked:
                it.cancel()
        return None

    async def _ask(self, node: str, name: str) -> Handler | None:
        try:
            answer = await self._peers.call(node, METHOD, name.encode(), _TIMEOUT_SECONDS)
        except (PeerUnavailableError, PeerRefusedError):
            return None
        if not answer:
            return None
        [record] = decode(answer).records
        assert isinstance(record, HandlerRegistered)
        return record.handler


class HandlersIn:
    """Answers other nodes. A `peers.Answer`."""

    def __init__(self, router: Router, level: SystemLevel) -> None:
        """`level` says what all nodes can read."""
        self._router = router
        self._level = level

    async def __call__(self, body: bytes) -> bytes:
        """Returns the handler with this name; nothing if this node does not know it."""
        try:
            name = body.decode()
        except UnicodeDecodeError as error:
            raise UnreadableError("the name of a handler is not UTF-8") from error
        found = self._router.known(name)
        return (
            b"" if found is None else encode(Batch(0, [HandlerRegistered(found)]), self._level.now)
        )
