"""Attempts: the end of each one, which frees its worker and enters it into the invocation's history.

The rules call `end_attempt` wherever an attempt ends, before they change the lifecycle state. The store
keeps the last attempts of each invocation as rows. An attempt that ends its invocation has no row: the
invocation's own fields say all about it, and most invocations have no other attempt, so they pay
nothing for the history.
"""

from __future__ import annotations

from collections.abc import Sequence

from .effects import Free
from .model import AttemptEnd, EndedAttempt, Failure, Invocation, State
from .states import FINAL
from .transaction import Transaction

KEPT = 50
"""How many of the last attempts of an invocation are kept."""
TYPE_CHARS = 256
"""How much of the type of a failure the history keeps."""
MESSAGE_CHARS = 200
"""How much of its message; the invocation's last failure has all of it."""

_FINAL_ENDS = {
    State.COMPLETED: AttemptEnd.COMPLETED,
    State.FAILED: AttemptEnd.FAILED,
    State.CANCELLED: AttemptEnd.CANCELLED,
}
"""Why an attempt ended that has ended its invocation."""


def end_attempt(
    tx: Transaction,
    invocation: Invocation,
    end: AttemptEnd | None,
    failure: Failure | None = None,
) -> None:
    """Ends the attempt that a worker owns, and frees the worker's slot.

    `end` is None if the invocation ends with the attempt; `failure` is what else has ended it.
    """
    suspended = end is AttemptEnd.SUSPENDED
    tx.effects.append(Free(invocation.worker_id, invocation.id, invocation.attempt, suspended))
    if end is not None:
        tx.changes.attempts.append(
            (
                invocation.number,
                EndedAttempt(
                    invocation.attempt,
                    invocation.worker_id,
                    invocation.attempt_build,
                    invocation.version,
                    invocation.attempt_ms,
                    tx.now_ms,
                    end,
                    invocation.run,
                    *_brief(failure),
                ),
            )
        )
    invocation.worker_id = ""


def last_attempts(invocation: Invocation, ended: Sequence[EndedAttempt]) -> list[EndedAttempt]:
    """Returns the last attempts of an invocation, oldest first, at most KEPT.

    `ended` are those that the store has. The one that runs is the last one, without an end.
    """
    found = list(ended)
    last = found[-1].attempt if found else 0
    final = invocation.state in FINAL
    if invocation.attempt > last and (final or invocation.worker_id):
        found.append(
            EndedAttempt(
                invocation.attempt,
                invocation.last_worker_id,
                invocation.attempt_build,
                invocation.version,
                invocation.attempt_ms,
                invocation.completed_ms,
                _FINAL_ENDS.get(invocation.state, 0),
                invocation.run,
                *_brief(invocation.failure if final else None),
            )
        )
    return found[-KEPT:]


def _brief(failure: Failure | None) -> tuple[str, str]:
    """Returns the part of a failure that the history keeps: its type and its message."""
    if failure is None:
        return "", ""
    return failure.type[:TYPE_CHARS], failure.message[:MESSAGE_CHARS]
