"""The resend buffer: the final messages of recent attempts, which have no acknowledgement.

Finished, Continued, AttemptFailed, Held and Released have no ack. When a session breaks, those that
were sent last may be lost. So the worker sends them again on the next session, together with the
entries of their attempt that were not acknowledged, and the server drops what it already has.

A lost final message costs a replay and nothing else: the server starts every attempt again that the
worker does not list when it reconnects. So the buffer may be bounded, and drops the oldest first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from durable_proto.v1 import worker_pb2

KEPT_MAX: Final = 1_024
"""Attempts. More than end during the time that a broken session takes to be noticed, in most cases."""
KEPT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of all messages together."""


class FinalMessages(NamedTuple):
    """The final message of an attempt, after its entries that were not acknowledged."""

    time: float
    """When it was queued to be sent, by the event loop's clock."""
    invocation_id: str
    number: int
    messages: list[worker_pb2.WorkerMessage]
    size_bytes: int


class ResendBuffer:
    """The final messages that may have to be sent again, oldest first."""

    def __init__(self) -> None:
        self._kept: Final[deque[FinalMessages]] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[FinalMessages]:
        return iter(self._kept)

    def keep(self, time: float, messages: list[worker_pb2.WorkerMessage]) -> None:
        """Keeps an attempt's entries without an ack and, last in the list, its final message."""
        final = messages[-1]
        size = sum(message.ByteSize() for message in messages)
        self._kept.append(FinalMessages(time, final.invocation_id, final.attempt, messages, size))
        self._bytes += size
        while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
            self._drop_oldest()

    def drop_before(self, time: float) -> None:
        """Drops what was queued before a time, because it has certainly arrived."""
        while self._kept and self._kept[0].time < time:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._bytes -= self._kept.popleft().size_bytes
