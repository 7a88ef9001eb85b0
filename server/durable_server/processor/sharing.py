"""The sharing of workers among the partitions of a process: who gets a free slot.

Each partition assigns its own invocations, in its own batches, and all of them to the same workers. So
that none waits for ever beside a busy one, a partition leaves a slot to another one whose invocation
has waited longer, or has a higher priority. It takes the slot only if the worker has more free slots
than there are such partitions. The partition whose invocation is the first of all leaves its slot to
nobody, so somebody always goes on.

How many invocations of a handler with `max_concurrent` are running is counted over all partitions too.
On a node of a cluster, the limit is the node's share of it, see `Quotas`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple, Protocol

from .queue import Place, Wanted


class SharedWorker(Protocol):
    """What the sharing needs to know of a worker."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def build_id(self) -> str:
        """The build that it runs."""
        ...

    @property
    def handlers(self) -> Mapping[str, str]:
        """The version that it runs of each handler, by name."""
        ...

    @property
    def available(self) -> bool:
        """Whether it is connected and does not drain."""
        ...

    @property
    def free(self) -> int:
        """How many attempts it can take now."""
        ...


class Waiting(NamedTuple):
    """What some invocations of a partition wait for."""

    wanted: Wanted
    invocations: int
    """How many wait."""
    startable: int
    """How many of them may start before the limit of their handler is reached here."""
    limited: bool
    """Whether their handler has a limit."""


class Sharer(Protocol):
    """A partition that assigns invocations to the workers."""

    def wake(self) -> None:
        """Makes the partition look for assignments, if any invocation of it waits."""
        ...

    def precedes(self, place: Place, worker: SharedWorker) -> bool:
        """Returns whether an invocation before this place waits for a slot of this worker."""
        ...

    @property
    def index(self) -> int:
        """Its number."""
        ...

    def waiting(self) -> Iterable[Waiting]:
        """Yields what its invocations wait for."""
        ...

    def candidates(self, wanted: Wanted) -> Sequence[SharedWorker]:
        """Returns the workers that may take what waits for this, with free slots or not."""
        ...


class Quotas(Protocol):
    """This node's shares of the limits of handlers that hold over several nodes."""

    def allowed(self, handler: str) -> int:
        """Returns how many invocations of a handler with a limit may run here."""
        ...

    def released(self, handler: str) -> None:
        """Notes that an invocation of a handler with a limit has ended here."""
        ...

    def taken_over(self) -> None:
        """Notes that a partition has come here, with the invocations of it that run."""
        ...

    def left(self, handler: str, count: int) -> None:
        """Notes that so many invocations that run have left with their partition."""
        ...

    def report(self, waiting: Mapping[str, int]) -> None:
        """Tells the owners of the limits what they have to hear; `waiting` is by handler."""
        ...


class Sharing:
    """What the partitions of a process share beside the workers themselves."""

    def __init__(self) -> None:
        self.arrivals: Iterator[int] = count()
        """Numbers the invocations that wait, over all partitions."""
        self.running: dict[str, set[str]] = {}
        """The running invocations of each handler that has a `max_concurrent`."""
        self.quotas: Quotas | None = None
        """This node's shares of the limits of handlers; None when nobody else runs them."""
        self.demand_changed: Callable[[], None] | None = None
        """Called when what waits may have changed; None when nobody has to know."""
        self.appending = 0
        """How many records are being appended now."""
        self._sharers: list[Sharer] = []
        self._waiting: dict[Sharer, None] = {}
        """The partitions that have left a slot to another one."""

    @property
    def partitions(self) -> int:
        """How many partitions this process leads; at least 1."""
        return len(self._sharers) or 1

    @property
    def alone(self) -> bool:
        """Whether there is one partition, so that nothing has to be shared."""
        return len(self._sharers) == 1

    def join(self, sharer: Sharer) -> None:
        """Adds a partition that is led here now, with what runs of it counted already."""
        self._sharers.append(sharer)
        if self.quotas is not None:
            self.quotas.taken_over()
        self.changed()

    def leave(self, sharer: Sharer) -> None:
        """Removes a partition that this process does not lead any more."""
        if sharer in self._sharers:
            self._sharers.remove(sharer)
        self._waiting.pop(sharer, None)
        # It may be the one to which the others have left a slot.
        self.slot_freed()
        self.changed()

    def __iter__(self) -> Iterator[Sharer]:
        return iter(self._sharers)

    def room(self, handler: str, limit: int) -> int:
        """Returns how many more invocations of a handler with this limit may start here."""
        allowed = limit if self.quotas is None else self.quotas.allowed(handler)
        return allowed - len(self.running.get(handler, ()))

    def changed(self) -> None:
        """Notes that what waits has changed."""
        if self.demand_changed is not None:
            self.demand_changed()

    def slot_freed(self) -> None:
        """Lets all partitions look for assignments, because a worker has a free slot."""
        for sharer in self._sharers:
            sharer.wake()

    def leaves(self, sharer: Sharer, place: Place, worker: SharedWorker) -> bool:
        """Returns whether a partition leaves the slot of a worker to others, which it wakes then."""
        before = [it for it in self._sharers if it is not sharer and it.precedes(place, worker)]
        if len(before) < worker.free:
            return False
        self._waiting[sharer] = None
        for other in before:
            other.wake()
        return True

    def assigned(self) -> None:
        """Lets those look again that have left a slot to the partition that has now assigned."""
        waiting, self._waiting = self._waiting, {}
        for sharer in waiting:
            sharer.wake()
