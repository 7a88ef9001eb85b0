"""The store's interface: what the processor and the RPCs need of a partition's store.

A store holds the state that the log folds to up to a position, and saves the position in the same
transaction. So after a crash it is consistent but perhaps behind, and the end of the log brings it up
to date (design law 4). A store can be rebuilt from the log, or replaced by another implementation
with the same guarantees.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple, Protocol

from ..core.changes import Changes
from ..core.messages import OutboxMessage
from ..core.model import Awakeable, EntryRow, Handler, Invocation, State
from ..core.partition import Source
from ..log.interface import Position

PAGE_BYTES: Final = 1024 * 1024
"""The size of the outcomes in one page of a list. With one more of the largest it stays below 4 MB, the
default limit of gRPC clients."""


class Recovered(NamedTuple):
    """What a new leader reads from the store."""

    position: Position
    last_number: int
    """The number of the youngest invocation, also if that is removed; 0 when there was none."""
    handlers: list[Handler]
    active: list[Invocation]
    """Invocations in PENDING and RUNNING, by number."""
    timers: list[tuple[int, str, int]]
    """Pending timers: time, invocation id, entry index as in TimerFired."""
    lock_queues: list[tuple[int, str, str]]
    """Invocations that hold or wait for an object lock: place, scope, invocation id; in order."""
    early_awakeables: int
    last_ms: int
    """The time of the last batch. A new leader's clock does not begin before it."""
    sent: dict[int, int]
    """The number of the last message to each other partition that messages were sent to."""
    seen: dict[int, int]
    """The number of the last message that has taken effect, by the partition that has sent it."""
    outbox: list[OutboxMessage]
    """The messages that their partitions have not confirmed, by destination and number."""


class Sort(Enum):
    """What a list is sorted by. The number decides between equal times, and is the order of
    `CREATED`.
    """

    CREATED = "create_time"
    COMPLETED = "complete_time"
    """The list has only invocations that have ended."""
    UPDATED = "update_time"


class Order(NamedTuple):
    """The order of a list; the newest first is the default."""

    sort: Sort = Sort.CREATED
    ascending: bool = False


class PageCursor(NamedTuple):
    """The position of a page's last invocation in its list, after which the next page begins."""

    ms: int
    """The time that the list is sorted by; 0 for `CREATED`, where the number is enough."""
    number: int


class Page(NamedTuple):
    """One page of a list."""

    invocations: list[Invocation]
    end: PageCursor | None
    """Where the next page begins; None when there is none."""
    lengths: dict[str, int]
    """The journal length of each invocation that has entries, by its id."""


class Filter(NamedTuple):
    """The filters of a list; an empty field does not filter."""

    states: tuple[State, ...] = ()
    """Without repetition."""
    handler: str = ""
    key: str = ""
    service: str = ""
    created_min_ms: int = 0
    created_max_ms: int = 0
    failure_text: str = ""
    parent: str = ""


class StoreFullError(Exception):
    """The disk is full: nothing of the commit is stored, and it may be tried again."""


class Store(Source, Protocol):
    """One partition's store. All calls but `file_users` are short and made from one thread."""

    def recover(self) -> Recovered:
        """Returns what a new leader needs.

        Raises StoreVersionError for an entry or a message of a kind that only a newer version knows.
        """
        ...

    def begin(self) -> bool:
        """Begins the transaction of the next `commit`; returns False while another process is writing.

        After False nothing has changed, and the caller tries again. Once the transaction has begun,
        `commit` does not fail because of other processes.
        """
        ...

    def commit(self, position: Position, time_ms: int, changes: Changes) -> None:
        """Writes a batch's changes, its position and its time, in one transaction.

        Without a `begin` before, it begins the transaction, and fails while another process writes.
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
        """Returns an invocation's awakeables by their creation time."""
        ...

    def small_state(self, owner: str, limit: int) -> tuple[dict[str, bytes], bool]:
        """Returns up to `limit` bytes of a state, and whether that is all of it."""
        ...

    def page(self, where: Filter, order: Order, after: PageCursor | None, size: int) -> Page:
        """Returns the page of invocations after `after`, or the first page."""
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
        """Returns ids of awakeables that were resolved before a time and that no invocation created."""
        ...

    def next_expiry(self, early_ms: int) -> int:
        """Returns when the next invocation or awakeable expires; 0 when there is none.

        An awakeable that no invocation has created is kept for `early_ms`.
        """
        ...

    def checkpoint(self) -> int:
        """Makes commits survive a power loss, as far as that is possible without waiting.

        Returns the log's sequence up to which they are known to survive: that of the last commit, or
        of an earlier one while another process reads an older state; 0 while none is known.
        """
        ...

    def file_users(self) -> str:
        """Returns the other processes that have the store open, as text for a sentence.

        Only those that this user may see. It may take a while; it may be called from any thread.
        """
        ...

    def close(self) -> None:
        """Closes the store."""
        ...
