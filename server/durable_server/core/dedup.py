"""Deduplication: a steering request that is repeated with the same request id has no second effect.

An invocation remembers its last requests, each with the lifecycle state that it led to. That state is
the reply to a repetition.
"""

from __future__ import annotations

from .model import Invocation, State
from .records import CancelAsked, PauseAsked, Repinned, Resumed, Signalled
from .replies import Done, Missing
from .transaction import Transaction

REQUESTS_MAX = 16
"""How many request ids an invocation, or an awakeable, remembers."""


def subject_or_reply(
    tx: Transaction, record: PauseAsked | Resumed | CancelAsked | Signalled | Repinned
) -> Invocation | Missing | Done:
    """Returns the invocation that a new request is about.

    For one that is unknown, or for a request that was answered before, it returns the reply instead.
    """
    invocation = tx.find(record.invocation_id)
    if invocation is None:
        return Missing()
    if record.request_id:
        for known, state in invocation.requests:
            if known == record.request_id:
                return Done(invocation, State(state))
    return invocation


def done(tx: Transaction, invocation: Invocation, request_id: str) -> Done:
    """Returns the reply to a request that has had its effect, and remembers it."""
    if request_id:
        requests = (*invocation.requests, (request_id, int(invocation.state)))
        invocation.requests = requests[-REQUESTS_MAX:]
        tx.changes.touch(invocation)
    return Done(invocation, invocation.state)
