"""Invocations that wait for a worker: higher priority first, then as they got ready.

They wait by handler and by the version of it that they want, since each such pair has workers of its
own; `heads` says in which order the pairs are served, so that none with a long queue keeps a slot from
the others for ever, and none whose workers are busy keeps the others from theirs.

Only ids are kept, each once, and nothing is ever taken out of the middle: an id whose invocation is not
PENDING any more when its turn comes is skipped.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[int, int]
"""Minus the priority, and the order of arrival."""


class Wanted(NamedTuple):
    """What an invocation waits for."""

    handler: str
    version: str
    """The version that has written its journal; empty when any will do."""


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self) -> None:
        self._queues: dict[Wanted, list[tuple[Place, str]]] = {}
        """For each a heap."""
        self._waiting: set[str] = set()
        self._arrivals = count()

    def push(self, wanted: Wanted, priority: int, invocation_id: str) -> None:
        """Adds an invocation behind those that have at least its priority, if it is not here."""
        if invocation_id in self._waiting:
            return
        self._waiting.add(invocation_id)
        queue = self._queues.get(wanted)
        if queue is None:
            queue = self._queues[wanted] = []
        heapq.heappush(queue, ((-priority, next(self._arrivals)), invocation_id))

    def has(self, wanted: Wanted) -> bool:
        """Says whether anything waits for this."""
        return wanted in self._queues

    @property
    def wants_version(self) -> bool:
        """Whether anything waits for a certain version."""
        return any(wanted.version for wanted in self._queues)

    def head(self, wanted: Wanted) -> Place:
        """Returns the place of the first of a queue."""
        return self._queues[wanted][0][0]

    def pop(self, wanted: Wanted) -> str:
        """Takes the first of a queue."""
        queue = self._queues[wanted]
        invocation_id = heapq.heappop(queue)[1]
        self._waiting.discard(invocation_id)
        if not queue:
            del self._queues[wanted]
        return invocation_id

    def heads(self) -> list[tuple[Place, Wanted]]:
        """Returns the first place of each queue with what is waited for there, as a heap."""
        heads = [(queue[0][0], wanted) for wanted, queue in self._queues.items()]
        heapq.heapify(heads)
        return heads
