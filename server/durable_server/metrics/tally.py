"""The tally: what a partition has done since this process became its leader, as plain numbers.

Counting happens in the hot path, reading once in many seconds. So the loop only adds to Python numbers,
and everything else (names, labels, text, sums) is made when the counts are read: see `prometheus`.
Nothing here is global; each partition has one tally, and all its counts begin anew with its leader. The
number of ended invocations is the one count that the rules keep themselves, in `Partition.endings`,
because only they see each end exactly once.
"""

from __future__ import annotations

from ..core.entry_kinds import EntryKind
from ..core.model import EntryRow, State
from .histogram import SECONDS, Histogram

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


class Tally:
    """The counts of one partition."""

    def __init__(self) -> None:
        self.append_seconds = Histogram(SECONDS)
        self.append_records = Histogram(RECORDS)
        self.append_bytes = 0
        self.entries = [0] * (max(EntryKind) + 1)
        """Journal entries by kind."""
        self.attempts_started = 0
        self.attempts_ended = dict.fromkeys(_OUTCOMES.values(), 0)

    def add(self, other: Tally) -> None:
        """Adds what another partition has counted of invocations; not what it has of its log."""
        self.entries = [a + b for a, b in zip(self.entries, other.entries, strict=True)]
        self.attempts_started += other.attempts_started
        for outcome, count in other.attempts_ended.items():
            self.attempts_ended[outcome] += count

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
