"""The server's part for one invocation, in memory: a pair of machines without sockets.

It keeps the journal, numbers completions, runs steps when it is told to, fires timers on a clock of
its own, and can drop the attempt at any moment and start the next one from the journal. Which of the
things that can happen next does happen is drawn from a generator, so that a seed is a schedule.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from durable import Workflow
from durable._journal import SLEEP, Environment, StepTask
from durable._replay import Attempt
from durable._serde import decode, encode
from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

Outcome = payload_pb2.Outcome
EPOCH = 1_700_000_000


class StuckError(AssertionError):
    """The program waits, and nothing can happen any more."""


def no_channel(service: str) -> Any:
    raise LookupError(service)


def run_body(task: StepTask) -> tuple[payload_pb2.Payload | None, BaseException | None]:
    """Runs a step to its end; async ones on an event loop of their own."""

    async def awaited(value: Any) -> Any:
        return await value

    try:
        value = task.body()
        if inspect.isawaitable(value):
            with asyncio.Runner() as runner:
                value = runner.run(awaited(value))
        return task.encode(value), None
    except Exception as error:  # noqa: BLE001 - the engine decides what it means
        return None, error


@dataclass
class Invocation:
    """One invocation: its journal, and the attempt that is under way."""

    workflow: Workflow[..., Any]
    argument: Any = None
    seed: int = 0
    version: str = ""
    environment: Environment = field(default_factory=lambda: Environment(no_channel))
    invocation_id: str = "ab" * 16
    journal: dict[int, invocation_pb2.JournalEntry] = field(default_factory=dict)
    completions: int = 0
    clock_ms: int = EPOCH * 1000
    number: int = 0
    executed: list[tuple[int, str]] = field(default_factory=list)
    final: worker_pb2.WorkerMessage | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.attempt: Attempt
        self.sent: list[worker_pb2.WorkerMessage] = []
        self.steps: list[StepTask] = []
        self.told: list[Callable[[], None]] = []

    # The attempt's life

    def begin(self) -> None:
        """Starts the next attempt from the journal."""
        self.number += 1
        start = worker_pb2.Start(handler=self.workflow.name, random_seed=7, version=self.version)
        start.create_time.seconds = EPOCH
        if self.argument is not None:
            start.input.CopyFrom(encode(self.argument))
        for index in sorted(self.journal):
            start.journal.append(self.journal[index])
        # What was on its way to or from the old attempt is gone with it.
        self.sent, self.steps, self.told = [], [], []
        self.attempt = Attempt(
            self.workflow, self.invocation_id, self.number, start, self.environment
        )
        self.attempt.begin()
        self._take()

    def crash(self) -> None:
        """The worker dies; another one starts."""
        self.attempt.abandon()
        self.begin()

    def _take(self) -> None:
        attempt = self.attempt
        for message in attempt.outbox:
            if message.WhichOneof("message") == "entry":
                self.sent.append(message)
            else:
                assert self.final is None or self.final.attempt != message.attempt
                self.final = message
        attempt.outbox.clear()
        self.steps += attempt.tasks
        attempt.tasks.clear()

    # What can happen

    def choices(self) -> list[Callable[[], None]]:
        """Returns everything that can happen next."""
        found: list[Callable[[], None]] = [partial(self._run, task) for task in self.steps]
        # Entries of one stream arrive in order.
        if self.sent:
            found.append(self._record)
        # What the server says arrives in order too.
        if self.told:
            found.append(self._tell)
        sleeping = [it for it in self.journal.values() if it.kind == SLEEP]
        due = [it for it in sleeping if not it.completion_number]
        if due:
            found.append(lambda: self._fire(min(due, key=lambda it: it.due_time.ToMilliseconds())))
        return found

    def _run(self, task: StepTask) -> None:
        self.steps.remove(task)
        self.executed.append((task.index, task.name))
        entry = self.journal.get(task.index)
        assert entry is None, f"step {task.index} ran after it was committed"
        self.attempt.on_step(task.index, *run_body(task))
        self._take()

    def _record(self) -> None:
        """The log takes the next entry, and the acknowledgement goes on its way."""
        message = self.sent.pop(0)
        said = message.entry
        entry = self.journal.get(said.index)
        if entry is None:
            self.clock_ms += 1
            entry = invocation_pb2.JournalEntry(
                index=said.index, kind=said.kind, name=said.name, attempt=message.attempt
            )
            entry.create_time.FromMilliseconds(self.clock_ms)
            if said.HasField("outcome"):
                self._complete(entry, said.outcome)
            if said.HasField("delay"):
                entry.due_time.FromMilliseconds(self.clock_ms + said.delay.ToMilliseconds())
            self.journal[said.index] = entry
        ack = worker_pb2.Ack(index=said.index)
        if said.HasField("outcome"):
            ack.completion_number = entry.completion_number
        ack.time.CopyFrom(entry.complete_time)
        attempt = self.attempt
        self.told.append(lambda: attempt.on_ack(ack))

    def _fire(self, entry: invocation_pb2.JournalEntry) -> None:
        self.clock_ms = max(self.clock_ms, entry.due_time.ToMilliseconds())
        self._complete(entry, Outcome(value=payload_pb2.Payload(data=b"null")))
        completion = worker_pb2.Completion(
            index=entry.index, outcome=entry.outcome, completion_number=entry.completion_number
        )
        completion.time.CopyFrom(entry.complete_time)
        attempt = self.attempt
        self.told.append(lambda: attempt.on_completion(completion))

    def _complete(self, entry: invocation_pb2.JournalEntry, outcome: Outcome) -> None:
        self.completions += 1
        entry.completion_number = self.completions
        entry.outcome.CopyFrom(outcome)
        entry.complete_time.FromMilliseconds(self.clock_ms)

    def _tell(self) -> None:
        self.told.pop(0)()
        self._take()

    # Runs

    def step(self) -> bool:
        """Lets one thing happen; False when the attempt has ended."""
        if self.attempt.done:
            return False
        choices = self.choices()
        if not choices:
            raise StuckError(f"{self.workflow.name} waits for nothing that can happen")
        self.rng.choice(choices)()
        return True

    def run(self, crash_after: set[int] | None = None) -> Invocation:
        """Runs to the end of an attempt that is not crashed; crashes after those happenings."""
        self.begin()
        happened = 0
        while self.step():
            happened += 1
            if crash_after and happened in crash_after and not self.attempt.done:
                self.crash()
        return self

    @property
    def value(self) -> Any:
        """What the handler returned."""
        assert self.final is not None
        outcome = self.final.finished.outcome
        assert outcome.HasField("value"), self.final
        return decode(outcome.value)

    @property
    def failure(self) -> payload_pb2.Failure:
        """How the last attempt failed, whatever the way."""
        assert self.final is not None
        kind = self.final.WhichOneof("message")
        if kind == "finished":
            return self.final.finished.outcome.failure
        if kind == "held":
            return self.final.held.failure
        return self.final.attempt_failed.failure

    @property
    def ended(self) -> str:
        """By which message the last attempt ended."""
        assert self.final is not None
        return str(self.final.WhichOneof("message"))

    def ended_or_open(self) -> bool:
        """True unless the attempt was held or has failed."""
        return self.final is None or self.ended == "finished"

    def shape(self) -> list[tuple[int, int, str]]:
        """The operations in the journal: index, kind, name."""
        return [(it.index, it.kind, it.name) for _, it in sorted(self.journal.items())]
