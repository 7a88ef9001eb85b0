"""The state of one partition: what the log folds to, and what of it has changed.

Only what is needed to go on is in memory. Invocations in a cold state (`states.COLD`) are dropped
after their changes are stored, and are put back by the processor before a record that names them
is applied: `touches` says which those are. So `apply` finds every invocation it may ask for, or it
does not exist.

`Changes` is the difference between two batches, in the form in which a store can write it. The
machine fills it, the processor commits it together with the log position and starts a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import EntryRow, Handler, Invocation
from .records import EpochStarted, HandlerRegistered, Record


@dataclass(slots=True)
class Changes:
    """What a batch changed."""

    created: dict[int, Invocation] = field(default_factory=dict)
    """New invocations by number; as they are after the batch."""
    changed: dict[int, Invocation] = field(default_factory=dict)
    """Old invocations by number, of which anything but the journal changed."""
    entries: list[tuple[int, EntryRow]] = field(default_factory=list)
    """New journal entries: invocation number, entry."""
    completions: list[tuple[bytes, int, int, int, int]] = field(default_factory=list)
    """Entries that ended: outcome, completion number, time, invocation number, entry index."""
    handlers: list[tuple[Handler, int]] = field(default_factory=list)
    """Handlers to write, with the time."""
    removed: list[int] = field(default_factory=list)
    """Invocations to remove, by number."""

    def touch(self, invocation: Invocation) -> None:
        """Notes that the invocation's row must be written."""
        if invocation.number not in self.created:
            self.changed[invocation.number] = invocation


@dataclass(slots=True)
class Partition:
    """The partition's state in memory."""

    epoch: int = 0
    last_number: int = 0
    """The number of the youngest invocation."""
    invocations: dict[str, Invocation] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def take_changes(self) -> Changes:
        """Returns what has changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes


def touches(record: Record) -> str:
    """Returns the id of the invocation that applying `record` may ask for, or an empty string."""
    if isinstance(record, EpochStarted | HandlerRegistered):
        return ""
    return record.invocation_id
