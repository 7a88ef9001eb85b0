"""The moves that records share: how a state changes, an entry ends, an invocation ends.

Each notes what the store must write and what must be done, so that a rule which uses them cannot
forget either. `turns` (object keys) is used from here: whoever becomes ready or ends gets or gives
back its turn on the way.
"""

from __future__ import annotations

from typing import TypeAlias

from . import object_locks
from .effects import Changed, Complete, Effect, Free, Ready, SetTimer
from .model import Handler, HandlerKind, Invocation, State
from .partition import Partition
from .records import WAKE
from .states import FINAL, Event, after

Effects: TypeAlias = list[Effect]


def handler_of(partition: Partition, invocation: Invocation) -> Handler:
    """Returns what was declared about an invocation's handler."""
    return partition.handlers.get(invocation.handler) or Handler(invocation.handler)


def owned(partition: Partition, invocation_id: str, attempt: int) -> Invocation | None:
    """Returns the invocation if it is in this attempt and a worker owns it.

    What a worker owns is RUNNING, and so always in memory.
    """
    invocation = partition.invocations.get(invocation_id)
    if invocation is None or invocation.attempt != attempt or not invocation.worker_id:
        return None
    return invocation


def disown(invocation: Invocation, effects: Effects, *, suspended: bool = False) -> None:
    """The worker does not own the attempt any more."""
    effects.append(Free(invocation.worker_id, invocation.id, invocation.attempt, suspended))
    invocation.worker_id = ""


def move(
    partition: Partition, invocation: Invocation, event: Event, now_ms: int, effects: Effects
) -> None:
    """Changes the state as the table says."""
    partition.changes.leaves(invocation)
    invocation.state = after(invocation.state, event)
    invocation.updated_ms = now_ms
    partition.changes.touch(invocation)
    effects.append(Changed(invocation))


def make_ready(partition: Partition, invocation: Invocation, effects: Effects) -> None:
    """The invocation, PENDING, wants a worker: now, or when its turn on its object key comes."""
    if invocation.kind == HandlerKind.OBJECT_EXCLUSIVE and not object_locks.take(
        partition, invocation
    ):
        return
    effects.append(Ready(invocation))


def end(
    partition: Partition,
    invocation: Invocation,
    event: Event,
    outcome: bytes,
    now_ms: int,
    effects: Effects,
) -> None:
    """Ends the invocation: its waiters get the outcome, the next on its object key has its turn."""
    invocation.outcome = outcome
    invocation.completed_ms = now_ms
    invocation.wake_ms = invocation.deadline_ms = 0
    invocation.expire_ms = now_ms + handler_of(partition, invocation).retention_ms
    move(partition, invocation, event, now_ms, effects)
    ending = (invocation.handler, invocation.state)
    partition.endings[ending] = partition.endings.get(ending, 0) + 1
    if invocation.turn:
        following = object_locks.give_back(partition, invocation)
        if following is not None and following.state is State.PENDING:
            effects.append(Ready(following))
    if invocation.waiters:
        for waiter_id, index in invocation.waiters:
            complete_if_open(partition, waiter_id, index, outcome, now_ms, effects)
        invocation.waiters = ()
        partition.changes.ended.append(invocation.id)


def hold(
    partition: Partition, invocation: Invocation, reason: str, now_ms: int, effects: Effects
) -> None:
    """Holds the invocation for a person, by the system's own decision."""
    invocation.pause_reason = reason
    invocation.pause_identity = "durable"
    invocation.pause_ms = now_ms
    move(partition, invocation, Event.HOLD, now_ms, effects)


def hold_if_asked(
    partition: Partition, invocation: Invocation, now_ms: int, effects: Effects
) -> bool:
    """Holds an attempt that has just ended without a verdict, if a pause was asked for."""
    if not invocation.pause_ms:
        return False
    move(partition, invocation, Event.HOLD, now_ms, effects)
    return True


def forget_pause(invocation: Invocation) -> None:
    """The invocation is not held, and no pause is asked for."""
    invocation.pause_reason = invocation.pause_identity = ""
    invocation.pause_ms = 0


def back_off(
    partition: Partition, invocation: Invocation, delay_ms: int, now_ms: int, effects: Effects
) -> None:
    """Lets the next attempt wait."""
    invocation.wake_ms = now_ms + delay_ms
    move(partition, invocation, Event.BACK_OFF, now_ms, effects)
    effects.append(SetTimer(invocation.wake_ms, invocation.id, WAKE))


def complete_entry(
    partition: Partition,
    invocation: Invocation,
    index: int,
    outcome: bytes,
    now_ms: int,
    effects: Effects,
    signal: int = 0,
) -> None:
    """Ends an open entry; wakes the invocation or tells the worker that runs it.

    `signal` is the number of the signal that ends it, if one does.
    """
    invocation.completions += 1
    completion = invocation.completions
    invocation.recorded[index] = completion
    invocation.opened.pop(index, None)
    invocation.journal_bytes += len(outcome)
    partition.changes.completions.append(
        (outcome, completion, now_ms, signal, invocation.number, index)
    )
    if invocation.state is State.SUSPENDED:
        move(partition, invocation, Event.WAKE, now_ms, effects)
        make_ready(partition, invocation, effects)
    elif invocation.worker_id:
        effects.append(
            Complete(
                invocation.worker_id,
                invocation.id,
                invocation.attempt,
                index,
                outcome,
                completion,
                now_ms,
            )
        )


def complete_if_open(
    partition: Partition,
    invocation_id: str,
    index: int,
    outcome: bytes,
    now_ms: int,
    effects: Effects,
) -> None:
    """Ends an entry of an invocation that may be gone, or may have it ended already."""
    invocation = partition.find(invocation_id)
    if (
        invocation is not None
        and invocation.state not in FINAL
        and invocation.recorded.get(index) == 0
    ):
        complete_entry(partition, invocation, index, outcome, now_ms, effects)
