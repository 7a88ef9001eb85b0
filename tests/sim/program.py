"""The simulated worker's programs, which speak the worker protocol by hand.

A `program` is stages of entries that are open side by side, as the invocation's JSON input:
`[["run", "run"], ["sleep"], ...]`. A stage is over when all its entries are; the result is the list of
all values. Each execution of a step makes a new value, so a step that was repeated after its commit,
or a value that got lost, shows in the result. The other kinds of entries:

    try         a step that fails often, and for good when its TRIES are used up; for each that has, the
                program ends with one more step, which undoes it
    sleep       a timer
    wait        an awakeable, which a client resolves at some time before or after
    child       a program of two steps, awaited
    bump, send  a turn on one of two object keys, awaited or not: `counter.bump`
    set         a write to the invocation's own state, which the next attempt must bring along

`counter.bump` reads a number from its key's state, and writes and returns the next one. So any turn
that was lost, doubled or not alone on its key shows in the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

if TYPE_CHECKING:
    from .worker import SimWorker

_PREFIX = "ENTRY_KIND_"
_KINDS = {
    "run": invocation_pb2.ENTRY_KIND_RUN,
    "try": invocation_pb2.ENTRY_KIND_RUN,
    "sleep": invocation_pb2.ENTRY_KIND_SLEEP,
    "wait": invocation_pb2.ENTRY_KIND_AWAKEABLE,
    "child": invocation_pb2.ENTRY_KIND_INVOKE,
    "bump": invocation_pb2.ENTRY_KIND_INVOKE,
    "send": invocation_pb2.ENTRY_KIND_SEND,
    "set": invocation_pb2.ENTRY_KIND_SET_STATE,
    "get": invocation_pb2.ENTRY_KIND_GET_STATE,
}
_RUN = invocation_pb2.ENTRY_KIND_RUN
_CHILD = [["run", "run"]]
TRIES = 2
FAILED = {"failed": "SimulatedError"}
"""What a program makes of a step that has failed for good."""


def undoing(stages: list[list[str]], values: Mapping[int, Any]) -> list[str]:
    """Returns the steps that undo what has failed, of a program whose other steps have ended."""
    kinds = [kind for stage in stages for kind in stage]
    return ["run" for it, kind in enumerate(kinds) if kind == "try" and values[it] == FAILED]


def value_of(outcome: payload_pb2.Outcome) -> Any:
    """Returns what a program makes of an outcome."""
    return FAILED if outcome.HasField("failure") else json.loads(outcome.value.data)


def key_of(invocation_id: str, index: int) -> str:
    """Returns the object key that a `bump` or `send` uses."""
    return f"key-{(int(invocation_id[-1], 16) + index) % 2}"


class Program:
    """One attempt of one invocation on a worker."""

    def __init__(self, worker: SimWorker, message: worker_pb2.ServerMessage) -> None:
        self.worker = worker
        self.id = message.invocation_id
        self.attempt = message.attempt
        start = message.start
        self.bumps = start.handler == "counter.bump"
        self.state = {name: json.loads(it.data) for name, it in start.state.items()}
        self.stages: list[list[str]] = [["get"], ["set"]]
        if not self.bumps:
            self.stages = json.loads(start.input.data)
        self.undoes = False
        """Whether the steps that undo what has failed are among the stages."""
        self.step_failures = dict(start.step_failures)
        self.values: dict[int, Any] = {}
        self.recorded = {entry.index for entry in start.journal}
        self.unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self.executing: set[int] = set()
        self.finished: worker_pb2.WorkerMessage | None = None
        self.frozen = False
        self.stage = 0
        self.seen = 0
        self.early: dict[int, tuple[int, Any]] = {}
        self._check_state(start)
        for entry in start.journal:
            if entry.completion_number:
                self.early[entry.completion_number] = (entry.index, value_of(entry.outcome))
            elif entry.kind == _KINDS["get"]:
                self.values[entry.index] = json.loads(entry.outcome.value.data)
            elif entry.kind == _KINDS["set"]:
                self.values[entry.index] = None
        for stage in range(len(self.stages)):
            if self.stage == stage and all(it in self.values for it in self.indexes(stage)):
                self.stage += 1
        self.deliver()

    def _check_state(self, start: worker_pb2.Start) -> None:
        """The state that came along is what the journal says of it."""
        written = [
            json.loads(entry.argument.data)
            for entry in start.journal
            if entry.kind == _KINDS["set"]
        ]
        assert start.state_complete
        if written:
            assert self.state["n"] == written[-1]
        elif not self.bumps:
            assert not self.state

    def indexes(self, stage: int) -> range:
        """Returns the indexes of a stage's entries."""
        first = sum(len(it) for it in self.stages[:stage])
        return range(first, first + len(self.stages[stage]))

    def deliver(self) -> None:
        """Delivers completions in their order, and goes on as far as they allow."""
        if self.frozen:
            return
        self.open_stage()
        while self.seen + 1 in self.early and not self.frozen:
            index, value = self.early.pop(self.seen + 1)
            self.seen += 1
            assert self.stage < len(self.stages), "a completion after the end"
            assert index in self.indexes(self.stage), "a completion that was not asked for"
            self.values[index] = value
            self._next_stage()

    def _next_stage(self) -> None:
        if all(it in self.values for it in self.indexes(self.stage)):
            self.stage += 1
            self.open_stage()

    def open_stage(self) -> None:
        """Asks for what the present stage has and nobody has asked for."""
        if self.stage == len(self.stages) and not self.undoes and not self.bumps:
            self.undoes = True
            undo = undoing(self.stages, self.values)
            if undo:
                self.stages.append(undo)
        if self.stage == len(self.stages):
            self._finish()
            return
        known = {index for index, _ in self.early.values()}
        first = self.indexes(self.stage).start
        for index in self.indexes(self.stage):
            if index in self.values or index in known or index in self.unacknowledged:
                continue
            kind = self.stages[self.stage][index - first]
            if kind in ("run", "try"):
                if index not in self.executing:
                    self.executing.add(index)
                    self.worker.execute(self, self._entry(kind, index))
            elif index not in self.recorded:
                self.recorded.add(index)
                message = self._entry(kind, index)
                self._ask(kind, index, message.entry)
                self.unacknowledged[index] = message
                self.worker.send(message)
        if self.stage < len(self.stages) and all(
            it in self.values for it in self.indexes(self.stage)
        ):
            self._next_stage()

    def _entry(self, kind: str, index: int) -> worker_pb2.WorkerMessage:
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        message.entry.index = index
        message.entry.kind = _KINDS[kind]
        message.entry.name = f"{kind}-{index}"
        return message

    def _ask(self, kind: str, index: int, entry: worker_pb2.EntryRecorded) -> None:
        if kind == "sleep":
            entry.delay.FromMilliseconds(1 + index * 200)
        elif kind == "wait":
            entry.name = f"{self.id}-{index}"
        elif kind == "child":
            entry.name = "program"
            entry.argument.data = json.dumps(_CHILD).encode()
        elif kind in ("bump", "send"):
            entry.name = "counter.bump"
            entry.target = key_of(self.id, index)
        elif kind == "set":
            entry.name = "n"
            self.state["n"] = (self.values[0] or 0) + 1 if self.bumps else index
            entry.argument.data = json.dumps(self.state["n"]).encode()
            self.values[index] = None
        elif kind == "get":
            entry.name = "n"
            self.values[index] = self.state.get("n")
            entry.outcome.value.data = json.dumps(self.values[index]).encode()

    def _finish(self) -> None:
        if self.finished is not None:
            return
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        result: Any = [self.values[index] for index in sorted(self.values)]
        if self.bumps:
            result = (self.values[0] or 0) + 1
        message.finished.outcome.value.data = json.dumps(result).encode()
        self.finished = message
        self.worker.send(message)

    def acknowledged(self, ack: worker_pb2.Ack) -> None:
        """An entry is in the log."""
        message = self.unacknowledged.pop(ack.index, None)
        if message is not None and ack.completion_number:
            value = value_of(message.entry.outcome)
            self.worker.world.committed(self.id, ack.index, value)
            self.complete(ack.index, ack.completion_number, value)

    def complete(self, index: int, number: int, value: Any) -> None:
        """An entry has ended."""
        if number > self.seen:
            self.early[number] = (index, value)
        self.deliver()

    @property
    def idle(self) -> bool:
        """Whether it only waits for the control plane."""
        return not (self.executing or self.unacknowledged or self.finished)
