"""Object locks: which invocation of an exclusive handler may run on an object key, and who is next.

An exclusive handler holds the lock of its key from its first attempt to its end, also while it is
suspended, backs off or is paused: so what it has read of the state stays true. The queue is in order
of arrival: of acceptance, or for a delayed start of the time at which it was due. An invocation that is
paused while it waits keeps its place.

`Invocation.lock_place` is the place in the queue. The store has it too, in its column `turn`, and a
leader rebuilds the queues from it when it starts.
"""

from __future__ import annotations

from collections import deque

from .model import Invocation
from .partition import Partition
from .transaction import Transaction


def acquire(tx: Transaction, invocation: Invocation) -> bool:
    """Puts the invocation into the queue if it is not there; returns whether it holds the lock."""
    partition = tx.partition
    scope = invocation.state_owner
    queue = partition.lock_queues.get(scope)
    if queue is None:
        queue = partition.lock_queues[scope] = deque()
    if not invocation.lock_place:
        partition.last_lock_place += 1
        invocation.lock_place = partition.last_lock_place
        tx.changes.touch(invocation)
        queue.append(invocation.id)
    return queue[0] == invocation.id


def waits(partition: Partition, invocation: Invocation) -> bool:
    """Returns whether another invocation holds the lock that this one is in the queue for."""
    if not invocation.lock_place:
        return False
    return partition.lock_queues[invocation.state_owner][0] != invocation.id


def release(tx: Transaction, invocation: Invocation) -> Invocation | None:
    """Removes the invocation from the queue; returns the one that gets the lock because of that."""
    queues = tx.partition.lock_queues
    scope = invocation.state_owner
    queue = queues[scope]
    held = queue[0] == invocation.id
    queue.remove(invocation.id)
    invocation.lock_place = 0
    if not queue:
        del queues[scope]
        return None
    return tx.find(queue[0]) if held else None
