"""The programs: the simulated handlers `program` and `counter.bump`, on the plain worker protocol.

The JSON input of a `program` has `stages`, each a list of entries that are open at the same time:
`[["run", "run"], ["sleep"], ...]`. A stage is over when all its entries are complete. The result
is the list of all values. Each execution of a step makes a new value, so the result shows a step that
ran again after its commit, and a value that got lost. The entries are:

    run         a step
    try         a step that often fails, and that fails for good when its TRIES are used up; for each of
                these the program ends with one more step, which compensates it
    sleep       a timer
    wait        an awakeable, which a client resolves before or after
    choose      the same, with an id of its own choice, so that it may live in another partition
    give        resolves an awakeable of its own choice
    child       an awaited child, a program of two steps
    bump, send  an invocation of `counter.bump` on one of two object keys, awaited or not
    attach      waits for the last invocation that it has sent; fails if there is none
    set         a write to the invocation's own state, which the next attempt must start with
    again       continues as new, always as a stage of its own; the values so far are in the next input.
                It takes an index, as an operation does that is not in the journal

`counter.bump` reads a number from the state of its key, writes the next one and returns it. So the
numbers show an invocation that was lost, doubled or not alone on its key.
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
    "choose": invocation_pb2.ENTRY_KIND_AWAKEABLE,
    "give": invocation_pb2.ENTRY_KIND_RESOLVE,
    "attach": invocation_pb2.ENTRY_KIND_ATTACH,
    "child": invocation_pb2.ENTRY_KIND_INVOKE,
    "bump": invocation_pb2.ENTRY_KIND_INVOKE,
    "send": invocation_pb2.ENTRY_KIND_SEND,
    "set": invocation_pb2.ENTRY_KIND_SET_STATE,
    "get": invocation_pb2.ENTRY_KIND_GET_STATE,
    "patch": invocation_pb2.ENTRY_KIND_PATCH,
}
_RUN = invocation_pb2.ENTRY_KIND_RUN
_CHILD = [["run", "run"]]
TRIES = 2
FAILED = {"failed": "SimulatedError"}
"""The value of an entry that has failed for good."""


def compensations(stages: list[list[str]], values: Mapping[int, Any]) -> list[str]:
    """Returns the compensations of a program whose stages are over: a step for each that failed."""
    kinds = [kind for stage in stages for kind in stage]
    return ["run" for it, kind in enumerate(kinds) if kind == "try" and values[it] == FAILED]


def value_of(outcome: payload_pb2.Outcome) -> Any:
    """Returns the value that a program gets from an outcome."""
    return FAILED if outcome.HasField("failure") else json.loads(outcome.value.data)


def key_of(invocation_id: str, index: int) -> str:
    """Returns the object key of a `bump` or `send`."""
    return f"key-{(int(invocation_id[-1], 16) + index) % 2}"


def awakeable_of(kind: str, invocation_id: str, index: int) -> str:
    """Returns the id of the awakeable of a `wait`, `choose` or `give`."""
    if kind == "wait":
        return f"{invocation_id}-{index}"
    return f"{kind} {index} of {invocation_id}"


def last_sent(stages: list[list[str]], values: Mapping[int, Any], index: int) -> str | None:
    """Returns the id of the last `send` in the stages before that of an `attach`; None without one."""
    end = count = 0
    for stage in stages:
        if count + len(stage) > index:
            end = count
            break
        count += len(stage)
    kinds = [kind for stage in stages for kind in stage]
    sent: list[str] = [values[it] for it in range(end) if kinds[it] == "send"]
    return sent[-1] if sent else None


class Program:
    """One attempt of a `program` or `counter.bump` on a worker."""

    def __init__(self, worker: SimWorker, message: worker_pb2.ServerMessage) -> None:
        self.worker = worker
        self.id = message.invocation_id
        self.attempt = message.attempt
        start = message.start
        self.bumps = start.handler == "counter.bump"
        self.state = {name: json.loads(it.data) for name, it in start.state.items()}
        self.stages: list[list[str]] = [["get"], ["set"]]
        self.values: dict[int, Any] = {}
        if not self.bumps:
            given = json.loads(start.input.data)
            self.stages = given["stages"]
            self.values = {int(index): it for index, it in given.get("values", {}).items()}
        assert len(self.values) == start.first_index, "the next run has another input"
        self.compensates = False
        """Whether the compensations have been added to the stages."""
        self.step_failures = dict(start.step_failures)
        self.recorded = {entry.index for entry in start.journal}
        self.unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self.executing: set[int] = set()
        self.finished: worker_pb2.WorkerMessage | None = None
        self.pausing = False
        self.stage = 0
        self.seen = start.completions_before
        self.undelivered: dict[int, tuple[int, Any]] = {}
        self._check_state(start)
        for entry in start.journal:
            if entry.completion_number:
                self.undelivered[entry.completion_number] = (entry.index, value_of(entry.outcome))
            elif entry.kind == _KINDS["get"]:
                self.values[entry.index] = json.loads(entry.outcome.value.data)
            elif entry.kind in (_KINDS["set"], _KINDS["patch"]):
                self.values[entry.index] = None
        for stage in range(len(self.stages)):
            if self.stage == stage and all(it in self.values for it in self.indexes(stage)):
                self.stage += 1
        self.deliver()

    def _check_state(self, start: worker_pb2.Start) -> None:
        """Checks that the state in Start is the one that the journal has written."""
        kinds = [kind for stage in self.stages for kind in stage]
        written = [it for it in range(start.first_index) if kinds[it] == "set"]
        written += [
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
        """Delivers completions in the order of their numbers, and continues as far as they allow."""
        if self.pausing:
            return
        self.open_stage()
        while self.seen + 1 in self.undelivered and not (self.pausing or self.finished):
            index, value = self.undelivered.pop(self.seen + 1)
            self.seen += 1
            assert self.stage < len(self.stages), "a completion after the end of the program"
            assert index in self.indexes(self.stage), "a completion of an entry that is not open"
            self.values[index] = value
            self._next_stage()

    def _next_stage(self) -> None:
        if all(it in self.values for it in self.indexes(self.stage)):
            self.stage += 1
            self.open_stage()

    def open_stage(self) -> None:
        """Records the entries of the present stage that are not recorded yet."""
        if self.stage == len(self.stages) and not self.compensates and not self.bumps:
            self.compensates = True
            extra = compensations(self.stages, self.values)
            if extra:
                self.stages.append(extra)
        if self.stage == len(self.stages):
            self._finish()
            return
        if self.stages[self.stage] == ["again"]:
            self._continue()
            return
        known = {index for index, _ in self.undelivered.values()}
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
                self._fill(kind, index, message.entry)
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

    def _fill(self, kind: str, index: int, entry: worker_pb2.EntryRecorded) -> None:
        if kind == "sleep":
            entry.delay.FromMilliseconds(1 + index * 200)
        elif kind in ("wait", "choose"):
            entry.name = awakeable_of(kind, self.id, index)
        elif kind == "give":
            entry.name = awakeable_of(kind, self.id, index)
            entry.argument.data = json.dumps(index).encode()
        elif kind == "attach":
            entry.target = last_sent(self.stages, self.values, index) or "0" * 32
        elif kind == "child":
            entry.name = "program"
            entry.argument.data = json.dumps({"stages": _CHILD}).encode()
        elif kind in ("bump", "send"):
            entry.name = "counter.bump"
            entry.target = key_of(self.id, index)
        elif kind == "set":
            entry.name = "n"
            self.state["n"] = (self.values[0] or 0) + 1 if self.bumps else index
            entry.argument.data = json.dumps(self.state["n"]).encode()
            self.values[index] = None
        elif kind == "patch":
            self.values[index] = None
        elif kind == "get":
            entry.name = "n"
            self.values[index] = self.state.get("n")
            entry.outcome.value.data = json.dumps(self.values[index]).encode()

    def _continue(self) -> None:
        if self.finished is not None:
            return
        message = worker_pb2.WorkerMessage(invocation_id=self.id, attempt=self.attempt)
        index = self.indexes(self.stage).start
        given = {"stages": self.stages, "values": {**self.values, index: None}}
        message.continued.input.data = json.dumps(given).encode()
        message.continued.completion_number = self.seen
        message.continued.next_index = index + 1
        self.finished = message
        self.worker.send(message)

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
        """Handles an acknowledgement: an entry is in the log."""
        message = self.unacknowledged.pop(ack.index, None)
        if message is not None and ack.completion_number:
            value = value_of(message.entry.outcome)
            self.worker.world.committed(self.id, ack.index, value)
            self.complete(ack.index, ack.completion_number, value)

    def complete(self, index: int, number: int, value: Any) -> None:
        """Handles the completion of an entry."""
        if number > self.seen:
            self.undelivered[number] = (index, value)
        self.deliver()

    @property
    def idle(self) -> bool:
        """Whether it only waits for completions."""
        return not (self.executing or self.unacknowledged or self.finished)
