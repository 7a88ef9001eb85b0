"""Deduplication: a steering request that is repeated with the same request id has no second effect.

An invocation remembers its last requests, each with the lifecycle state that it led to. That state is
the reply to a repetition.
"""

from __future__ import annotations

from .model import Invocation, State
from .replies import Done
from .transaction import Transaction

REQUESTS_MAX = 16
"""How many request ids an invocation, or an awakeable, remembers."""


def earlier_reply(invocation: Invocation, request_id: str) -> Done | None:
    """Returns the reply that this request got before; None for a new one."""
    if request_id:
        for known, state in invocation.requests:
            if known == request_id:
                return Done(invocation, State(state))
    return None


def done(tx: Transaction, invocation: Invocation, request_id: str) -> Done:
    """Returns the reply to a request that has had its effect, and remembers it."""
    if request_id:
        requests = (*invocation.requests, (request_id, int(invocation.state)))
        invocation.requests = requests[-REQUESTS_MAX:]
        tx.changes.touch(invocation)
    return Done(invocation, invocation.state)
