"""The workers: which are connected, which attempts each owns, and which gets the next.

Ownership is a fact of the log: `Started` names the worker. This module mirrors it, so that the loop
finds an owner fast, and adds what the log does not know: which workers are connected, and how many of
their slots are free.

Which build an invocation must go to, if any, is decided in `routing`. Where none is, versions matter:
while versions of a handler run side by side, as in a rolling deploy, an invocation with a journal waits
for a worker of the version that has written the journal, as long as there is one, even if it is busy:
another version may not fit the journal and would be refused. When the last such worker has left, any
version may run it.

A worker whose session breaks keeps its attempts for a grace period, and a new session of the same
worker id takes them up. Messages to a worker that is away are dropped on purpose: when it returns it
names the attempts that it still holds, and everything that it may have missed is sent again then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..core.effects import Acknowledge, Complete
from ..core.model import EntryRow, Invocation
from .queue import Wanted
from .shares import Holding
from .sharing import Sharing


class Outbound(Protocol):
    """The sending half of a worker's session. No call blocks; each only adds to the next frame."""

    def start(
        self,
        invocation: Invocation,
        journal: list[EntryRow],
        state: Mapping[str, bytes],
        state_complete: bool,
    ) -> None:
        """Sends an attempt to the worker."""
        ...

    def acknowledge(self, effect: Acknowledge) -> None:
        """Confirms that an entry is in the log."""
        ...

    def complete(self, effect: Complete) -> None:
        """Sends the outcome of an open entry."""
        ...

    def request_pause(self, invocation_id: str, attempt: int) -> None:
        """Asks the worker to pause the attempt."""
        ...

    def request_cancel(self, invocation: Invocation) -> None:
        """Asks the worker to cancel the invocation."""
        ...

    def suspended(self, invocation_id: str, attempt: int) -> None:
        """Confirms that the attempt is suspended."""
        ...

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        """Takes the attempt away from the worker."""
        ...


class Worker:
    """One worker process, connected or in its grace period."""

    __slots__ = (
        "build_id",
        "connected_ms",
        "draining",
        "entry_node",
        "handlers",
        "id",
        "identity",
        "outbound",
        "owned",
        "pinned",
        "session_number",
        "share",
    )

    def __init__(self, worker_id: str) -> None:
        self.id = worker_id
        self.identity = ""
        self.build_id = ""
        self.handlers: Mapping[str, str] = {}
        """The version that it runs of each handler, by name."""
        self.pinned: Collection[str] = ()
        """The handlers that are pinned in its build."""
        self.share = Holding()
        """Its slots that this node may use; all of them, unless other nodes use it too."""
        self.session_number = 0
        """The number of its newest session; 0 if it does not count them."""
        self.entry_node = ""
        """The node that it has dialled, if that is another one."""
        self.owned: dict[str, int] = {}
        """The attempt of each invocation, by id; also those not committed yet."""
        self.outbound: Outbound | None = None
        self.draining = False
        self.connected_ms = 0

    @property
    def relayed(self) -> bool:
        """Whether it has dialled another node, which relays its session to this one."""
        return bool(self.entry_node)

    @property
    def slots(self) -> int:
        """How many attempts this node may give it at a time."""
        return self.share.units

    @property
    def available(self) -> bool:
        """Whether it is connected and does not drain."""
        return self.outbound is not None and not self.draining

    @property
    def free(self) -> int:
        """How many attempts it can take now."""
        if self.outbound is None or self.draining:
            return 0
        return self.share.units - len(self.owned)


class Workers:
    """All workers; the partitions of a process share them."""

    def __init__(self) -> None:
        self.sharing = Sharing()
        self._workers: dict[str, Worker] = {}
        self._serving: dict[str, list[Worker]] = {}
        """The connected workers by handler."""
        self._versions: dict[tuple[str, str], list[Worker]] = {}
        """The workers, connected or in their grace period, by handler and version."""
        self._builds: dict[tuple[str, str], list[Worker]] = {}
        """The connected workers by handler and build."""
        self.pins = False
        """Whether a handler is pinned in the build of a connected worker."""
        self.returning = False
        """Whether workers of an earlier leader that the log does not name may still reconnect."""
        self.connected = asyncio.Event()
        """Set when a worker has connected."""

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def get(self, worker_id: str) -> Worker | None:
        """Returns a worker that is connected or in its grace period."""
        return self._workers.get(worker_id)

    def expect(self, worker_id: str) -> Worker:
        """Returns the worker with this id; makes it, as one that is away, if it is unknown."""
        worker = self._workers.get(worker_id)
        if worker is None:
            worker = self._workers[worker_id] = Worker(worker_id)
        return worker

    def recover(self, invocation: Invocation) -> None:
        """Adds a worker of an earlier leader, with an attempt that it owns by the log."""
        worker = self.expect(invocation.worker_id)
        worker.owned[invocation.id] = invocation.attempt
        worker.build_id = worker.build_id or invocation.attempt_build
        if worker.handlers.get(invocation.handler) != invocation.version:
            worker.handlers = {**worker.handlers, invocation.handler: invocation.version}
            self._index()

    def connect(self, worker: Worker, outbound: Outbound, now_ms: int) -> None:
        """Puts a worker into service."""
        worker.outbound = outbound
        worker.draining = False
        worker.connected_ms = now_ms
        self._index()
        self.connected.set()

    def disconnect(self, worker: Worker) -> None:
        """Takes a worker out of service; it keeps what it owns."""
        worker.outbound = None
        self._index()

    def remove(self, worker: Worker) -> None:
        """Forgets a worker."""
        self._workers.pop(worker.id, None)
        self._index()

    def serving(self, handler: str) -> int:
        """Returns how many connected workers serve a handler."""
        return len(self._serving.get(handler, ()))

    def has_build(self, build_id: str) -> bool:
        """Returns whether a worker of a build is connected, or in its grace period."""
        return any(it.build_id == build_id for it in self._workers.values())

    def candidates(self, wanted: Wanted) -> Sequence[Worker]:
        """Returns the workers that fit what an invocation waits for, with free slots or not.

        With a build they are its connected workers. With a version they are those of that version, as
        long as there is one that is not draining. Else they are all that serve the handler.
        """
        handler, version, build = wanted
        if build:
            return self._builds.get((handler, build), ())
        if version:
            same = [it for it in self._versions.get((handler, version), ()) if not it.draining]
            if same or self.returning:
                return same
        return self._serving.get(handler, ())

    def _index(self) -> None:
        self._serving, self._versions, self._builds = {}, {}, {}
        self.pins = False
        for worker in self._workers.values():
            connected = worker.outbound is not None
            if connected and worker.pinned:
                self.pins = True
            for handler, version in worker.handlers.items():
                self._versions.setdefault((handler, version), []).append(worker)
                if connected:
                    self._serving.setdefault(handler, []).append(worker)
                    self._builds.setdefault((handler, worker.build_id), []).append(worker)


def freest(candidates: Iterable[Worker]) -> Worker | None:
    """Returns the candidate with the most free slots; None when no candidate has any.

    The slots of one that has dialled this node count twice, because each message of another one takes a
    hop more. So invocations stay at the node that has both them and a worker for them, and go elsewhere
    when that worker is clearly the busier one.
    """
    best: Worker | None = None
    most = 0
    for worker in candidates:
        free = worker.free if worker.entry_node else 2 * worker.free
        if free > most:
            best, most = worker, free
    return best
