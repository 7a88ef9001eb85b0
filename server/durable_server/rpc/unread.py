"""The unread responses: what clients have been sent and do not take, and the end of those who do not.

gRPC holds a message that it was given until the client takes it, for as long as the connection lives.
A client may keep a connection alive without ever reading a response: then nothing that the handler of
a call does can end the call, because its status would come after the message. So the connection is
ended.

Rules:
- Messages of at least COUNTED_BYTES are counted; the others are bounded by the limit `streams`.
- While more than `unread_bytes` wait, a client gets no further response before it has taken the others,
  but an error that names the limit. So each of the others still gets its responses.
- While more than HARD times as much wait, nobody gets any.
- While more than half of `unread_bytes` wait, one connection is ended in each second: that with the
  most, among those whose oldest message has waited for SLOW_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from ..processor.errors import LimitReachedError

logger = logging.getLogger("durable.rpc")

COUNTED_BYTES: Final = 16 * 1024
"""The smallest message that is counted."""
SLOW_SECONDS: Final = 30.0
"""How long a message may wait when others are short of memory. It is longer than the HTTP surface waits
for its clients (`http.slow_clients`), because all of these share one connection to this server.
"""
HARD: Final = 4
_CHECK_SECONDS: Final = 1.0


class _Message:
    """A message that waits to be taken."""

    __slots__ = ("sent_at", "size")

    def __init__(self, size: int, sent_at: float) -> None:
        self.size = size
        self.sent_at = sent_at


class Unread:
    """What the clients of one gRPC server have not taken yet.

    `cut` ends the connection to a peer, given as gRPC names it.
    """

    def __init__(self, limit: int, cut: Callable[[str], object]) -> None:
        self._limit = limit
        self._cut = cut
        self._total = 0
        self._peers: dict[str, dict[_Message, None]] = {}
        """The messages of each peer, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def check(self, peer: str) -> None:
        """Raises LimitReachedError if no further response may be sent to a peer now."""
        limit = self._limit
        if self._total > limit and (peer in self._peers or self._total > HARD * limit):
            problem = "that many bytes of responses wait for clients that do not read them"
            raise LimitReachedError("unread_bytes", limit, problem)

    def sent(self, peer: str, size: int) -> Callable[[], None]:
        """Notes a message to a peer; returns what notes that it was taken, or given up."""
        loop = asyncio.get_running_loop()
        message = _Message(size, loop.time())
        self._peers.setdefault(peer, {})[message] = None
        self._total += size
        if self._total > self._limit // 2 and self._timer is None:
            self._timer = loop.call_later(_CHECK_SECONDS, self._check)

        def taken() -> None:
            messages = self._peers[peer]
            del messages[message]
            if not messages:
                del self._peers[peer]
            self._total -= size

        return taken

    def _check(self) -> None:
        self._timer = None
        if self._total <= self._limit // 2:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_CHECK_SECONDS, self._check)
        before = loop.time() - SLOW_SECONDS
        slow = [it for it, messages in self._peers.items() if next(iter(messages)).sent_at < before]
        if not slow:
            return
        size, peer = max((sum(m.size for m in self._peers[it]), it) for it in slow)
        logger.warning(
            "the connection of %s is ended: it has not taken %d bytes for %g s, and %d bytes wait for"
            " clients, of the %d that the limit unread_bytes permits",
            *(peer, size, SLOW_SECONDS, self._total, self._limit),
        )
        self._cut(peer)
