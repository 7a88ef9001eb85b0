"""The rules' one entry point: `step` applies a batch of records to a partition.

Each record type has one rule, a function `rule(tx, record) -> reply` in the module of its subject:

    lifecycle      acceptance, attempts, timers, the end
    journal        journal entries; what a kind of entry does stands in the module of its subject
    awakeables     resolving and expiring them
    signals        delivering them
    object_state   edits of an object's state from outside
    steering       pause, resume, remove
    cancellation   cancel
    restart        restart
    deployments    builds, routes, and which build goes on with an invocation
    continuing     continue as new
    inbox          messages of other partitions, and their acknowledgements

A rule looks at the invocation, lets the table in `states` decide where an event leads, notes what the
store must write in `tx.changes`, and appends what must be done afterwards to `tx.effects`. It returns
a reply when a client waits for the record, and None otherwise. What rules share is in `transitions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from . import (
    awakeables,
    cancellation,
    continuing,
    deployments,
    inbox,
    journal,
    lifecycle,
    object_state,
    restart,
    signals,
    steering,
)
from .changes import Changes
from .effects import Effect
from .partition import Partition
from .records import (
    AttemptFailed,
    AttemptHeld,
    AttemptPaused,
    AttemptReleased,
    AwakeableExpired,
    AwakeableResolved,
    BuildDrained,
    BuildPromoted,
    BuildRolledBack,
    CancelAsked,
    Continued,
    DeploymentRegistered,
    EntryRecorded,
    EpochStarted,
    Finished,
    HandlerRegistered,
    Invoked,
    LevelRaised,
    OutboxAcknowledged,
    PauseAsked,
    Received,
    Record,
    Removed,
    Repinned,
    Restarted,
    Resumed,
    Signalled,
    Started,
    StateEdited,
    SuspendAsked,
    TimerFired,
    WebhookRevoked,
)
from .replies import Reply
from .transaction import Transaction


class Output(NamedTuple):
    """What applying a batch asks of its caller.

    The caller must keep this order:

    1. The batch is in the log BEFORE it is applied: the rules change the partition in memory at once,
       and there is no way back.
    2. `changes` are committed to the store, in one transaction with the batch's position in the log,
       BEFORE anything of the batch becomes visible.
    3. Then the replies are sent, and then the effects are carried out, in the order of `effects`,
       and ONLY by the leader that appended the batch. A replay of the log discards both.
    4. All of this is over BEFORE the next batch is applied, because replies and effects refer to
       invocations as they are after this batch. Nothing may keep an Output any longer.
    """

    replies: list[Reply]
    """One reply for each record, in the order of the records."""
    effects: list[Effect]
    changes: Changes


def step(partition: Partition, records: Sequence[Record], now_ms: int) -> Output:
    """Applies a batch of records, at the batch's time."""
    tx = Transaction(partition, now_ms)
    replies = [_RULES[type(record)](tx, record) for record in records]
    return Output(replies, tx.effects, tx.changes)


def replay(partition: Partition, batches: Iterable[tuple[int, Sequence[Record]]]) -> Changes:
    """Applies batches of another leader at once, each at its time; returns what all have changed.

    The changes are those of one large batch: an invocation that several batches have changed is
    written once. That leads to the same state, because a rule sees what the records before its own have
    done, in the same batch or in an earlier one. Replies and effects are discarded.
    """
    tx = Transaction(partition, 0)
    for now_ms, records in batches:
        tx.now_ms = now_ms
        for record in records:
            _RULES[type(record)](tx, record)
    return tx.changes


def _epoch_started(tx: Transaction, record: EpochStarted) -> Reply:
    tx.partition.epoch = record.epoch
    return None


def _handler_registered(tx: Transaction, record: HandlerRegistered) -> Reply:
    tx.partition.handlers[record.handler.name] = record.handler
    tx.changes.handlers.append((record.handler, tx.now_ms))
    return None


def _level_raised(tx: Transaction, record: LevelRaised) -> Reply:
    if record.level > tx.partition.level:
        tx.partition.level = tx.changes.level = record.level
    return None


# The key decides the type of the record, which a dict's type cannot say.
_RULES: dict[type[Record], Callable[[Transaction, Any], Reply]] = {
    EpochStarted: _epoch_started,
    HandlerRegistered: _handler_registered,
    Invoked: lifecycle.invoked,
    Started: lifecycle.started,
    EntryRecorded: journal.entry_recorded,
    Finished: lifecycle.finished,
    AttemptFailed: lifecycle.attempt_failed,
    AttemptHeld: lifecycle.attempt_held,
    AttemptReleased: lifecycle.attempt_released,
    SuspendAsked: lifecycle.suspend_asked,
    TimerFired: lifecycle.timer_fired,
    Resumed: steering.resumed,
    Removed: steering.removed,
    PauseAsked: steering.pause_asked,
    AttemptPaused: steering.attempt_paused,
    CancelAsked: cancellation.cancel_asked,
    Signalled: signals.signalled,
    AwakeableResolved: awakeables.awakeable_resolved,
    AwakeableExpired: awakeables.awakeable_expired,
    Restarted: restart.restarted,
    StateEdited: object_state.state_edited,
    Received: inbox.received,
    OutboxAcknowledged: inbox.outbox_acknowledged,
    LevelRaised: _level_raised,
    WebhookRevoked: awakeables.webhook_revoked,
    DeploymentRegistered: deployments.deployment_registered,
    BuildPromoted: deployments.build_promoted,
    BuildRolledBack: deployments.build_rolled_back,
    BuildDrained: deployments.build_drained,
    Repinned: deployments.repinned,
    Continued: continuing.continued,
}
