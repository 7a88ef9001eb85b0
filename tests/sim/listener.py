"""The listener: a simulated handler that gives up waits for signals.

It takes as many signals of one name as its input says, and returns them in order: none may be lost,
doubled or overtaken. In each round it waits for one signal and for something that may complete first: a
timer, or a second wait for the same name. It gives up the entries that lose, as an SDK does for
`asyncio.timeout` and for races. Now and then it continues as new instead, and gives up nothing. The
JSON input is how many it takes, and those that the runs before have taken.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from durable_proto.v1 import invocation_pb2, worker_pb2

if TYPE_CHECKING:
    from .worker import SimWorker

_SIGNAL = invocation_pb2.ENTRY_KIND_SIGNAL
_SLEEP = invocation_pb2.ENTRY_KIND_SLEEP
_CANCEL = invocation_pb2.ENTRY_KIND_CANCEL


class Listener:
    """One attempt of a listener on a worker."""

    def __init__(self, worker: SimWorker, message: worker_pb2.ServerMessage) -> None:
        self.worker = worker
        self.id = message.invocation_id
        self.attempt = message.attempt
        start = message.start
        self.count: int
        self.received: list[int]
        self.count, self.received = json.loads(start.input.data)
        self.executing: set[int] = set()
        self.unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self.finished: worker_pb2.WorkerMessage | None = None
        self.pausing = False
        self.seen = start.completions_before
        self.undelivered: dict[int, tuple[int, Any]] = {}
        self.journal = {entry.index: entry.kind for entry in start.journal}
        for entry in start.journal:
            if entry.completion_number:
                self.undelivered[entry.completion_number] = (entry.index, read(entry.outcome))
        self._next_index = start.first_index
        self._rounds = 0
        self._run = start.run
        self._waits: list[int] = []
        self._timer = -1
        self._begin_round()
        self.deliver()

    def _record(self, kind: invocation_pb2.EntryKind, name: str = "") -> int:
        index = self._next_index
        self._next_index += 1
        if index in self.journal:
            assert self.journal[index] == kind, "the journal does not fit the program"
            return index
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        entry = message.entry
        entry.index, entry.kind, entry.name = index, kind, name
        if kind == _SLEEP:
            entry.delay.FromMilliseconds(self.worker.rng.randint(1, 2000))
        elif kind == _CANCEL:
            entry.target = name
        self.unacknowledged[index] = message
        self.worker.send(message)
        return index

    def _begin_round(self) -> None:
        chance = random.Random(f"{self.id}/{self._run}/{self._rounds}")
        self._continues = chance.random() < 0.4
        self._rounds += 1
        self._waits = [self._record(_SIGNAL, "n")]
        self._timer = -1
        # Of two signals that have come, it then knows only of the first.
        if self._continues or chance.random() < 0.3:
            self._waits.append(self._record(_SIGNAL, "n"))
        if len(self._waits) == 1 or chance.random() < 0.5:
            self._timer = self._record(_SLEEP)

    def deliver(self) -> None:
        """Delivers completions in the order of their numbers."""
        while self.seen + 1 in self.undelivered and not self.pausing and self.finished is None:
            index, value = self.undelivered.pop(self.seen + 1)
            self.seen += 1
            if index in self._waits:
                self.received.append(value)
                self._waits.remove(index)
            elif index != self._timer:
                continue  # it belongs to an earlier round
            if self._continues and len(self.received) < self.count:
                self._continue()
                continue
            for loser in self._waits:
                self._record(_CANCEL, f"#{loser}")
            if len(self.received) == self.count:
                self._finish()
            else:
                self._begin_round()

    def _continue(self) -> None:
        """Continues as new; waits may be open, and one may have got a signal unknown here."""
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        message.continued.input.data = json.dumps([self.count, self.received]).encode()
        message.continued.completion_number = self.seen
        message.continued.next_index = self._next_index
        self.finished = message
        self.worker.send(message)

    def _finish(self) -> None:
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        message.finished.outcome.value.data = json.dumps(self.received).encode()
        self.finished = message
        self.worker.send(message)

    def acknowledged(self, ack: worker_pb2.Ack) -> None:
        """Handles an acknowledgement: an entry is in the log."""
        self.unacknowledged.pop(ack.index, None)

    def complete(self, index: int, number: int, value: Any) -> None:
        """Handles the completion of an entry."""
        if number > self.seen:
            self.undelivered[number] = (index, value)
        self.deliver()

    @property
    def idle(self) -> bool:
        """Whether it only waits for completions."""
        return not (self.unacknowledged or self.finished)


def read(outcome: Any) -> Any:
    """Returns the value of an outcome; None for a failure."""
    return json.loads(outcome.value.data) if outcome.HasField("value") else None
