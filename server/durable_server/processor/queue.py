"""The ready queue: the invocations that wait for a worker, by priority and then in order of arrival.

There is one queue for each pair of a handler and the version of it that an invocation needs, because
each pair has workers of its own. `heads` gives the order in which the queues are served, so that a long
queue cannot keep a slot from the others for ever, and a queue whose workers are busy does not keep the
others from theirs.

The queues hold only ids, each once, and nothing is removed from the middle: the dispatcher skips an id
whose invocation is not PENDING any more when it comes to the front.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[int, int]
"""Minus the priority, and the order of arrival."""


LAST = 1 << 62
"""An arrival after all others."""


class Wanted(NamedTuple):
    """The kind of worker that an invocation waits for."""

    handler: str
    version: str
    """The version that has written its journal; empty when any version may run it."""


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self, arrivals: Iterator[int]) -> None:
        """`arrivals` numbers the invocations; several queues may share it."""
        self._queues: dict[Wanted, list[tuple[Place, str]]] = {}
        """For each a heap."""
        self._waiting: set[str] = set()
        self._arrivals = arrivals

    def push(self, wanted: Wanted, priority: int, invocation_id: str) -> None:
        """Adds an invocation behind those of at least its priority, unless it is queued already."""
        if invocation_id in self._waiting:
            return
        self._waiting.add(invocation_id)
        queue = self._queues.get(wanted)
        if queue is None:
            queue = self._queues[wanted] = []
        heapq.heappush(queue, ((-priority, next(self._arrivals)), invocation_id))

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._queues)

    def has(self, wanted: Wanted) -> bool:
        """Returns whether an invocation waits for this."""
        return wanted in self._queues

    @property
    def wants_version(self) -> bool:
        """Whether an invocation waits for a certain version."""
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

    def firsts(self) -> Iterable[tuple[Wanted, Place]]:
        """Yields what the first of each queue waits for, with its place."""
        return ((wanted, queue[0][0]) for wanted, queue in self._queues.items())

    def sizes(self) -> Iterable[tuple[Wanted, int]]:
        """Yields what each queue waits for, with its length."""
        return ((wanted, len(queue)) for wanted, queue in self._queues.items())

    def heads(self) -> list[tuple[Place, Wanted]]:
        """Returns the first place of each queue with what it waits for, as a heap."""
        heads = [(queue[0][0], wanted) for wanted, queue in self._queues.items()]
        heapq.heapify(heads)
        return heads
