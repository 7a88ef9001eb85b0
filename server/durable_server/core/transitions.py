"""The transitions: what rules share to change a lifecycle state, end an entry or end an invocation.

Each function also notes what the store must write and what must be done afterwards, so a rule that
uses it cannot forget either. Object locks are acquired and released here, where an invocation becomes
ready and where it ends.
"""

from __future__ import annotations

from . import ids, object_locks
from .changes import EntryCompletion
from .effects import Changed, Complete, Ready, SetTimer
from .messages import CompleteEntry, ReleaseAwakeable
from .model import Handler, HandlerKind, Invocation, State
from .records import WAKE
from .states import FINAL, Event, after
from .transaction import Transaction


def handler_of(tx: Transaction, invocation: Invocation) -> Handler:
    """Returns the declaration of an invocation's handler, or the defaults if there is none."""
    return tx.partition.handlers.get(invocation.handler) or Handler(invocation.handler)


def owned(tx: Transaction, invocation_id: str, attempt: int) -> Invocation | None:
    """Returns the invocation if it is in this attempt and a worker owns it, else None.

    An invocation that a worker owns is RUNNING, and therefore in memory.
    """
    invocation = tx.invocations.get(invocation_id)
    if invocation is None or invocation.attempt != attempt or not invocation.worker_id:
        return None
    return invocation


def change_state(tx: Transaction, invocation: Invocation, event: Event) -> None:
    """Changes the lifecycle state as the table in `states` says."""
    tx.changes.leaves(invocation)
    invocation.state = after(invocation.state, event)
    invocation.updated_ms = tx.now_ms
    tx.changes.touch(invocation)
    tx.effects.append(Changed(invocation))


def make_ready(tx: Transaction, invocation: Invocation) -> None:
    """Offers a PENDING invocation to the dispatcher: now, or once it holds its object lock."""
    if invocation.kind == HandlerKind.OBJECT_EXCLUSIVE and not object_locks.acquire(tx, invocation):
        return
    tx.effects.append(Ready(invocation))


def release(tx: Transaction, invocation: Invocation) -> None:
    """Lets another worker go on at once, after an attempt that ended without a result."""
    change_state(tx, invocation, Event.RELEASE)
    make_ready(tx, invocation)


def back_off(tx: Transaction, invocation: Invocation, delay_ms: int) -> None:
    """Delays the next attempt."""
    invocation.wake_ms = tx.now_ms + delay_ms
    change_state(tx, invocation, Event.BACK_OFF)
    tx.effects.append(SetTimer(invocation.wake_ms, invocation.id, WAKE))


def hold(tx: Transaction, invocation: Invocation, reason: str) -> None:
    """Pauses the invocation by the system's own decision, until a person resumes it."""
    invocation.pause_reason = reason
    invocation.pause_identity = "durable"
    invocation.pause_ms = tx.now_ms
    change_state(tx, invocation, Event.PAUSE)


def pause_if_requested(tx: Transaction, invocation: Invocation) -> bool:
    """Pauses an invocation whose attempt has just ended without a result, if that was requested."""
    if not invocation.pause_ms:
        return False
    change_state(tx, invocation, Event.PAUSE)
    return True


def clear_pause(invocation: Invocation) -> None:
    """Removes a pause, or the request for one."""
    invocation.pause_reason = invocation.pause_identity = ""
    invocation.pause_ms = 0


def end(tx: Transaction, invocation: Invocation, event: Event, outcome: bytes) -> None:
    """Ends the invocation: gives its outcome to its waiters and its object lock to the next one."""
    now_ms = tx.now_ms
    invocation.outcome = outcome
    invocation.completed_ms = now_ms
    invocation.wake_ms = invocation.deadline_ms = 0
    invocation.expire_ms = now_ms + handler_of(tx, invocation).retention_ms
    change_state(tx, invocation, event)
    endings = tx.partition.endings
    ending = (invocation.handler, invocation.state)
    endings[ending] = endings.get(ending, 0) + 1
    if invocation.lock_place:
        following = object_locks.release(tx, invocation)
        if following is not None and following.state is State.PENDING:
            tx.effects.append(Ready(following))
    if invocation.waiters:
        for waiter_id, index in invocation.waiters:
            _answer_waiter(tx, waiter_id, index, outcome, invocation.id)
        invocation.waiters = ()
        tx.changes.waiters_removed.append(invocation.id)
    if invocation.claims:
        release_awakeables(tx, invocation, removed=False)


def complete_entry(
    tx: Transaction, invocation: Invocation, index: int, outcome: bytes, signal: int = 0
) -> None:
    """Completes an open entry; wakes the invocation, or tells the worker that runs it.

    `signal` is the number of the signal that completes it; 0 for none.
    """
    invocation.completions += 1
    completion = invocation.completions
    invocation.recorded[index] = completion
    invocation.opened.pop(index, None)
    invocation.journal_bytes += len(outcome)
    tx.changes.completions.append(
        EntryCompletion(outcome, completion, tx.now_ms, signal, invocation.number, index)
    )
    if invocation.state is State.SUSPENDED:
        change_state(tx, invocation, Event.WAKE)
        make_ready(tx, invocation)
    elif invocation.worker_id:
        tx.effects.append(
            Complete(
                invocation.worker_id,
                invocation.id,
                invocation.attempt,
                index,
                outcome,
                completion,
                tx.now_ms,
            )
        )


def answer(tx: Transaction, invocation_id: str, index: int, outcome: bytes, about: str) -> None:
    """Completes the entry that waits for something, in whichever partition it is.

    `about` is the id of the invocation or awakeable that the entry is about.
    """
    partition = tx.partition_of(invocation_id)
    if partition == tx.partition.index:
        complete_if_open(tx, invocation_id, index, outcome)
    else:
        tx.send(partition, CompleteEntry(invocation_id, index, outcome, about))


def _answer_waiter(
    tx: Transaction, waiter_id: str, index: int, outcome: bytes, ended_id: str
) -> None:
    """Answers an entry that waits for the end of an invocation.

    The waiting invocation may have been removed and created again with the same id since. Then the
    entry that has this index now is answered only if it waits for the same.
    """
    if tx.partition_of(waiter_id) == tx.partition.index:
        waiter = tx.find(waiter_id)
        opened = None if waiter is None else waiter.opened.get(index)
        if opened is None or opened.target != ended_id:
            return
    answer(tx, waiter_id, index, outcome, ended_id)


def complete_if_open(tx: Transaction, invocation_id: str, index: int, outcome: bytes) -> None:
    """Completes an entry, unless its invocation has ended or is gone, or the entry is complete."""
    invocation = tx.find(invocation_id)
    if (
        invocation is not None
        and invocation.state not in FINAL
        and invocation.recorded.get(index) == 0
    ):
        complete_entry(tx, invocation, index, outcome)


def release_awakeables(tx: Transaction, invocation: Invocation, *, removed: bool) -> None:
    """Tells other partitions that an invocation does not wait for their awakeables any more."""
    for awakeable_id in invocation.claims:
        partition = ids.awakeable_partition(awakeable_id, tx.partition.count)
        tx.send(partition, ReleaseAwakeable(awakeable_id, invocation.id, removed))
