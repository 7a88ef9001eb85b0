"""The limits of a link: how long it may be silent, and how much may wait on it."""

from __future__ import annotations

from typing import NamedTuple


class LinkLimits(NamedTuple):
    """The limits of one link. Both nodes keep them, each for its own side."""

    silence_seconds: float = 5.0
    """A link on which nothing is heard for so long is ended; at the latest a quarter later. A side that
    has nothing to write sends a heartbeat every quarter of it.
    """
    open_calls: int = 100_000
    """How many calls and streams a node has open at one other node. A call over it is refused."""
    unwritten_bytes: int = 256 * 1024 * 1024
    """How much may wait to be written. Over it the link is ended, because the other node reads nothing
    or too slowly.
    """
    unread_bytes: int = 128 * 1024 * 1024
    """How much of one stream may wait to be received. Over it this side gives the stream up."""
    ungreeted: int = 300
    """How many connections of a node may wait for the greeting of the other side: more than there are
    nodes, which may all dial at once. With one more, the one that has waited longest is closed, because
    a node greets at once, and whoever else reaches the port must not use up the open files of this
    process. As many may be in the handshake of TLS before that.
    """
