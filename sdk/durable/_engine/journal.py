"""The bookkeeping of one attempt's journal: what is recorded, and in which order it is delivered.

Completions are numbered 1, 2, 3 ... for each invocation. They are handed out strictly in that order;
what arrives early waits for the ones before it. Those of the journal that an attempt starts with are
nothing else than ones that arrived early: so replay and live execution are the same code.

What the journal has and the program does not is described here, in the words of DeterminismError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from .._common.errors import DeterminismError

RUN: Final = invocation_pb2.ENTRY_KIND_RUN
CALL: Final = invocation_pb2.ENTRY_KIND_CALL
SLEEP: Final = invocation_pb2.ENTRY_KIND_SLEEP
AWAKEABLE: Final = invocation_pb2.ENTRY_KIND_AWAKEABLE
GET_STATE: Final = invocation_pb2.ENTRY_KIND_GET_STATE
SET_STATE: Final = invocation_pb2.ENTRY_KIND_SET_STATE
CLEAR_STATE: Final = invocation_pb2.ENTRY_KIND_CLEAR_STATE
STATE_KEYS: Final = invocation_pb2.ENTRY_KIND_STATE_KEYS
INVOKE: Final = invocation_pb2.ENTRY_KIND_INVOKE
SEND: Final = invocation_pb2.ENTRY_KIND_SEND
ATTACH: Final = invocation_pb2.ENTRY_KIND_ATTACH
SIGNAL: Final = invocation_pb2.ENTRY_KIND_SIGNAL
RESOLVE: Final = invocation_pb2.ENTRY_KIND_RESOLVE
CANCEL: Final = invocation_pb2.ENTRY_KIND_CANCEL
_KINDS: Final[dict[int, str]] = {
    number: name.removeprefix("ENTRY_KIND_") for name, number in invocation_pb2.EntryKind.items()
}


@dataclass(slots=True)
class Completed:
    """A completion, or a cancellation, in its place among them."""

    index: int
    outcome: payload_pb2.Outcome | None
    """None for a cancellation."""
    time: Timestamp


class Journal:
    """What an attempt knows of its journal."""

    __slots__ = ("_arrived", "delivered", "last_index", "recorded")

    def __init__(self, start: worker_pb2.Start) -> None:
        self.recorded: Final[dict[int, invocation_pb2.JournalEntry]] = {}
        """What the journal had when the attempt started, by index."""
        self.delivered = 0
        """The number of the completion that was handed out last."""
        self.last_index: Final = max((entry.index for entry in start.journal), default=-1)
        """The highest index that the journal had when the attempt started; -1 for none."""
        self._arrived: Final[dict[int, Completed]] = {}
        for entry in start.journal:
            self.recorded[entry.index] = entry
            if entry.completion_number:
                self._arrived[entry.completion_number] = Completed(
                    entry.index, entry.outcome, entry.complete_time
                )

    def arrive(
        self, number: int, index: int, outcome: payload_pb2.Outcome | None, time: Timestamp
    ) -> None:
        """Notes a completion; one that was handed out before is a repetition and is dropped."""
        if number > self.delivered:
            self._arrived[number] = Completed(index, outcome, time)

    def take(self) -> Completed | None:
        """Hands out the next completion, if it has arrived."""
        completed = self._arrived.pop(self.delivered + 1, None)
        if completed is not None:
            self.delivered += 1
        return completed

    @property
    def has_more(self) -> bool:
        """Whether completions have arrived that were not handed out."""
        return bool(self._arrived)

    def unasked(self, count: int) -> invocation_pb2.JournalEntry | None:
        """Returns the first entry that a program does not ask for if it asks for `count` operations."""
        index = min((it for it in self.recorded if it >= count), default=None)
        return None if index is None else self.recorded[index]


def described(kind: int, name: str) -> str:
    """Returns an operation in words: `RUN 'charge'`."""
    word = _KINDS.get(kind, f"KIND_{kind}")
    return f"{word} {name!r}" if name else word


def difference(
    index: int, handler: str, *, expected: str, got: str, recorded_by: str, now: str
) -> DeterminismError:
    """Returns the error for a journal that does not fit the program."""
    return DeterminismError(
        f"operation {index} of {handler}: the journal has {expected} (recorded by version "
        f"{recorded_by or 'unknown'}), the program has {got} (version {now}); "
        "deploy code that asks for the same operations in the same order, then resume"
    )


def seconds_of(time: Timestamp) -> float:
    """Returns a time in seconds since the Unix epoch."""
    return time.seconds + time.nanos / 1e9
