"""Invocations that wait for a worker, by handler: higher priority first, then as they got ready.

Only ids are kept, and nothing is ever taken out of the middle: an id whose invocation is not PENDING
any more when its turn comes is skipped.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self) -> None:
        self._queues: dict[str, list[tuple[int, int, str]]] = {}
        """For each handler a heap of (minus priority, arrival, invocation id)."""
        self._arrivals = count()

    def push(self, handler: str, priority: int, invocation_id: str) -> None:
        """Adds an invocation behind those of its handler that have at least its priority."""
        queue = self._queues.get(handler)
        if queue is None:
            queue = self._queues[handler] = []
        heapq.heappush(queue, (-priority, next(self._arrivals), invocation_id))

    def has(self, handler: str) -> bool:
        """Says whether anything waits for a handler."""
        return handler in self._queues

    def pop(self, handler: str) -> str:
        """Takes the first of a handler's queue."""
        queue = self._queues[handler]
        invocation_id = heapq.heappop(queue)[2]
        if not queue:
            del self._queues[handler]
        return invocation_id

    def handlers(self) -> Iterator[str]:
        """Returns the handlers for which something waits."""
        return iter(tuple(self._queues))
