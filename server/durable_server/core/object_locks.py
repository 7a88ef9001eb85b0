"""Object keys: who has its turn, and in which order the others wait.

An exclusive handler is alone on its key from its first attempt to its end, while it is suspended,
backs off or is paused as well: what it has read of the state stays true. The order is the order of
arrival: acceptance, or for a delayed start the time when it was due. A paused one keeps its place.

`Invocation.turn` is the place, in the store too, from which the queues are made anew at a start.
"""

from __future__ import annotations

from collections import deque

from .model import Invocation
from .partition import Partition


def take(partition: Partition, invocation: Invocation) -> bool:
    """Gives the invocation a place, if it has none; says whether it has its turn."""
    scope = invocation.state_owner
    queue = partition.turns.get(scope)
    if queue is None:
        queue = partition.turns[scope] = deque()
    if not invocation.turn:
        partition.last_turn += 1
        invocation.turn = partition.last_turn
        partition.changes.touch(invocation)
        queue.append(invocation.id)
    return queue[0] == invocation.id


def give_back(partition: Partition, invocation: Invocation) -> Invocation | None:
    """Takes the invocation's place away; returns who has its turn because of that."""
    scope = invocation.state_owner
    queue = partition.turns[scope]
    had_turn = queue[0] == invocation.id
    queue.remove(invocation.id)
    invocation.turn = 0
    if not queue:
        del partition.turns[scope]
        return None
    return partition.find(queue[0]) if had_turn else None
