"""Object locks: which invocation of an exclusive handler may run on an object key, and who is next.

An exclusive handler holds the lock of its key from its first attempt to its end, also while it is
suspended, backs off or is paused: so what it has read of the state stays true. The queue is in order
of arrival: of acceptance, or for a delayed start of the time when it was due. An invocation that is
paused while it waits keeps its place.

`Invocation.turn` is the place in the queue. The store has it too, and the queues are rebuilt from it
when a leader starts.
"""

from __future__ import annotations

from collections import deque

from .model import Invocation
from .transaction import Transaction


def acquire(tx: Transaction, invocation: Invocation) -> bool:
    """Puts the invocation into the queue if it is not there; says whether it holds the lock."""
    partition = tx.partition
    scope = invocation.state_owner
    queue = partition.turns.get(scope)
    if queue is None:
        queue = partition.turns[scope] = deque()
    if not invocation.turn:
        partition.last_turn += 1
        invocation.turn = partition.last_turn
        tx.changes.touch(invocation)
        queue.append(invocation.id)
    return queue[0] == invocation.id


def release(tx: Transaction, invocation: Invocation) -> Invocation | None:
    """Removes the invocation from the queue; returns the one that gets the lock because of that."""
    turns = tx.partition.turns
    scope = invocation.state_owner
    queue = turns[scope]
    held = queue[0] == invocation.id
    queue.remove(invocation.id)
    invocation.turn = 0
    if not queue:
        del turns[scope]
        return None
    return tx.find(queue[0]) if held else None
