"""The last words of attempts, kept for a while because nothing says that they have arrived.

Finished, AttemptFailed and Held have no ack. When a session breaks, those of its last moments may be
lost; they are said again on the next one, together with the entries of their attempt that were not
acknowledged, and the server drops what it knows. Losing one costs a replay and no more: the server
starts what the worker does not list. So how many are kept is bounded, and the oldest go first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from durable_proto.v1 import worker_pb2

KEPT_MAX: Final = 1_024
KEPT_BYTES_MAX: Final = 16 * 1024 * 1024


class Farewell(NamedTuple):
    """What an attempt said last."""

    time: float
    invocation_id: str
    number: int
    messages: list[worker_pb2.WorkerMessage]
    size_bytes: int


class LastWords:
    """The last words that may have to be said again, oldest first."""

    def __init__(self) -> None:
        self._kept: Final[deque[Farewell]] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Farewell]:
        return iter(self._kept)

    def keep(self, time: float, messages: list[worker_pb2.WorkerMessage]) -> None:
        """Keeps what an attempt said last: entries without ack, then its end."""
        end = messages[-1]
        size = sum(message.ByteSize() for message in messages)
        self._kept.append(Farewell(time, end.invocation_id, end.attempt, messages, size))
        self._bytes += size
        while len(self._kept) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
            self._forget()

    def forget_before(self, time: float) -> None:
        """Forgets what was said before a time: it can be taken to have arrived."""
        while self._kept and self._kept[0].time < time:
            self._forget()

    def _forget(self) -> None:
        self._bytes -= self._kept.popleft().size_bytes
