"""The journal of one attempt: what is recorded, and the completions in the order of their numbers.

The server numbers the completions of an invocation 1, 2, 3 ..., over all its runs. The journal hands
them out strictly in that order; one that arrives early waits for those before it. The completions in
the journal with which an attempt starts are treated as early arrivals. So replay and live execution
are the same code.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .._common.errors import DeterminismError


class Completion(NamedTuple):
    """The completion of an operation, or a request to cancel the invocation, which is numbered too."""

    entry_index: int
    """The operation's index; -1 for a request to cancel."""
    outcome: payload_pb2.Outcome | None
    """None for a request to cancel."""
    time: Timestamp


class Journal:
    """What an attempt knows of its journal."""

    __slots__ = ("_arrived", "delivered", "last_index", "recorded", "seconds")

    def __init__(self, start: worker_pb2.Start) -> None:
        self.recorded: Final[dict[int, invocation_pb2.JournalEntry]] = {}
        """The entries that the journal had when the attempt started, by index."""
        self.delivered = start.completions_before
        """The number of the completion that was handed out last."""
        self.last_index: Final = max(
            (entry.index for entry in start.journal), default=start.first_index - 1
        )
        """The highest index that the journal had when the attempt started; if it had none, the last one
        before it."""
        self.seconds = seconds_of(start.start_time)
        """The journal's time: that of the completion on which the program acts now."""
        self._arrived: Final[dict[int, Completion]] = {}
        for entry in start.journal:
            self.recorded[entry.index] = entry
            if entry.completion_number:
                self._arrived[entry.completion_number] = Completion(
                    entry.index, entry.outcome, entry.complete_time
                )

    def add(
        self, number: int, entry_index: int, outcome: payload_pb2.Outcome | None, time: Timestamp
    ) -> None:
        """Notes a completion; drops one that was handed out before, which is a repetition."""
        if number > self.delivered:
            self._arrived[number] = Completion(entry_index, outcome, time)

    def next_completion(self) -> Completion | None:
        """Hands out the next completion, if it has arrived."""
        completion = self._arrived.pop(self.delivered + 1, None)
        if completion is not None:
            self.delivered += 1
        return completion

    @property
    def has_more(self) -> bool:
        """True while completions have arrived that were not handed out."""
        return bool(self._arrived)

    def first_from(self, index: int, *, but: int) -> invocation_pb2.JournalEntry | None:
        """Returns the first recorded entry at this index or after it that is not of the kind `but`."""
        first = min(
            (it for it, entry in self.recorded.items() if it >= index and entry.kind != but),
            default=None,
        )
        return None if first is None else self.recorded[first]


def mismatch(
    index: int,
    handler: str,
    *,
    expected: str,
    got: str,
    recorded_by: str,
    now: str,
    advice: str,
) -> DeterminismError:
    """Returns the error for a journal that the program does not repeat."""
    return DeterminismError(
        f"operation {index} of {handler}: the journal has {expected} (recorded by version "
        f"{recorded_by or 'unknown'}), the program has {got} (version {now}); "
        f"{advice}, then resume"
    )


def seconds_of(time: Timestamp) -> float:
    """Returns a time in seconds since the Unix epoch."""
    return time.seconds + time.nanos / 1e9
