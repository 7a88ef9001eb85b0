"""The ready queue: the invocations that wait for a worker, by priority and then in order of arrival.

There is one queue for each kind of worker that invocations wait for (`Wanted`), because each kind has
workers of its own. `heads` gives the order in which the queues are served, so that a long
queue cannot keep a slot from the others for ever, and a queue whose workers are busy does not keep the
others from theirs.

The queues hold only ids, and nothing is removed from the middle: the dispatcher skips an id whose
invocation is not PENDING any more when it comes to the front. An id that moves to another queue,
because its invocation needs another worker now, leaves an entry behind, which is skipped too.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

Place: TypeAlias = tuple[int, int]
"""Minus the priority, and the order of arrival."""


LAST = 1 << 62
"""An arrival after all others."""


class Wanted(NamedTuple):
    """The kind of worker that an invocation waits for."""

    handler: str
    version: str = ""
    """The version that has written its journal, if workers of that version come first."""
    build: str = ""
    """The build whose workers alone may take it; empty when those of any build may."""


class ReadyQueue:
    """The queues of one partition."""

    def __init__(self, arrivals: Iterator[int]) -> None:
        """`arrivals` numbers the invocations; several queues may share it."""
        self._queues: dict[Wanted, list[tuple[Place, str]]] = {}
        """For each a heap, whose first entry is never one that was left behind."""
        self._waiting: dict[str, Wanted] = {}
        """The queue of each id."""
        self._left: dict[Wanted, int] = {}
        """How many entries were left behind in a queue, if any."""
        self._arrivals = arrivals

    def push(self, wanted: Wanted, priority: int, invocation_id: str) -> None:
        """Adds an invocation behind those of at least its priority.

        One that waits for the same already keeps its place; one that waits for something else moves.
        """
        known = self._waiting.get(invocation_id)
        if known == wanted:
            return
        if known is not None:
            self._leave(known, invocation_id)
        self._waiting[invocation_id] = wanted
        queue = self._queues.get(wanted)
        if queue is None:
            queue = self._queues[wanted] = []
        heapq.heappush(queue, ((-priority, next(self._arrivals)), invocation_id))

    def _leave(self, wanted: Wanted, invocation_id: str) -> None:
        """Removes an id from a queue; its entry stays until it is the first."""
        del self._waiting[invocation_id]
        self._left[wanted] = self._left.get(wanted, 0) + 1
        self._skip(wanted)

    def _skip(self, wanted: Wanted) -> None:
        """Removes the entries at the front of a queue that were left behind, and an empty queue."""
        queue = self._queues[wanted]
        while queue and wanted in self._left and self._waiting.get(queue[0][1]) != wanted:
            heapq.heappop(queue)
            self._left[wanted] -= 1
            if not self._left[wanted]:
                del self._left[wanted]
        if not queue:
            del self._queues[wanted]

    def move(self, wanted_now: Callable[[str, Wanted], Wanted]) -> None:
        """Moves each id to the queue of what it wants now, with its place.

        `wanted_now` gets the id and what it wanted.
        """
        queues, self._queues = self._queues, {}
        waiting, self._waiting, self._left = self._waiting, {}, {}
        for before, queue in queues.items():
            for entry in queue:
                invocation_id = entry[1]
                # An id that has moved away and back has two entries in its queue.
                if waiting.get(invocation_id) != before or invocation_id in self._waiting:
                    continue
                wanted = wanted_now(invocation_id, before)
                self._waiting[invocation_id] = wanted
                self._queues.setdefault(wanted, []).append(entry)
        for queue in self._queues.values():
            heapq.heapify(queue)

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._queues)

    def has(self, wanted: Wanted) -> bool:
        """Returns whether an invocation waits for this."""
        return wanted in self._queues

    @property
    def wants_certain(self) -> bool:
        """Whether an invocation waits for workers of a certain version or build."""
        return any(wanted.version or wanted.build for wanted in self._queues)

    def head(self, wanted: Wanted) -> Place:
        """Returns the place of the first of a queue."""
        return self._queues[wanted][0][0]

    def pop(self, wanted: Wanted) -> str:
        """Takes the first of a queue."""
        queue = self._queues[wanted]
        invocation_id = heapq.heappop(queue)[1]
        self._waiting.pop(invocation_id, None)
        if not queue or self._left:
            self._skip(wanted)
        return invocation_id

    def firsts(self) -> Iterable[tuple[Wanted, Place]]:
        """Yields what the first of each queue waits for, with its place."""
        return ((wanted, queue[0][0]) for wanted, queue in self._queues.items())

    def sizes(self) -> Iterable[tuple[Wanted, int]]:
        """Yields what each queue waits for, with its length."""
        left = self._left
        return (
            (wanted, len(queue) - left.get(wanted, 0)) for wanted, queue in self._queues.items()
        )

    def builds(self) -> Iterator[tuple[str, Wanted]]:
        """Yields the ids that wait for workers of a certain build, with what they wait for."""
        if any(wanted.build for wanted in self._queues):
            for invocation_id, wanted in self._waiting.items():
                if wanted.build:
                    yield invocation_id, wanted

    def heads(self) -> list[tuple[Place, Wanted]]:
        """Returns the first place of each queue with what it waits for, as a heap."""
        heads = [(queue[0][0], wanted) for wanted, queue in self._queues.items()]
        heapq.heapify(heads)
        return heads
