"""The retry arithmetic: the delay of the next attempt, and when there is none.

The delay before attempt n+1 is `initial * multiplier^(n-1)`, at most `max`, shortened by a random share
of up to `jitter`. Jitter only shortens, so no delay is longer than `max`. The random number is an
argument, so that the same record always gives the same delay.
"""

from __future__ import annotations

from .model import RetryPolicy

_EXPONENT_MAX = 63
"""Keeps the power within the range of a float; every policy reaches its maximum before."""


def delay_ms(policy: RetryPolicy, failures: int, chance: float) -> int:
    """Returns the delay after the `failures`-th failure (from 1), for a `chance` in [0, 1]."""
    exponent = min(failures - 1, _EXPONENT_MAX)
    base = min(policy.initial_ms * policy.multiplier**exponent, policy.max_ms)
    return max(1, round(base * (1 - policy.jitter * chance)))


def exhausted(policy: RetryPolicy, failures: int, failing_ms: int) -> bool:
    """Returns whether no attempt may follow the `failures`-th failure, `failing_ms` after the first."""
    if 0 <= policy.max_attempts <= failures:
        return True
    return 0 < policy.max_duration_ms <= failing_ms
