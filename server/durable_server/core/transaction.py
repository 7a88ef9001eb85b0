"""The transaction: one batch while it is applied, which every rule gets as its first argument.

It holds what the rules of one batch share: the partition, the batch's time, the effects so far and the
changes so far. Its methods read through these changes, so a record sees what the records before it in
the same batch have done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from . import ids
from .changes import Changes, EntryCompletion, StateChange
from .effects import Effect
from .levels import fit
from .messages import Message, OutboxMessage
from .model import Awakeable, EntryRow, Invocation
from .partition import Partition
from .records import EntryRecorded

M = TypeVar("M", bound=Message)


class Transaction:
    """One batch while it is applied."""

    __slots__ = ("changes", "effects", "invocations", "now_ms", "partition")

    def __init__(self, partition: Partition, now_ms: int) -> None:
        self.partition = partition
        self.invocations = partition.invocations
        """Those in memory; most rules need `find`."""
        self.now_ms = now_ms
        """The time of the batch, which all its records share."""
        self.effects: list[Effect] = []
        self.changes = Changes()

    def find(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation, read back if it is not in memory."""
        found = self.invocations.get(invocation_id)
        if found is None and invocation_id not in self.changes.removed:
            found = self.partition.read_back(invocation_id)
        return found

    def partition_of(self, invocation_id: str) -> int:
        """Returns which partition an invocation lives in, whether it exists or not."""
        return ids.partition(invocation_id, self.partition.count)

    def send(self, destination: int, message: Message) -> None:
        """Sends a message to another partition.

        Raises LevelError for a kind that the log's format level does not allow.
        """
        fit(message, self.partition.level)
        sent = self.partition.sent
        sequence = sent[destination] = sent.get(destination, 0) + 1
        self.changes.outbox.append(OutboxMessage(destination, sequence, message))

    def deliver(self, destination: int, message: M, rule: Callable[[Transaction, M], None]) -> None:
        """Sends a message to another partition, or calls its rule at once if it is for this one."""
        if destination == self.partition.index:
            rule(self, message)
        else:
            self.send(destination, message)

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        """Returns an awakeable."""
        if awakeable_id in self.changes.awakeables:
            return self.changes.awakeables[awakeable_id]
        found = self.partition.source.awakeable(awakeable_id)
        if found is not None and found.invocation_id in self.changes.removed:
            return None
        return found

    def awakeables(self, invocation_id: str) -> list[Awakeable]:
        """Returns the awakeables that belong to an invocation."""
        gone = invocation_id in self.changes.removed
        stored = () if gone else self.partition.source.awakeables(invocation_id)
        found = {it.id: it for it in stored}
        for awakeable_id, awakeable in self.changes.awakeables.items():
            if awakeable is None or awakeable.invocation_id != invocation_id:
                found.pop(awakeable_id, None)
            else:
                found[awakeable_id] = awakeable
        return list(found.values())

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        stored = number not in self.changes.journals_removed
        rows = {
            row.entry_index: row
            for row in (self.partition.source.journal(number) if stored else ())
        }
        rows |= {row.entry_index: row for owner, row in self.changes.entries if owner == number}
        for ended in self.changes.completions:
            if ended.number == number:
                rows[ended.entry_index] = _completed(rows[ended.entry_index], ended)
        return [rows[index] for index in sorted(rows)]

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of an invocation's journal; None when there is none."""
        found = None
        if number not in self.changes.journals_removed:
            found = self.partition.source.entry(number, index)
        for owner, row in self.changes.entries:
            if owner == number and row.entry_index == index:
                found = row
        for ended in self.changes.completions:
            if found is not None and ended.number == number and ended.entry_index == index:
                found = _completed(found, ended)
        return found

    def state(self, owner: str) -> Mapping[str, bytes]:
        """Returns all values of a state by name."""
        change = self.changes.state.get(owner)
        gone = owner in self.changes.removed or (change is not None and change.cleared)
        values = {} if gone else self.partition.source.state(owner)
        for name, value in change.values.items() if change is not None else ():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        return values

    def state_value(self, owner: str, name: str) -> bytes | None:
        """Returns one value of a state; None when there is none."""
        change = self.changes.state.get(owner)
        if change is not None and (change.cleared or name in change.values):
            return change.values.get(name)
        if owner in self.changes.removed:
            return None
        return self.partition.source.state_value(owner, name)

    def set_state(self, owner: str, name: str, value: bytes | None) -> None:
        """Sets one value of a state; None removes it."""
        change = self.changes.state.get(owner)
        if change is None:
            change = self.changes.state[owner] = StateChange()
        change.values[name] = value

    def clear_state(self, owner: str) -> None:
        """Removes all values of a state."""
        self.changes.state[owner] = StateChange(cleared=True)


EntryRule: TypeAlias = Callable[[Transaction, Invocation, EntryRecorded, EntryRow], None]
"""What a kind of entry does once it is in the journal: the record is what the worker asked for, the
row is what the journal has of it."""


def _completed(row: EntryRow, ended: EntryCompletion) -> EntryRow:
    return row._replace(
        outcome=ended.outcome,
        completion=ended.completion,
        completed_ms=ended.completed_ms,
        signal=ended.signal,
    )
