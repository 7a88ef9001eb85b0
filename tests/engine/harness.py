"""A simulated server and worker for one invocation, in memory: the engine's tests run attempts on it.

A `World` joins two state machines: the engine (an `Attempt`) and a journal in the role of the
control plane. Everything that may happen next is an action: a step ends, a message is committed, an
ack or a completion is delivered, a timer fires. A seed chooses among them, so one seed is one run.
Messages of a worker are committed in the order in which they were sent, as on a stream. Acks and
completions are delivered in any order, which a stream never does, so that the engine has to sort
them.

Time is virtual: it passes a little with each action, and jumps to the next timer when nothing else
can happen.

Every commit is a boundary. `history` holds the boundaries in order, and `World(..., history=a
prefix)` simulates a worker that was killed right after the last of them: everything that was not
committed is lost, and the next attempt starts from the journal. An attempt that only waits may also
be suspended, which is the same as a crash at that point.

The harness asserts what must hold in every run: an index is used once, no step runs whose outcome
is in the journal, and an attempt sends nothing after its end.
"""

from __future__ import annotations

import inspect
import json
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import durable
from durable import Context
from durable._common.values.serde import decode
from durable._definitions.workflow import Workflow
from durable._engine.attempt import Attempt
from durable._engine.steps import Environment, StepTask
from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

INVOCATION_ID = "0123456789abcdef0123456789abcdef"
CREATED_MS = 1_700_000_000_000
ATTEMPTS_MAX = 200
ACTIONS_MAX = 20_000

RUN = invocation_pb2.ENTRY_KIND_RUN
CALL = invocation_pb2.ENTRY_KIND_CALL
SLEEP = invocation_pb2.ENTRY_KIND_SLEEP
GET_STATE = invocation_pb2.ENTRY_KIND_GET_STATE
SET_STATE = invocation_pb2.ENTRY_KIND_SET_STATE
CLEAR_STATE = invocation_pb2.ENTRY_KIND_CLEAR_STATE
STATE_KEYS = invocation_pb2.ENTRY_KIND_STATE_KEYS
INVOKE = invocation_pb2.ENTRY_KIND_INVOKE
CANCEL = invocation_pb2.ENTRY_KIND_CANCEL
RESOLVE = invocation_pb2.ENTRY_KIND_RESOLVE
SEND = invocation_pb2.ENTRY_KIND_SEND
PATCH = invocation_pb2.ENTRY_KIND_PATCH
DEPRECATED_PATCH = invocation_pb2.ENTRY_KIND_DEPRECATED_PATCH

DONE = -1
"""Stands for the completion number of an entry that is complete when it is recorded and has none."""


def no_channel(service: str) -> Any:
    """The channels of a worker that knows no services."""
    raise LookupError(f"this worker knows no address of the service {service!r}")


class Recorded(NamedTuple):
    """A boundary: an entry was committed, with its outcome, open, or DONE."""

    entry: worker_pb2.EntryRecorded
    completion_number: int
    time_ms: int


class Completed(NamedTuple):
    """A boundary: an open entry was completed."""

    entry_index: int
    outcome: payload_pb2.Outcome
    completion_number: int
    time_ms: int


class Cancelled(NamedTuple):
    """A boundary: cancellation was requested."""

    reason: str
    completion_number: int
    time_ms: int


Event = Recorded | Completed | Cancelled


class End(NamedTuple):
    """How an invocation ended."""

    kind: str
    """`finished`, `held`, or `failed` when the attempts are used up."""
    value: Any
    failure: payload_pb2.Failure | None

    def get(self) -> Any:
        """Returns the value; fails with the failure when there is none."""
        assert self.kind == "finished", self.failure
        assert self.failure is None, self.failure
        return self.value


class Run(NamedTuple):
    """A run after the first one."""

    number: int
    begun_by: worker_pb2.Continued
    completions_before: int
    earlier: Sequence[Event]
    """The boundaries of the runs before."""


def start_message(
    workflow: Workflow[..., Any],
    args: Sequence[Any] = (),
    history: Sequence[Event] = (),
    *,
    headers: dict[str, str] | None = None,
    version: str = "",
    run: Run | None = None,
) -> worker_pb2.Start:
    """Returns the Start of an attempt after these boundaries of its run."""
    start = worker_pb2.Start(handler=workflow.name, random_seed=7, headers=headers, version=version)
    payload = workflow.encode_input(tuple(args), {})
    earlier: Sequence[Event] = ()
    start.run = 1
    if run is not None:
        start.run = run.number
        start.first_index = run.begun_by.next_index
        start.completions_before = run.completions_before
        payload = run.begun_by.input if run.begun_by.HasField("input") else None
        earlier = run.earlier
    if payload is not None:
        start.input.CopyFrom(payload)
    for name, value in state_after([*earlier, *history]).items():
        start.state[name].CopyFrom(value)
    start.state_complete = True
    start.start_time.FromMilliseconds(CREATED_MS)
    entries: dict[int, invocation_pb2.JournalEntry] = {}
    for event in history:
        if isinstance(event, Recorded):
            entry = entries[event.entry.index] = invocation_pb2.JournalEntry(
                index=event.entry.index, kind=event.entry.kind, name=event.entry.name
            )
            entry.create_time.FromMilliseconds(event.time_ms)
            if event.completion_number:
                entry.outcome.CopyFrom(event.entry.outcome)
            if event.completion_number == DONE:
                entry.complete_time.FromMilliseconds(event.time_ms)
                continue
        elif isinstance(event, Completed):
            entry = entries[event.entry_index]
            entry.outcome.CopyFrom(event.outcome)
        else:
            start.cancel_requested.reason = event.reason
            start.cancel_requested.completion_number = event.completion_number
            start.cancel_requested.time.FromMilliseconds(event.time_ms)
            continue
        if event.completion_number:
            entry.completion_number = event.completion_number
            entry.complete_time.FromMilliseconds(event.time_ms)
    start.journal.extend(entries[index] for index in sorted(entries))
    return start


def state_after(history: Sequence[Event]) -> dict[str, payload_pb2.Payload]:
    """Returns the state that these boundaries have left."""
    state: dict[str, payload_pb2.Payload] = {}
    for event in history:
        if isinstance(event, Recorded) and event.entry.kind == SET_STATE:
            state[event.entry.name] = event.entry.argument
        elif isinstance(event, Recorded) and event.entry.kind == CLEAR_STATE:
            if event.entry.name:
                state.pop(event.entry.name, None)
            else:
                state.clear()
    return state


class World:
    """One invocation, from its creation (or from a prefix of its history) to its end."""

    def __init__(
        self,
        workflow: Workflow[..., Any],
        *args: Any,
        seed: int | None = None,
        history: Sequence[Event] = (),
        suspend: float = 0.0,
        cancel_after: int | None = None,
        environment: Environment | None = None,
        attempts: int = ATTEMPTS_MAX,
    ) -> None:
        """Starts the first attempt.

        `seed` None takes actions in a fixed order; `suspend` is the probability with which a
        waiting attempt is suspended; `cancel_after` requests cancellation after that many boundaries.
        """
        self.workflow = workflow
        self.args = args
        self.history: list[Event] = list(history)
        """The boundaries of the run."""
        self.the_run: Run | None = None
        """The run, if it is not the first one."""
        self.end: End | None = None
        self.attempt: Attempt
        self.attempt_number = 0
        self.executions: list[tuple[int, str]] = []
        """Every step that was executed, in order: (index, name)."""
        self.withdrawn: list[str] = []
        """The names of the steps that were withdrawn before they began."""
        self.failures: list[payload_pb2.Failure] = []
        """The failures of the attempts that failed."""
        self.retry_delays: list[float | None] = []
        self.step_failures: dict[int, int] = {}
        """How often each step that is not in the journal has failed."""
        self._rng = None if seed is None else random.Random(seed)
        self._suspend = suspend
        self._cancel_after = cancel_after
        self._environment = environment or Environment(channel=no_channel)
        self._attempts = attempts
        self._now = max((it.time_ms for it in self.history), default=CREATED_MS)
        self._sent: deque[worker_pb2.WorkerMessage] = deque()
        self._tasks: list[StepTask] = []
        self._arriving: list[Callable[[], None]] = []
        self._completions = max((it.completion_number for it in self.history), default=0)
        self._completions = max(self._completions, 0)
        self._timers: dict[int, int] = {}
        self._outside: dict[int, worker_pb2.EntryRecorded] = {}
        """Open entries that are completed by something other than a timer."""
        for event in self.history:
            if isinstance(event, Recorded) and not event.completion_number:
                if event.entry.kind == SLEEP:
                    self._timers[event.entry.index] = event.time_ms + _delay_ms(event.entry)
                else:
                    self._outside[event.entry.index] = event.entry
            elif isinstance(event, Completed):
                self._timers.pop(event.entry_index, None)
                self._outside.pop(event.entry_index, None)
        self._start()

    # For tests

    def run(self) -> End:
        """Runs to the end."""
        for _ in range(ACTIONS_MAX):
            if self.end is not None:
                return self.end
            self.act()
        raise AssertionError("the invocation does not end")

    @property
    def commands(self) -> list[tuple[int, int, str]]:
        """The operations in the journal in program order: (index, kind, name)."""
        return sorted(
            (it.entry.index, it.entry.kind, it.entry.name)
            for it in self.history
            if isinstance(it, Recorded)
        )

    def fork(self, boundary: int, **options: Any) -> World:
        """Returns the world of a worker that was killed after `boundary` events."""
        options.setdefault("environment", self._environment)
        return World(self.workflow, *self.args, history=self.history[:boundary], **options)

    def replay(self) -> Attempt:
        """Replays the whole journal once and returns the attempt, which should have ended."""
        start = start_message(self.workflow, self.args, self.history, run=self.the_run)
        attempt = Attempt(self.workflow, INVOCATION_ID, 99, start, self._environment)
        attempt.begin()
        return attempt

    # Actions

    def act(self) -> None:
        """Does one of the actions that are possible now."""
        actions: list[Callable[[], None]] = [
            partial(self._execute, number) for number in range(len(self._tasks))
        ]
        if self._sent:
            actions.append(self._commit)
        actions += [partial(self._deliver, number) for number in range(len(self._arriving))]
        actions += [partial(self._complete_outside, index) for index in self._outside]
        discarded = self.attempt.discarded
        actions += [
            partial(self._withdraw, task)
            for task in self._tasks
            if task.blocking and task.index in discarded
        ]
        due = [index for index, when in self._timers.items() if when <= self._now]
        if due:
            actions.append(lambda: self._fire(min(due, key=lambda it: self._timers[it])))
        if not actions:
            if self._timers:
                if self.attempt.waiting and self._chance(self._suspend):
                    self._crash()
                self._now = max(self._now, min(self._timers.values()))
                return
            raise AssertionError(
                "no action is possible, and the attempt has not ended:"
                f" commands {self.commands}, waiting={self.attempt.waiting}"
            )
        if self._rng is None:
            actions[0]()
        else:
            self._now += self._rng.randrange(400)
            self._rng.choice(actions)()

    def _chance(self, share: float) -> bool:
        return share > 0 and self._rng is not None and self._rng.random() < share

    def _start(self) -> None:
        self.attempt_number += 1
        start = start_message(self.workflow, self.args, self.history, run=self.the_run)
        start.step_failures.update(self.step_failures)
        self.attempt = Attempt(
            self.workflow, INVOCATION_ID, self.attempt_number, start, self._environment
        )
        self.attempt.begin()
        self._collect()

    def _crash(self) -> None:
        """Drops everything that is not in the journal, and starts the next attempt."""
        self.attempt.abandon()
        assert not self.attempt.outbox
        self._sent.clear()
        self._tasks.clear()
        self._arriving.clear()
        self._start()

    def _collect(self) -> None:
        """Takes the attempt's messages and tasks, as a worker does after each input."""
        attempt = self.attempt
        self._sent += attempt.outbox
        attempt.outbox.clear()
        if attempt.done:
            self._tasks.clear()
            return
        known = {it[0] for it in self.commands}
        for task in attempt.tasks:
            assert task.index not in known, f"step {task.index} {task.name!r} is in the journal"
            assert task.index not in [it.index for it in self._tasks], "a step was started twice"
            assert task.idempotency_key == f"{INVOCATION_ID}/{task.index}"
        self._tasks += attempt.tasks
        attempt.tasks.clear()
        if attempt.waiting:
            # A discarded step does not keep an attempt from being suspended.
            assert all(it.index in attempt.discarded for it in self._tasks)
            assert not any(it.WhichOneof("message") == "entry" for it in self._sent)

    def _deliver(self, number: int) -> None:
        self._arriving.pop(number)()

    def _execute(self, number: int) -> None:
        task = self._tasks.pop(number)
        self.executions.append((task.index, task.name))
        value, error = execute(task)
        self.attempt.on_step(task.index, value, error, 0.0)
        self._collect()

    def _withdraw(self, task: StepTask) -> None:
        """Withdraws a sync step that was discarded while it waited for a thread."""
        self._tasks.remove(task)
        self.withdrawn.append(task.name)
        self.attempt.on_withdrawn(task.index)
        self._collect()

    def _commit(self) -> None:
        message = self._sent.popleft()
        assert message.invocation_id == INVOCATION_ID
        assert message.attempt == self.attempt_number
        kind = message.WhichOneof("message")
        if kind == "entry":
            self._record(message.entry)
            return
        assert not self._sent, "something was sent after the end"
        if kind == "finished":
            self.end = ended(message.finished)
        elif kind == "continued":
            self._continue(message.continued)
        elif kind == "held":
            self.end = End("held", None, message.held.failure)
        else:
            assert kind == "attempt_failed"
            failed = message.attempt_failed
            self.failures.append(failed.failure)
            delay = failed.retry_delay.ToTimedelta().total_seconds()
            self.retry_delays.append(delay if failed.HasField("retry_delay") else None)
            if failed.HasField("index"):
                assert failed.HasField("retry_delay"), "a step's failure comes with its delay"
                assert failed.kind in (RUN, CALL)
                self.step_failures[failed.index] = self.step_failures.get(failed.index, 0) + 1
            if self.attempt_number >= self._attempts:
                self.end = End("failed", None, failed.failure)
            else:
                self._crash()

    def _continue(self, continued: worker_pb2.Continued) -> None:
        """Begins another run; what is open is dropped, and a request to cancel comes first."""
        recorded = [it[0] for it in self.commands]
        assert continued.next_index > max(recorded, default=-1)
        assert continued.completion_number <= self._completions
        number, earlier = 1, list(self.history)
        if self.the_run is not None:
            number, earlier = self.the_run.number, [*self.the_run.earlier, *self.history]
        self.the_run = Run(number + 1, continued, self._completions, earlier)
        cancelled = [it for it in self.history if isinstance(it, Cancelled)]
        self.history.clear()
        self._timers.clear()
        self._outside.clear()
        self.step_failures.clear()
        if cancelled:
            self._completions += 1
            self.history.append(Cancelled(cancelled[0].reason, self._completions, self._now))
        self._crash()

    def _record(self, entry: worker_pb2.EntryRecorded) -> None:
        assert entry.index not in {it[0] for it in self.commands}, f"{entry.index} recorded twice"
        self.step_failures.pop(entry.index, None)
        ack = worker_pb2.Ack(index=entry.index)
        number = 0
        if entry.kind in (RUN, CALL):
            assert entry.HasField("outcome")
            self._completions += 1
            number = ack.completion_number = self._completions
        elif entry.kind == SLEEP:
            self._timers[entry.index] = self._now + _delay_ms(entry)
        elif entry.kind in (SET_STATE, CLEAR_STATE, PATCH, DEPRECATED_PATCH):
            number = DONE
        elif entry.kind in (GET_STATE, STATE_KEYS):
            assert entry.HasField("outcome"), "the whole state was there"
            number = DONE
        else:
            self._outside[entry.index] = entry
        ack.time.FromMilliseconds(self._now)
        self._boundary(Recorded(entry, number, self._now))
        self._arrives(lambda: self.attempt.on_ack(ack))

    def _fire(self, index: int) -> None:
        del self._timers[index]
        self._complete(index, payload_pb2.Outcome(value=payload_pb2.Payload(data=b"null")))

    def _complete_outside(self, index: int) -> None:
        """Completes an entry as the server does for its kind; a child returns its own input."""
        entry = self._outside.pop(index)
        outcome = payload_pb2.Outcome()
        outcome.value.data = b"null"
        if entry.kind == INVOKE:
            outcome.value.CopyFrom(entry.argument)
            cancels = [it[2] for it in self.commands if it[1] == CANCEL]
            if f"#{index}" in cancels or entry.name == "fails":
                kind = "ValueError" if entry.name == "fails" else "durable.Cancelled"
                outcome.failure.type = kind
                outcome.failure.terminal = True
        elif entry.kind == SEND:
            outcome.value.data = json.dumps(f"sent-{index}").encode()
        elif entry.kind not in (CANCEL, RESOLVE):
            outcome.value.data = json.dumps(entry.name[-8:]).encode()
        self._complete(index, outcome)

    def _complete(self, index: int, outcome: payload_pb2.Outcome) -> None:
        self._completions += 1
        completion = worker_pb2.Completion(
            index=index, outcome=outcome, completion_number=self._completions
        )
        completion.time.FromMilliseconds(self._now)
        self._boundary(Completed(index, outcome, self._completions, self._now))
        self._arrives(lambda: self.attempt.on_completion(completion))

    def _boundary(self, event: Event) -> None:
        self.history.append(event)
        if self._cancel_after is not None and len(self.history) >= self._cancel_after:
            self._cancel_after = None
            self.cancel("enough")

    def cancel(self, reason: str) -> None:
        """Requests the invocation's cancellation."""
        self._completions += 1
        cancel = worker_pb2.CancelRequested(reason=reason, completion_number=self._completions)
        cancel.time.FromMilliseconds(self._now)
        self.history.append(Cancelled(reason, self._completions, self._now))
        self._arrives(lambda: self.attempt.on_cancel(cancel))

    def _arrives(self, deliver: Callable[[], None]) -> None:
        attempt = self.attempt

        def arrive() -> None:
            if not attempt.done:
                deliver()
                self._collect()

        self._arriving.append(arrive)


def _delay_ms(entry: worker_pb2.EntryRecorded) -> int:
    return entry.delay.ToMilliseconds()


def ended(finished: worker_pb2.Finished) -> End:
    """Returns the end that a Finished message stands for."""
    outcome = finished.outcome
    if outcome.HasField("failure"):
        assert outcome.failure.terminal
        return End("finished", None, outcome.failure)
    return End("finished", decode(outcome.value), None)


def execute(task: StepTask) -> tuple[payload_pb2.Payload | None, BaseException | None]:
    """Executes a step that needs no event loop."""
    try:
        value = task.variables.run(task.body)
        assert inspect.isawaitable(value) is not task.blocking
        if not task.blocking:
            try:
                value.send(None)
            except StopIteration as stop:
                value = stop.value
            else:
                raise AssertionError("a step of this test may not wait")
        return task.encode(value), None
    except AssertionError:
        raise
    except BaseException as error:  # noqa: BLE001 - the engine decides what a failure means
        return None, error


def last_message(attempt: Attempt) -> worker_pb2.WorkerMessage:
    """Returns the message with which the attempt ended."""
    assert attempt.done, "the attempt has not ended"
    return attempt.outbox[-1]


def attempt_of(workflow: Workflow[..., Any], *args: Any, **options: Any) -> Attempt:
    """Returns a first attempt that has begun."""
    start = start_message(workflow, args, **options)
    attempt = Attempt(workflow, INVOCATION_ID, 1, start, Environment(channel=no_channel))
    attempt.begin()
    return attempt


def a_context() -> Context:
    """Returns the context of a workflow that has ended."""
    found: list[Context] = []

    async def program(ctx: Context) -> None:
        found.append(ctx)

    attempt_of(durable.workflow(program))
    return found[0]
