"""The face of a partition's store, as the processor needs it.

A store holds what the log folds to up to a position, and the position in the same transaction: after
a crash it is consistent, perhaps behind, and the log's tail brings it up to date (design law 4). It
can be made anew from the log, or replaced by one that keeps its promises in another way.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..core.model import EntryRow, Handler, Invocation, State
from ..core.partition import Changes
from ..log.interface import Position


class Recovered(NamedTuple):
    """What a leader needs to go on from a store."""

    position: Position
    last_number: int
    handlers: list[Handler]
    active: list[Invocation]
    """Invocations in PENDING and RUNNING, by number."""
    timers: list[tuple[int, str, int]]
    """What is due when: time, invocation id, entry index or -1."""


class Listed(NamedTuple):
    """One page of a list."""

    invocations: list[Invocation]
    more: bool


class Filter(NamedTuple):
    """What a list is to hold; an empty field does not filter."""

    states: tuple[State, ...] = ()
    handler: str = ""
    key: str = ""
    service: str = ""
    created_min_ms: int = 0
    created_max_ms: int = 0
    failure_text: str = ""


class Store(Protocol):
    """One partition's store. All calls are short and made from one thread."""

    def recover(self) -> Recovered:
        """Returns what a leader goes on from."""
        ...

    def commit(self, position: Position, changes: Changes) -> None:
        """Writes a batch's changes and its position, in one transaction."""
        ...

    def load(self, invocation_id: str) -> Invocation | None:
        """Returns an invocation as it was last committed."""
        ...

    def journal(self, number: int) -> list[EntryRow]:
        """Returns an invocation's journal in program order."""
        ...

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of a journal."""
        ...

    def page(self, where: Filter, after: int, oldest_first: bool, size: int) -> Listed:
        """Returns a page of invocations beyond number `after` (0: from the start)."""
        ...

    def counts(self) -> list[tuple[str, State, int]]:
        """Counts invocations by handler and state."""
        ...

    def handlers(self) -> list[tuple[Handler, int]]:
        """Returns all handlers with the time of their first registration, by name."""
        ...

    def expired(self, now_ms: int, size: int) -> list[str]:
        """Returns ids of finished invocations whose retention is over."""
        ...

    def next_expiry(self) -> int:
        """Returns when the next retention is over; 0 when there is none."""
        ...

    def checkpoint(self) -> None:
        """Makes everything committed so far survive a power loss before it returns."""
        ...

    def close(self) -> None:
        """Closes the store."""
        ...
