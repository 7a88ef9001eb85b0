"""What the leader's algorithm needs from below: a row of numbered slots, and two ways to fail.

A message enters slot expected+1 only if `expected` is the last slot in use. That one condition is all
the ordering there is; everything else is made of it in `fenced`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class SlotTakenError(Exception):
    """The expected sequence is not the last one: something is at expected+1, or the row is shorter
    than that.
    """


class SlotTroubleError(Exception):
    """No definite answer (timeout, lost connection, server error): the message may be in or not."""


class Slots(Protocol):
    """A row of numbered slots. All methods but `close` may raise SlotTroubleError and
    LogDataLostError.
    """

    name: str
    """For error messages."""
    max_frame: int
    """Bytes of the largest message; valid once `bounds` has answered."""
    stale_reads: bool
    """Whether `bounds` may for a while answer from before an acknowledged append (a replica that
    lost its lead).
    """

    on_lost: Callable[[str], None]
    """Called with the reason when what the row is reached by was lost."""

    async def bounds(self, create: bool) -> tuple[int, int]:
        """The first and the last sequence; (1, 0) when nothing was ever written, (last+1, last)
        when all is trimmed.

        `create` allows making the row when it does not exist; without, a missing row is an empty
        one.
        """
        ...

    async def publish(self, data: bytes, expected: int) -> None:
        """Puts `data` into slot expected+1, durably. Raises SlotTakenError when `expected` is not
        the last one.
        """
        ...

    async def fetch(self, sequence: int) -> bytes | None:
        """What is in the slot, None when nothing is."""
        ...

    async def read(self, first: int, last: int, deliver: Callable[[int, bytes], None]) -> None:
        """Delivers the slots `first` to `last` in order; on trouble some may have been
        delivered.
        """
        ...

    async def purge(self, below: int) -> None:
        """Removes the slots before `below`."""
        ...

    async def close(self) -> None:
        """Lets go and forgets; the next call starts afresh."""
        ...
