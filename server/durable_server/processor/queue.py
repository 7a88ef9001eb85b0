"""Invocations that wait for a worker: higher priority first, then as they got ready.

They wait by handler, since each handler has workers and a bound of its own; `heads` says in which order
the handlers are served, so that none with a long queue keeps a slot from the others for ever.

Only ids are kept, each once, and nothing is ever taken out of the middle: an id whose invocation is not
PENDING any more when its turn comes is skipped.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TypeAlias

Place: TypeAlias = tuple[int, int]
"""Minus the priority, and the order of arrival."""


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self) -> None:
        self._queues: dict[str, list[tuple[Place, str]]] = {}
        """For each handler a heap."""
        self._waiting: set[str] = set()
        self._arrivals = count()

    def push(self, handler: str, priority: int, invocation_id: str) -> None:
        """Adds an invocation behind those that have at least its priority, if it is not here."""
        if invocation_id in self._waiting:
            return
        self._waiting.add(invocation_id)
        queue = self._queues.get(handler)
        if queue is None:
            queue = self._queues[handler] = []
        heapq.heappush(queue, ((-priority, next(self._arrivals)), invocation_id))

    def has(self, handler: str) -> bool:
        """Says whether anything waits for a handler."""
        return handler in self._queues

    def head(self, handler: str) -> Place:
        """Returns the place of the first of a handler's queue."""
        return self._queues[handler][0][0]

    def pop(self, handler: str) -> str:
        """Takes the first of a handler's queue."""
        queue = self._queues[handler]
        invocation_id = heapq.heappop(queue)[1]
        self._waiting.discard(invocation_id)
        if not queue:
            del self._queues[handler]
        return invocation_id

    def heads(self) -> list[tuple[Place, str]]:
        """Returns the first place and the handler of each queue, as a heap."""
        heads = [(queue[0][0], handler) for handler, queue in self._queues.items()]
        heapq.heapify(heads)
        return heads
