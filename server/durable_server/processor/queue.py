"""Invocations that wait for a worker, by handler, in the order in which they got ready.

Only ids are kept, and nothing is ever taken out of the middle: an id whose invocation is not PENDING
any more when its turn comes is skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[str]] = {}

    def push(self, handler: str, invocation_id: str) -> None:
        """Adds an invocation at the end of its handler's queue."""
        queue = self._queues.get(handler)
        if queue is None:
            queue = self._queues[handler] = deque()
        queue.append(invocation_id)

    def has(self, handler: str) -> bool:
        """Says whether anything waits for a handler."""
        return handler in self._queues

    def pop(self, handler: str) -> str:
        """Takes the first of a handler's queue."""
        queue = self._queues[handler]
        invocation_id = queue.popleft()
        if not queue:
            del self._queues[handler]
        return invocation_id

    def handlers(self) -> Iterator[str]:
        """Returns the handlers for which something waits."""
        return iter(tuple(self._queues))
