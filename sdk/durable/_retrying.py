"""When a step with a retry policy of its own is tried again.

The rule is the control plane's for handlers (its `retry`): the delay after the n-th failure is
`initial * multiplier^(n-1)`, at most `max`, shortened by a random share of up to `jitter`. Chance
comes from the step's own place, so that the engine stays a function of its inputs.
"""

from __future__ import annotations

import random
from datetime import timedelta

from ._workflow import RetryPolicy

_EXPONENT_MAX = 63


def used_up(policy: RetryPolicy, failures: int, failing: timedelta) -> bool:
    """Says whether no attempt may follow the `failures`-th failure, `failing` after the first."""
    if policy.max_attempts is not None and failures >= policy.max_attempts:
        return True
    return policy.max_duration is not None and failures > 1 and failing >= policy.max_duration


def step_delay(policy: RetryPolicy, failures: int, place: str) -> timedelta:
    """Returns the delay after the `failures`-th failure of a step (from 1)."""
    seconds = min(
        policy.initial_interval.total_seconds()
        * policy.multiplier ** min(failures - 1, _EXPONENT_MAX),
        policy.max_interval.total_seconds(),
    )
    chance = random.Random(f"{place}/{failures}").random()
    return timedelta(seconds=max(0.001, seconds * (1 - policy.jitter * chance)))
