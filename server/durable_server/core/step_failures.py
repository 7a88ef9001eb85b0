"""Step failures: counts the failures of each step that is not in the journal yet.

The counts are exact, because the worker applies the step's retry policy to them. What people read
beside them (the step's name, its last failure) is bounded: it is kept only for the steps that failed
last, and cut short.
"""

from __future__ import annotations

from .model import Failure, Invocation, StepFailures
from .outcomes import make_failure
from .records import FailedStep

DESCRIBED_MAX = 32
"""For how many steps more than the counts is kept."""
MESSAGE_CHARS = 1_000
"""How much of a failure's message is kept; the invocation's last failure has all of it."""


def count_step_failure(invocation: Invocation, step: FailedStep, now_ms: int) -> None:
    """Counts one more failure of a step."""
    failing = {it.entry_index: it for it in invocation.step_failures}
    last = failing.pop(step.entry_index, None)
    failing[step.entry_index] = StepFailures(
        step.entry_index,
        1 if last is None else last.times + 1,
        now_ms if last is None else last.since_ms,
        step.kind,
        step.name,
        now_ms,
        brief_failure(step.failure),
    )
    kept = list(failing.values())
    if len(kept) > DESCRIBED_MAX:
        older = kept[-DESCRIBED_MAX - 1]
        kept[-DESCRIBED_MAX - 1] = StepFailures(older.entry_index, older.times, older.since_ms)
    invocation.step_failures = tuple(kept)


def failed_tries(invocation: Invocation, index: int) -> int:
    """Returns how often a step has failed so far."""
    return next((it.times for it in invocation.step_failures if it.entry_index == index), 0)


def brief_failure(failure: Failure) -> Failure:
    """Returns the part of a step's failure that is kept."""
    return make_failure(failure.type[:256], failure.message[:MESSAGE_CHARS], terminal=False)
