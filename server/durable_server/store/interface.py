"""The store's interface: what the processor and the RPCs need of a partition's store.

A store holds the state that the log folds to up to a position, and saves the position in the same
transaction. So after a crash it is consistent but perhaps behind, and the end of the log brings it up
to date (design law 4). A store can be rebuilt from the log, or replaced by another implementation
with the same guarantees.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from ..core.changes import Changes
from ..core.messages import OutboxMessage
from ..core.model import (
    Awakeable,
    Deployment,
    EndedAttempt,
    EntryRow,
    Handler,
    Invocation,
    Route,
    State,
)
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
    outbox: dict[int, range]
    """The numbers of the messages that their partitions have not confirmed, by destination."""
    level: int
    """The format level of the log."""
    deployments: list[Deployment]
    """The builds that workers have registered, in order."""
    routes: list[Route]


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
    handlers: tuple[str, ...] | None = None
    """The handlers that the caller may see; None for all."""
    key: str = ""
    service: str = ""
    created_min_ms: int = 0
    created_max_ms: int = 0
    failure_text: str = ""
    parent: str = ""
    pinned_build: str = ""
    """The build that invocations which have not ended are pinned to."""


class StoreFullError(Exception):
    """The disk is full: nothing of the commit is stored, and it may be tried again."""


class Store(Source, Protocol):
    """One partition's store. All calls but `file_users` are short and made from one thread."""

    def recover(self) -> Recovered:
        """Returns what a new leader needs.

        Raises StoreVersionError for an entry of a kind that only a newer version knows.
        """
        ...

    def outbox(self, destination: int, first: int, size: int) -> list[OutboxMessage]:
        """Returns unconfirmed messages to a partition from a number on, up to `size` bytes.

        It returns at least one if there is one. Raises StoreVersionError for a message of a kind that
        only a newer version knows.
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

    def attempts(self, number: int) -> list[EndedAttempt]:
        """Returns the last attempts of an invocation that have ended, in order.

        Without the last one if it is the only one: the invocation says all about it.
        """
        ...

    def deployments(self) -> list[Deployment]:
        """Returns the builds that workers have registered, in order."""
        ...

    def routes(self) -> list[Route]:
        """Returns the routes by handler."""
        ...

    def patches(self, handler: str) -> list[tuple[str, str, str, int, int, int]]:
        """Returns the patches in journals, for one handler or with an empty name for all.

        Of each: its handler, its name, the build that recorded it, its kind of entry, when it was
        recorded first, and how many of these invocations have not ended.
        """
        ...

    def unpatched(
        self, handler: str, name: str, builds: Sequence[str], size: int
    ) -> tuple[int, list[str]]:
        """Counts the invocations of a handler that have a journal, without a patch, and not ended.

        Those that one of these builds has begun are left out, unless they were repinned, because then
        nobody knows which build has begun them. It counts up to 10,000, and returns up to
        `size` ids too.
        """
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

    def pinned_counts(self) -> list[tuple[str, str, int]]:
        """Counts the pinned invocations that have not ended, by build and handler."""
        ...

    def handlers(self) -> list[tuple[Handler, int]]:
        """Returns all handlers with the time of their first registration, by name."""
        ...

    def expired(self, now_ms: int, size: int) -> list[str]:
        """Returns ids of finished invocations whose retention is over."""
        ...

    def early_awakeables(self, resolved_ms: int, revoked_ms: int, size: int) -> list[str]:
        """Returns ids of awakeables that no invocation has created, by the age of what they keep.

        That is an outcome of `resolved_ms` or before, or else a webhook's revocation of `revoked_ms`
        or before.
        """
        ...

    def next_expiry(self, resolved_ms: int, revoked_ms: int) -> int:
        """Returns when the next invocation or awakeable expires; 0 when there is none.

        An awakeable that no invocation has created is kept for `resolved_ms` from its outcome on,
        and for `revoked_ms` from a revocation on if it has no outcome.
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
