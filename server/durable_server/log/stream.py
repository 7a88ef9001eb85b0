"""The stream interface: what the leader's algorithm needs from the layer that stores messages.

A stream accepts a message at sequence expected+1 only if `expected` is its last sequence. That one
condition is all the ordering that a stream gives; `fenced` builds everything else on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

DeliverMessage: TypeAlias = Callable[[int, bytes], Awaitable[None]]
"""Takes a message of a stream, with its sequence."""


class WrongLastSequenceError(Exception):
    """The expected sequence is not the last one.

    Another message is at expected+1, or the stream is shorter than expected.
    """


class StreamUnavailableError(Exception):
    """There was no definite answer (timeout, lost connection, server error).

    A message that was published may be in the stream or not.
    """


class StreamClient(Protocol):
    """A client of one stream of numbered messages.

    All methods but `close` may raise StreamUnavailableError and LogDataLostError.
    """

    name: str
    """The stream's name, for error messages."""
    max_frame: int
    """Bytes of the largest message; valid once `bounds` has answered."""
    stale_reads: bool
    """Whether `bounds` may for a while not include an acknowledged append, because a replica that is no
    longer the leader answers.
    """
    on_lost: Callable[[str], None]
    """Called with the reason when the connection to the stream is lost."""

    async def bounds(self, create: bool) -> tuple[int, int]:
        """Returns the first and the last sequence.

        (1, 0) when nothing was ever written, (last+1, last) when everything is trimmed. With `create`
        a missing stream is created; without, it counts as empty.
        """
        ...

    async def publish(self, data: bytes, expected: int) -> None:
        """Stores `data` durably at sequence expected+1.

        Raises WrongLastSequenceError when `expected` is not the last sequence.
        """
        ...

    async def fetch(self, sequence: int) -> bytes | None:
        """Returns the message at `sequence`; None when there is none."""
        ...

    async def read(self, first: int, last: int, deliver: DeliverMessage) -> None:
        """Delivers the messages `first` to `last` in order.

        Some of them may have been delivered when it raises.
        """
        ...

    async def purge(self, below: int) -> None:
        """Removes the messages before `below`."""
        ...

    async def close(self) -> None:
        """Closes the connection and forgets the stream; the next call starts anew."""
        ...
