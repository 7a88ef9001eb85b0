"""The changes of a batch: everything that the store must write, in the form in which it writes it.

The rules fill a `Changes` while they apply a batch. The processor commits it to the store together
with the batch's position in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .messages import OutboxMessage
from .model import (
    Awakeable,
    Deployment,
    EndedAttempt,
    EntryRow,
    Handler,
    Invocation,
    Route,
    State,
)


class EntryCompletion(NamedTuple):
    """The end of an entry that was open; the store binds the fields in this order."""

    outcome: bytes
    completion: int
    """Its number among the invocation's completions."""
    completed_ms: int
    signal: int
    """The number of the signal that ended it; 0 for none."""
    number: int
    """The invocation's number."""
    entry_index: int


@dataclass(slots=True)
class StateChange:
    """What a batch changed in the state of one owner."""

    cleared: bool = False
    """Whether all earlier values are removed, before `values` applies."""
    values: dict[str, bytes | None] = field(default_factory=dict)
    """New values by name; None removes one."""


@dataclass(slots=True)
class Changes:
    """What a batch changed."""

    created: dict[int, Invocation] = field(default_factory=dict)
    """New invocations by number, as they are after the batch."""
    last_number: int = 0
    """The number of the youngest new invocation, also if the batch removes it; 0 for none."""
    changed: dict[int, Invocation] = field(default_factory=dict)
    """Older invocations by number in which anything but the journal changed."""
    states_before: dict[int, State] = field(default_factory=dict)
    """The lifecycle state before the batch, of each older invocation whose state changed, by number."""
    entries: list[tuple[int, EntryRow]] = field(default_factory=list)
    """New journal entries: the invocation's number, the entry."""
    completions: list[EntryCompletion] = field(default_factory=list)
    """Entries that were completed after they had been recorded."""
    handlers: list[tuple[Handler, int]] = field(default_factory=list)
    """Handlers to write, each with the time of its registration."""
    awakeables: dict[str, Awakeable | None] = field(default_factory=dict)
    """Awakeables to write, by id; None removes one."""
    waiters: list[tuple[str, str, int]] = field(default_factory=list)
    """New waiters: the id of the invocation waited for, the waiting invocation's id, its entry's
    index."""
    waiters_removed: list[str] = field(default_factory=list)
    """Ids of ended invocations whose waiters are removed, because they have the outcome."""
    signals: list[tuple[int, int, str, bytes]] = field(default_factory=list)
    """Signals to keep: the invocation's number, the signal's number, its name, its outcome."""
    taken_signals: list[tuple[int, int]] = field(default_factory=list)
    """Kept signals to remove, because an entry took them: invocation's number, signal's number."""
    state: dict[str, StateChange] = field(default_factory=dict)
    """Changed states, by owner."""
    removed: dict[str, int] = field(default_factory=dict)
    """Older invocations to remove with everything that belongs to them: number by id. They are removed
    before the other changes are made, because another invocation may get the same id in this batch."""
    outbox: list[OutboxMessage] = field(default_factory=list)
    """New messages to other partitions."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    """The number up to which messages to a partition are removed from the outbox, by partition."""
    seen: dict[int, int] = field(default_factory=dict)
    """The number of the last message that has taken effect, by the partition that has sent it."""
    level: int = 0
    """The new format level of the log; 0 if it stays."""
    attempts: list[tuple[int, EndedAttempt]] = field(default_factory=list)
    """Attempts that have ended: the invocation's number, the attempt."""
    journals_removed: set[int] = field(default_factory=set)
    """Numbers of older invocations whose stored journal is removed before `entries` are added, because
    another run has begun."""
    inputs: dict[int, bytes | None] = field(default_factory=dict)
    """The inputs of invocations that have begun another run, by number."""
    deployments: dict[str, Deployment | None] = field(default_factory=dict)
    """Builds to write, by their ids; None removes one."""
    routes: dict[str, Route | None] = field(default_factory=dict)
    """Routes to write, by handler; None removes one."""

    def touch(self, invocation: Invocation) -> None:
        """Notes that the invocation's row must be written."""
        if invocation.number not in self.created:
            self.changed[invocation.number] = invocation

    def remove(self, invocation: Invocation) -> None:
        """Removes an invocation that has ended, with what the batch has changed of it before."""
        number, id_ = invocation.number, invocation.id
        self.changed.pop(number, None)
        self.state.pop(id_, None)
        self.inputs.pop(number, None)
        for awakeable in self.awakeables.values():
            if awakeable is not None and awakeable.invocation_id == id_:
                self.awakeables[awakeable.id] = None
        new = self.created.pop(number, None) is not None
        if new or number in self.states_before:  # else the batch has added nothing to it
            self.drop_journal(number)
            self.attempts = [it for it in self.attempts if it[0] != number]
            self.signals = [it for it in self.signals if it[0] != number]
            self.waiters = [it for it in self.waiters if it[0] != id_]
            self.waiters_removed = [it for it in self.waiters_removed if it != id_]
        if not new:
            self.removed[id_] = number

    def drop_journal(self, number: int) -> None:
        """Forgets what the batch has added to the journal of an invocation."""
        self.entries = [it for it in self.entries if it[0] != number]
        self.completions = [it for it in self.completions if it.number != number]

    def leaves(self, invocation: Invocation) -> None:
        """Notes the state that an invocation is about to leave; only the batch's first one counts."""
        if invocation.number not in self.created:
            self.states_before.setdefault(invocation.number, invocation.state)
