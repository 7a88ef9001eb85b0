"""The inbox: messages of other partitions, each of which takes effect once and in its order.

`messages` says what they are. A sender repeats what was not confirmed, so a `Received` may begin with
messages that were received before, and those are passed over. Messages that come before an earlier one
are passed over too: the reply says up to which number all have taken effect, and the sender continues
from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import awakeables, cancellation, children, deployments, resolutions
from .messages import (
    AwaitEnd,
    CancelInvocation,
    ClaimAwakeable,
    CompleteEntry,
    DeploymentsChanged,
    Message,
    ReleaseAwakeable,
    ResolveAwakeable,
    SendSignal,
    StartChild,
)
from .records import OutboxAcknowledged, Received
from .replies import Reply, Seen
from .transaction import Transaction
from .transitions import complete_if_open


def received(tx: Transaction, record: Received) -> Reply:
    """Applies the messages of another partition that have not taken effect yet."""
    seen = tx.partition.seen.get(record.source, 0)
    if record.first <= seen + 1:
        for message in record.messages[seen + 1 - record.first :]:
            _RULES[type(message)](tx, message)
            seen += 1
        tx.partition.seen[record.source] = tx.changes.seen[record.source] = seen
    return Seen(seen)


def outbox_acknowledged(tx: Transaction, record: OutboxAcknowledged) -> Reply:
    """Removes messages from the outbox that their partition has in its log."""
    tx.changes.acknowledged[record.destination] = record.sequence
    return None


def _complete_entry(tx: Transaction, message: CompleteEntry) -> None:
    index, about = message.entry_index, message.about
    invocation = tx.find(message.invocation_id)
    row = None if invocation is None else tx.entry(invocation.number, index)
    # It may be another invocation with the same id: see `CompleteEntry`.
    if row is not None and about in (row.target, row.name):
        complete_if_open(tx, message.invocation_id, index, message.outcome)


# The key decides the type of the message, which a dict's type cannot say.
_RULES: dict[type[Message], Callable[[Transaction, Any], None]] = {
    StartChild: children.start_child,
    AwaitEnd: children.await_end,
    CancelInvocation: cancellation.cancel_invocation,
    SendSignal: resolutions.send_signal,
    ResolveAwakeable: resolutions.resolve_awakeable,
    ClaimAwakeable: awakeables.claim_awakeable,
    ReleaseAwakeable: awakeables.release_awakeable,
    CompleteEntry: _complete_entry,
    DeploymentsChanged: deployments.deployments_changed,
}
