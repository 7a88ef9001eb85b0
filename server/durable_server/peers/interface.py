"""What one node can ask of another, independent of how the bytes travel.

A node calls a method of another node by name, with bytes and for bytes, or opens a stream to it, on
which both sides send parts. What the bytes mean is known to those who call and to those who answer:
requests of clients, sessions of workers, messages between partitions. A call that a node makes for a
client or worker says so, again in bytes that only they understand.

A call whose link breaks has an unknown outcome (PeerUnavailableError). So whoever repeats it must know
that a second time does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from google.rpc import status_pb2


class PeerUnavailableError(Exception):
    """The node cannot be reached, or the link to it broke; whether it has done anything is unknown."""


class PeerRefusedError(Exception):
    """The node has refused the call. As text it is the message of the status."""

    def __init__(self, status: bytes) -> None:
        super().__init__(status)
        self.status = status
        """A serialised `google.rpc.Status`, as the node would have sent it to a client."""

    def __str__(self) -> str:
        message: str = status_pb2.Status.FromString(self.status).message
        return message


class UnreadableError(Exception):
    """What another node has sent is not what the method takes; raised by a method."""


class PeerStream(Protocol):
    """One stream between two nodes, as either side sees it."""

    def send(self, part: bytes) -> None:
        """Adds a part to the next frame. Does nothing once the stream has ended."""
        ...

    async def receive(self) -> bytes | None:
        """Returns the next part of the other side; None when it has closed its half.

        Raises PeerUnavailableError when the link broke or the other side gave the stream up, and, for
        the side that opened it, PeerRefusedError.
        """
        ...

    def close(self) -> None:
        """Says that no more parts follow. What was sent before still arrives."""
        ...

    def cancel(self) -> None:
        """Gives the stream up; the other side's handler is cancelled, or its `receive` raises."""
        ...


class Peers(Protocol):
    """The other nodes, by name."""

    async def call(self, node: str, method: str, body: bytes, timeout: float | None) -> bytes:  # noqa: ASYNC109  # one timer is cheaper than a scope
        """Calls a method of a node; `timeout` is in seconds.

        Raises PeerUnavailableError, also when no answer comes in time, and PeerRefusedError. A call
        that is late, or whose caller is cancelled, is cancelled over there.
        """
        ...

    def open(self, node: str, method: str, body: bytes) -> PeerStream:
        """Opens a stream; the method's handler gets `body` and its side of the stream.

        If the node cannot be reached, `receive` raises PeerUnavailableError.
        """
        ...


Answer = Callable[[bytes], Awaitable[bytes]]
"""A method that is called: takes the body and returns the answer. It may raise PeerRefusedError."""
Serve = Callable[[bytes, PeerStream], Awaitable[None]]
"""A method to which streams are opened. The stream ends for both sides when it returns; it may raise
PeerRefusedError.
"""


OnBehalf = Callable[[], bytes]
"""Returns for whom the current task makes its calls; empty when it is for this node itself."""
Acting = Callable[[bytes], AbstractContextManager[object]]
"""Makes a method run on behalf of whom the other node has named; see `OnBehalf`."""


def nobody() -> bytes:
    """Says that all calls are made for this node itself: an `OnBehalf`."""
    return b""


class Methods(Protocol):
    """What a node answers to others, by the names of the methods."""

    @property
    def calls(self) -> Mapping[str, Answer]:
        """The methods that are called."""
        ...

    @property
    def streams(self) -> Mapping[str, Serve]:
        """The methods to which streams are opened."""
        ...
