"""The face of a partition's store, as the processor needs it.

A store holds what the log folds to up to a position, and the position in the same transaction: after
a crash it is consistent, perhaps behind, and the log's tail brings it up to date (design law 4). It
can be made anew from the log, or replaced by one that keeps its promises in another way.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from ..core.changes import Changes
from ..core.model import Awakeable, EntryRow, Handler, Invocation, State
from ..core.partition import Source
from ..log.interface import Position


class Recovered(NamedTuple):
    """What a leader needs to go on from a store."""

    position: Position
    last_number: int
    handlers: list[Handler]
    active: list[Invocation]
    """Invocations in PENDING and RUNNING, by number."""
    timers: list[tuple[int, str, int]]
    """What is due when: time, invocation id, index as in TimerFired."""
    turns: list[tuple[int, str, str]]
    """Who wants which object key: place, scope, invocation id; in order."""
    early_awakeables: int
    last_ms: int
    """The time of the last batch. A leader's clock begins there at the earliest."""


class Sort(Enum):
    """What a list is sorted by; among equals, and by `CREATED` itself, the number decides."""

    CREATED = "create_time"
    COMPLETED = "complete_time"
    """Holds only what has ended."""
    UPDATED = "update_time"


class Order(NamedTuple):
    """The order of a list; the newest first is the default."""

    sort: Sort = Sort.CREATED
    ascending: bool = False


class Place(NamedTuple):
    """Where a page ends and the next one begins: the last invocation's time and number."""

    ms: int
    """The time that the list is sorted by; 0 for `CREATED`, where the number says all."""
    number: int


class Listed(NamedTuple):
    """One page of a list."""

    invocations: list[Invocation]
    end: Place | None
    """Where the next page begins; None when there is none."""
    lengths: dict[int, int]
    """How many journal entries each has that has any, by number."""


class Filter(NamedTuple):
    """What a list is to hold; an empty field does not filter."""

    states: tuple[State, ...] = ()
    """Each once."""
    handler: str = ""
    key: str = ""
    service: str = ""
    created_min_ms: int = 0
    created_max_ms: int = 0
    failure_text: str = ""
    parent: str = ""


class StoreFullError(Exception):
    """The disk has no room for a commit: nothing of it is stored, and it may be tried again."""


class Store(Source, Protocol):
    """One partition's store. All calls but `holders` are short and made from one thread."""

    def recover(self) -> Recovered:
        """Returns what a leader goes on from."""
        ...

    def begin(self) -> bool:
        """Begins the transaction of the next `commit`; False while another process is writing.

        Then nothing has happened, and it is to be tried again. Once it is begun, `commit` does not
        fail because of other processes.
        """
        ...

    def commit(self, position: Position, time_ms: int, changes: Changes) -> None:
        """Writes a batch's changes, its position and its time, in one transaction.

        One that was not begun before is begun here, and fails while another process is writing.
        Raises StoreFullError when the disk is full.
        """
        ...

    def entry(self, number: int, index: int) -> EntryRow | None:
        """Returns one entry of a journal."""
        ...

    def completions(self, number: int) -> dict[int, int]:
        """Returns the completion of each entry of a journal by its index, in program order."""
        ...

    def awakeables(self, invocation_id: str) -> list[Awakeable]:
        """Returns an invocation's awakeables by the time they were made."""
        ...

    def small_state(self, owner: str, limit: int) -> tuple[dict[str, bytes], bool]:
        """Returns a state up to so many bytes, and whether that is all of it."""
        ...

    def page(self, where: Filter, order: Order, after: Place | None, size: int) -> Listed:
        """Returns a page of invocations beyond `after`, or the first one."""
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

    def early_awakeables(self, before_ms: int, size: int) -> list[str]:
        """Returns ids of awakeables that were resolved before a time and that nobody asked for."""
        ...

    def next_expiry(self, early_ms: int) -> int:
        """Returns when the next thing is to be removed; 0 when there is none.

        An awakeable that nobody has asked for is kept for `early_ms`.
        """
        ...

    def checkpoint(self) -> int:
        """Makes what was committed survive a power loss, as far as that needs no waiting.

        Returns the log's sequence up to which it is known to: that of the last commit, or of an
        earlier one while another process reads an older state; 0 when nothing is known yet.
        """
        ...

    def holders(self) -> str:
        """Names the other processes that have the store open, as far as they can be seen.

        The text is for a sentence. It may take a while, and be called from any thread.
        """
        ...

    def close(self) -> None:
        """Closes the store."""
        ...
