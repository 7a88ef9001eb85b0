"""The tally: what the control plane has done since it became the leader, as plain numbers.

Counting happens in the hot path, reading once in many seconds. So the loop and the RPCs only add to
Python numbers, and everything else (names, labels, text) is made when the counts are read: see
`prometheus`. Nothing here is global; a control plane has one tally, and all its counts begin anew with
it. The number of ended invocations is the one count that the rules keep themselves, in
`Partition.endings`, because only they see each end exactly once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from ..core.entry_kinds import EntryKind
from ..core.model import EntryRow, State

SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Bucket bounds from half the time of an append to the longest wait for a result."""
RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Bucket bounds from one record to the limit `batch_records`."""

_OUTCOMES = {
    State.COMPLETED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.BACKING_OFF: "retried",
    State.PAUSED: "paused",
    State.SUSPENDED: "suspended",
    State.PENDING: "released",
}
"""The outcome of an attempt, by the state in which it has left the invocation. RUNNING and
SCHEDULED are missing, because an attempt does not end in them.
"""


class Histogram:
    """Counts values by size."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        """The largest value of each bucket; the last bucket has no bound."""
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    def add(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self.counts)


class Tally:
    """The counts of one control plane."""

    def __init__(self) -> None:
        self.append_seconds = Histogram(SECONDS)
        self.append_records = Histogram(RECORDS)
        self.append_bytes = 0
        self.entries = [0] * (max(EntryKind) + 1)
        """Journal entries by kind."""
        self.attempts_started = 0
        self.attempts_ended = dict.fromkeys(_OUTCOMES.values(), 0)
        self.rpc_seconds: dict[str, Histogram] = {}
        """By method; unary ones only."""
        self.rpcs: dict[tuple[str, str], int] = {}
        """By method and the name of the gRPC code."""

    def appended(self, records: int, size: int, seconds: float) -> None:
        """Counts an append to the log."""
        self.append_seconds.add(seconds)
        self.append_records.add(records)
        self.append_bytes += size

    def journaled(self, entries: list[tuple[int, EntryRow]]) -> None:
        """Counts new journal entries."""
        kinds = self.entries
        for _, row in entries:
            kinds[row.kind] += 1

    def attempt_ended(self, state: State, suspended: bool) -> None:
        """Counts the end of an attempt by where it has left the invocation."""
        # A suspended invocation may be woken again by the end of the same batch.
        outcome = "suspended" if suspended else _OUTCOMES.get(state)
        if outcome is not None:
            self.attempts_ended[outcome] += 1

    def answered(self, method: str, code: str, seconds: float) -> None:
        """Counts a unary RPC."""
        histogram = self.rpc_seconds.get(method)
        if histogram is None:
            histogram = self.rpc_seconds[method] = Histogram(SECONDS)
        histogram.add(seconds)
        key = (method, code)
        self.rpcs[key] = self.rpcs.get(key, 0) + 1
