"""The workers of a partition: who is connected, what each owns, who gets the next attempt.

Ownership is a fact of the log: `Started` names the worker. This room only mirrors it, so that the
loop can find owners fast, and adds what no log knows: who is connected, how many slots are free.

While versions of a handler run side by side, as in a rolling deploy, an invocation with a journal waits
for a worker of the version that has written it, for as long as there is one, even if that is busy:
another version may not fit the journal, and would be refused. When the last one has left, all others
will do.

A worker whose stream ends keeps what it owns for a grace period; a new stream of the same worker id
takes it up. Messages to a worker that is away are dropped on purpose: a returning worker says what it
still holds, and everything that it may have missed is said again then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from ..core.effects import Acknowledge, Complete
from ..core.model import EntryRow, Invocation


class Outbound(Protocol):
    """The sending half of a worker's stream. No call blocks; all only add to the next frame."""

    def start(
        self,
        invocation: Invocation,
        journal: list[EntryRow],
        state: Mapping[str, bytes],
        state_complete: bool,
    ) -> None:
        """Hands an attempt to the worker."""
        ...

    def acknowledge(self, effect: Acknowledge) -> None:
        """Says that an entry is in the log."""
        ...

    def complete(self, effect: Complete) -> None:
        """Says that an open entry has ended."""
        ...

    def request_pause(self, invocation_id: str, attempt: int) -> None:
        """Asks to hold the attempt."""
        ...

    def request_cancel(self, invocation: Invocation) -> None:
        """Says that the invocation's end is asked for."""
        ...

    def suspended(self, invocation_id: str, attempt: int) -> None:
        """Says that the attempt is suspended."""
        ...

    def abandon(self, invocation_id: str, attempt: int, reason: str) -> None:
        """Says that the attempt is not the worker's any more."""
        ...


class Worker:
    """One worker process, connected or in its grace period."""

    __slots__ = (
        "build_id",
        "connected_ms",
        "draining",
        "handlers",
        "id",
        "identity",
        "outbound",
        "owned",
        "slots",
    )

    def __init__(self, worker_id: str) -> None:
        self.id = worker_id
        self.identity = ""
        self.build_id = ""
        self.handlers: Mapping[str, str] = {}
        """Handler name -> the version that it runs."""
        self.slots = 0
        self.owned: dict[str, int] = {}
        """Invocation id -> attempt; also what is proposed and not committed yet."""
        self.outbound: Outbound | None = None
        self.draining = False
        self.connected_ms = 0

    @property
    def free(self) -> int:
        """How many attempts it can take now."""
        if self.outbound is None or self.draining:
            return 0
        return self.slots - len(self.owned)


class Workers:
    """All workers of a partition."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._serving: dict[str, list[Worker]] = {}
        """The connected workers by handler."""
        self._versions: dict[tuple[str, str], list[Worker]] = {}
        """The connected ones and those that are away, by handler and version."""
        self.returning = False
        """Whether workers of an earlier leader, of which the log knows nothing, may still come back."""
        self.connected = asyncio.Event()
        """Set when a worker has come."""

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

    def owns(self, invocation: Invocation) -> None:
        """Notes what the log says of a worker of an earlier leader: what it runs, and serves."""
        worker = self.expect(invocation.worker_id)
        worker.owned[invocation.id] = invocation.attempt
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

    def choose(self, handler: str, version: str = "") -> Worker | None:
        """Returns the worker with the most free slots for a handler; None when there is none.

        With a version it is one of those that run it, while there are such workers and not all of
        them are about to leave.
        """
        among = self._serving.get(handler, ())
        if version:
            same = [it for it in self._versions.get((handler, version), ()) if not it.draining]
            if same:
                among = same
            elif self.returning:
                return None
        best: Worker | None = None
        most = 0
        for worker in among:
            free = worker.free
            if free > most:
                best, most = worker, free
        return best

    def _index(self) -> None:
        self._serving = {}
        self._versions = {}
        for worker in self._workers.values():
            for handler, version in worker.handlers.items():
                self._versions.setdefault((handler, version), []).append(worker)
                if worker.outbound is not None:
                    self._serving.setdefault(handler, []).append(worker)
