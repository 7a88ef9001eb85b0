"""The state of one partition: what the log folds to, and what of it has changed.

Only what is needed to go on is in memory. Invocations in a cold state (`states.COLD`) are dropped
after their changes are stored; awakeables, journals and state values are not kept at all. A rule that
needs one of them reads it back through `Source`, the one door of the rules to the outside: what comes
through it is what the rules themselves have written up to the batch before, so a replay of the log
reads the same. What the present batch has changed lies over it, in `changes`.

A record may touch any number of invocations (a child's end wakes its parent, the end of a turn on an
object key starts the next), so nobody could say before a record is applied what it will ask for.

`Changes` is the difference between two batches, in the form in which a store can write it. The
machine fills it, the processor commits it together with the log position and starts a new one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .model import Awakeable, EntryRow, Handler, Invocation, State


class Source(Protocol):
    """Reads back what was committed; see the module's head."""

    def load(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation."""
        ...

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        """Returns an awakeable."""
        ...

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        ...

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of an invocation's journal."""
        ...

    def state(self, owner: str) -> dict[str, bytes]:
        """Returns a whole state by name."""
        ...

    def state_value(self, owner: str, name: str) -> bytes | None:
        """Returns one value of a state."""
        ...


@dataclass(slots=True)
class StateChange:
    """What a batch changed of one state."""

    cleared: bool = False
    """Everything that was there before is gone."""
    values: dict[str, bytes | None] = field(default_factory=dict)
    """New values by name; None for one that is gone."""


@dataclass(slots=True)
class Changes:
    """What a batch changed."""

    created: dict[int, Invocation] = field(default_factory=dict)
    """New invocations by number; as they are after the batch."""
    changed: dict[int, Invocation] = field(default_factory=dict)
    """Old invocations by number, of which anything but the journal changed."""
    was: dict[int, State] = field(default_factory=dict)
    """The state before the batch of each old invocation whose state has moved, by number."""
    entries: list[tuple[int, EntryRow]] = field(default_factory=list)
    """New journal entries: invocation number, entry."""
    completions: list[tuple[bytes, int, int, int, int, int]] = field(default_factory=list)
    """Entries that ended: outcome, completion number, time, the number of the signal that ended it
    or 0, invocation number, entry index."""
    handlers: list[tuple[Handler, int]] = field(default_factory=list)
    """Handlers to write, with the time."""
    awakeables: dict[str, Awakeable | None] = field(default_factory=dict)
    """Awakeables to write, by id; None for one to remove."""
    waiters: list[tuple[str, str, int]] = field(default_factory=list)
    """New waiters: the invocation that they wait for, invocation, entry index."""
    ended: list[str] = field(default_factory=list)
    """Invocations that have no waiters any more."""
    signals: list[tuple[int, int, str, bytes]] = field(default_factory=list)
    """Signals to keep: invocation number, the signal's number, name, outcome."""
    taken: list[tuple[int, int]] = field(default_factory=list)
    """Signals that were taken: invocation number, the signal's number."""
    state: dict[str, StateChange] = field(default_factory=dict)
    """Changed states, by owner."""
    removed: dict[str, int] = field(default_factory=dict)
    """Invocations to remove with all that is theirs: id, number."""

    def touch(self, invocation: Invocation) -> None:
        """Notes that the invocation's row must be written."""
        if invocation.number not in self.created:
            self.changed[invocation.number] = invocation

    def leaves(self, invocation: Invocation) -> None:
        """Notes the state that the invocation is about to leave; the first of a batch counts."""
        if invocation.number not in self.created:
            self.was.setdefault(invocation.number, invocation.state)


class _Nothing:
    """A source that has nothing."""

    def load(self, invocation_id: str) -> Invocation | None:
        return None

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        return None

    def journal(self, number: int) -> list[EntryRow]:
        return []

    def entry(self, number: int, index: int) -> EntryRow | None:
        return None

    def state(self, owner: str) -> dict[str, bytes]:
        return {}

    def state_value(self, owner: str, name: str) -> bytes | None:
        return None


def _ended(row: EntryRow, ended: tuple[bytes, int, int, int, int, int]) -> EntryRow:
    """Returns an entry with its end, as `Changes.completions` has it."""
    outcome, completion, now_ms, signal, _, _ = ended
    return row._replace(outcome=outcome, completion=completion, completed_ms=now_ms, signal=signal)


@dataclass(slots=True)
class Partition:
    """The partition's state in memory."""

    source: Source = field(default_factory=_Nothing)
    epoch: int = 0
    last_number: int = 0
    """The number of the youngest invocation."""
    last_turn: int = 0
    """The latest place that was given on any object key."""
    early_awakeables: int = 0
    """How many awakeables are resolved and belong to nobody."""
    invocations: dict[str, Invocation] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    turns: dict[str, deque[str]] = field(default_factory=dict)
    """The invocations that want an object key, by scope; the first one has its turn."""
    endings: dict[tuple[str, State], int] = field(default_factory=dict)
    """How many invocations have ended, by handler and final state, since this was made."""
    loaded: list[str] = field(default_factory=list)
    """Invocations that were read back since the last batch."""
    changes: Changes = field(default_factory=Changes)

    def take_changes(self) -> Changes:
        """Returns what has changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def find(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation, reading it back if it is cold."""
        found = self.invocations.get(invocation_id)
        if found is None and invocation_id not in self.changes.removed:
            found = self.source.load(invocation_id)
            if found is not None:
                self.invocations[invocation_id] = found
                self.loaded.append(invocation_id)
        return found

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        """Returns an awakeable."""
        if awakeable_id in self.changes.awakeables:
            return self.changes.awakeables[awakeable_id]
        return self.source.awakeable(awakeable_id)

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        rows = {row.entry_index: row for row in self.source.journal(number)}
        rows |= {row.entry_index: row for owner, row in self.changes.entries if owner == number}
        for ended in self.changes.completions:
            if ended[4] == number:
                rows[ended[5]] = _ended(rows[ended[5]], ended)
        return [rows[index] for index in sorted(rows)]

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of an invocation's journal; None when there is none."""
        found = self.source.entry(number, index)
        for owner, row in self.changes.entries:
            if owner == number and row.entry_index == index:
                found = row
        for ended in self.changes.completions:
            if found is not None and ended[4:] == (number, index):
                found = _ended(found, ended)
        return found

    def state(self, owner: str) -> Mapping[str, bytes]:
        """Returns a state by name."""
        change = self.changes.state.get(owner)
        if change is None:
            return self.source.state(owner)
        values = {} if change.cleared else self.source.state(owner)
        for name, value in change.values.items():
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
        return self.source.state_value(owner, name)

    def set_state(self, owner: str, name: str, value: bytes | None) -> None:
        """Sets one value of a state; None removes it."""
        change = self.changes.state.get(owner)
        if change is None:
            change = self.changes.state[owner] = StateChange()
        change.values[name] = value

    def clear_state(self, owner: str) -> None:
        """Removes a whole state."""
        self.changes.state[owner] = StateChange(cleared=True)
