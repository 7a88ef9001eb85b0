"""The allowance of a caller: how many calls per second it may make, and how many at the same time.

A token bucket for each caller holds as many calls as one second permits, and at least one, so a burst
of that size passes. A call that waits or streams counts once when it begins, and among those in flight
until it ends. No I/O and no clock: whoever asks gives the time.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

_SWEEP_SIZE = 1024
"""From how many callers on those that make no calls are forgotten."""
_CALLS_RETRY_SECONDS = 1.0


class Excess(NamedTuple):
    """A call that a caller may not make now."""

    limit: str
    """The name of the limit, as in `core.limits`."""
    value: int
    retry_seconds: float
    """When to try again; a guess where that depends on the caller's other calls."""


class _Caller:
    __slots__ = ("calls", "left", "time")

    def __init__(self, left: float, time: float) -> None:
        self.calls = 0
        """How many are in flight."""
        self.left = left
        """How many calls it may begin at `time`."""
        self.time = time


class Allowances:
    """The allowances of all callers of one process; a limit of 0 is none."""

    def __init__(self, rate: int, calls: int) -> None:
        self._rate = rate
        self._calls = calls
        self._callers: dict[Hashable, _Caller] = {}
        self._sweep_at = _SWEEP_SIZE

    def __len__(self) -> int:
        """Returns how many callers are known."""
        return len(self._callers)

    def begin(self, caller: Hashable, now: float) -> Excess | None:
        """Counts a call that begins; returns why it may not, and then it is not counted.

        `now` is in seconds of a clock that never goes back.
        """
        found = self._callers.get(caller)
        if found is None:
            if len(self._callers) >= self._sweep_at:
                self._sweep(now)
            found = self._callers[caller] = _Caller(max(self._rate, 1), now)
        if self._calls and found.calls >= self._calls:
            return Excess("identity_calls", self._calls, _CALLS_RETRY_SECONDS)
        if self._rate:
            self._refill(found, now)
            if found.left < 1:
                return Excess("identity_rate", self._rate, (1 - found.left) / self._rate)
            found.left -= 1
        found.calls += 1
        return None

    def end(self, caller: Hashable) -> None:
        """Notes that a call that has begun is over."""
        found = self._callers[caller]
        found.calls -= 1
        if not (found.calls or self._rate):
            del self._callers[caller]

    def _refill(self, it: _Caller, now: float) -> None:
        it.left = min(it.left + (now - it.time) * self._rate, max(self._rate, 1))
        it.time = now

    def _sweep(self, now: float) -> None:
        """Forgets the callers about which nothing needs to be known."""
        for caller, it in list(self._callers.items()):
            self._refill(it, now)
            if not it.calls and it.left >= self._rate:
                del self._callers[caller]
        self._sweep_at = max(_SWEEP_SIZE, 2 * len(self._callers))
