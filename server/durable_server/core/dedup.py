"""Requests that name themselves: a repeated one has no second effect.

An invocation remembers the last of them, with the state that each led to; that is the answer to a
repetition.
"""

from __future__ import annotations

from .model import Invocation, State
from .partition import Partition
from .replies import Done

REMEMBERED = 16
"""How many requests an invocation, or an awakeable, remembers."""


def answered(invocation: Invocation, request_id: str) -> Done | None:
    """Returns the answer to a request that was answered before."""
    if request_id:
        for known, state in invocation.requests:
            if known == request_id:
                return Done(invocation, State(state))
    return None


def done(partition: Partition, invocation: Invocation, request_id: str) -> Done:
    """Returns the answer to a request that has had its effect, and remembers it."""
    if request_id:
        kept = (*invocation.requests, (request_id, int(invocation.state)))
        invocation.requests = kept[-REMEMBERED:]
        partition.changes.touch(invocation)
    return Done(invocation, invocation.state)
