"""The partition: the part of the log's folded state that is kept in memory.

Only invocations that can go on at any moment stay in memory. One in a cold state (`states.COLD`) is
dropped when its changes are stored; awakeables, journals and values of states are never kept. A rule
that needs one of them reads it back through `Source`, which is the only way from the rules to the
outside. A source returns what the rules themselves had written by the end of the batch before, so a
replay of the log reads the same. `Transaction` lays the present batch's changes over it.

Rules read on demand, and nothing is loaded for a record beforehand, because a record may touch any
number of invocations: the end of a child wakes its parent, and the release of an object lock starts
the next invocation in its queue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from .levels import FIRST
from .model import Awakeable, Deployment, EntryRow, Handler, Invocation, Route, State


class Source(Protocol):
    """Reads back what was committed; the store implements it."""

    def load(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation."""
        ...

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        """Returns an awakeable."""
        ...

    def awakeables(self, invocation_id: str) -> list[Awakeable]:
        """Returns the awakeables that belong to an invocation."""
        ...

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        ...

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of an invocation's journal."""
        ...

    def state(self, owner: str) -> dict[str, bytes]:
        """Returns all values of a state by name."""
        ...

    def state_value(self, owner: str, name: str) -> bytes | None:
        """Returns one value of a state."""
        ...


class _Nothing:
    """A source that has nothing, for a partition without a store."""

    def load(self, invocation_id: str) -> Invocation | None:
        return None

    def awakeable(self, awakeable_id: str) -> Awakeable | None:
        return None

    def awakeables(self, invocation_id: str) -> list[Awakeable]:
        return []

    def journal(self, number: int) -> list[EntryRow]:
        return []

    def entry(self, number: int, index: int) -> EntryRow | None:
        return None

    def state(self, owner: str) -> dict[str, bytes]:
        return {}

    def state_value(self, owner: str, name: str) -> bytes | None:
        return None


@dataclass(slots=True)
class Partition:
    """The partition's state in memory."""

    source: Source = field(default_factory=_Nothing)
    index: int = 0
    """Its number among the partitions of the system, from 0."""
    count: int = 1
    """The number of partitions of the system, which never changes."""
    epoch: int = 0
    level: int = FIRST
    """The format level of the log: which kinds of records and messages it may hold (see `levels`)."""
    last_number: int = 0
    """The number of the youngest invocation, also if that is removed."""
    last_lock_place: int = 0
    """The latest place that was given in the queue of any object lock."""
    sent: dict[int, int] = field(default_factory=dict)
    """The number of the last message to each other partition."""
    seen: dict[int, int] = field(default_factory=dict)
    """The number of the last message that has taken effect, by the partition that has sent it."""
    early_awakeables: int = 0
    """How many awakeables are resolved and do not belong to an invocation yet."""
    invocations: dict[str, Invocation] = field(default_factory=dict)
    handlers: dict[str, Handler] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    """The builds that workers have registered, by their ids."""
    routes: dict[str, Route] = field(default_factory=dict)
    """Which build gets the new invocations of a handler, for handlers that were promoted."""
    lock_queues: dict[str, deque[str]] = field(default_factory=dict)
    """The queue of each object lock that an invocation holds or wants: ids of invocations by scope.
    The first one holds the lock."""
    endings: dict[tuple[str, State], int] = field(default_factory=dict)
    """How many invocations have ended since this object was made, by handler and final state."""
    loaded: list[str] = field(default_factory=list)
    """Ids of the invocations that were read back since the last batch."""

    def find(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed, read back if it is not in memory."""
        return self.invocations.get(invocation_id) or self.read_back(invocation_id)

    def read_back(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation from the source, and keeps it in memory."""
        found = self.source.load(invocation_id)
        if found is not None:
            self.invocations[invocation_id] = found
            self.loaded.append(invocation_id)
        return found
