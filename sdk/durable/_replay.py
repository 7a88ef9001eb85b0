"""The replay engine: one attempt of one invocation, without I/O.

Journal in, commands out. The shell hands in what the server said and how steps ended, and after each
input takes `outbox` (messages to send) and `tasks` (steps to start). The rules are those of
worker.proto, sections 3 to 8; in short:

- Operations get their indexes in the order in which the program asks for them.
- Completions are delivered in the order of their numbers, one at a time, and after each the program
  runs until it can do nothing more. Live and replay differ in nothing but where completions come
  from, so the program cannot tell them apart.
- A step's outcome is delivered when the log has it, not when the step ends.

The program's determinism is checked twice: when it asks for an operation whose index is in the
journal, kind and name must be the journal's; and when a completion's turn comes, or the journal is
over, everything that the journal has must have been asked for. What does not fit ends the attempt
with Held: nothing runs until a person has looked.

An attempt ends with exactly one of Finished, AttemptFailed and Held, or by `abandon`. Then whatever is
left of the program is closed; AttemptEnded, no Exception, is what a durable operation raises in code
that still tries to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from google.protobuf.message import Message

from durable_proto.v1 import invocation_pb2, payload_pb2, worker_pb2

from ._context import Context, _current
from ._errors import AttemptEnded, CodecError, DeterminismError, StepFailedError, TerminalError
from ._failures import describe_location, retry_delay, to_failure
from ._futures import DurableFuture
from ._journal import CALL, RUN, SLEEP, Completion, Environment, Open, StepTask, described, seconds
from ._loop import Timer, WorkflowLoop
from ._serde import decode, encode
from ._workflow import Workflow

M = TypeVar("M", bound=Message)


class Attempt:
    """One attempt; see the module's head."""

    def __init__(
        self,
        workflow: Workflow[..., Any],
        invocation_id: str,
        attempt: int,
        start: worker_pb2.Start,
        environment: Environment,
    ) -> None:
        self.workflow = workflow
        self.invocation_id = invocation_id
        self.number = attempt
        self.start = start
        self.environment = environment
        self.outbox: list[worker_pb2.WorkerMessage] = []
        self.tasks: list[StepTask] = []
        self.done = False
        self.replaying = bool(start.journal)
        self.last_completion = 0
        self._seconds = seconds(start.create_time)
        # The methods that typeshed misses are set when the class is made: they all refuse.
        self._loop = WorkflowLoop(self)  # type: ignore[abstract]
        self._main: Any = None
        self._next = 0
        self._open: dict[int, Open] = {}
        self._recorded: dict[int, invocation_pb2.JournalEntry] = {}
        self._arrived: dict[int, Completion] = {}
        self._deferred: list[StepTask] = []
        self._executing: set[int] = set()
        self._unacknowledged: dict[int, worker_pb2.WorkerMessage] = {}
        self._mismatch: DeterminismError | None = None
        self._cancelled = ""

    # Inputs

    def begin(self) -> None:
        """Runs the program until it can do nothing more, going over the journal first."""
        start = self.start
        for entry in start.journal:
            self._recorded[entry.index] = entry
            if entry.completion_number:
                self._arrived[entry.completion_number] = Completion(
                    entry.index, entry.outcome, entry.complete_time
                )
        if start.HasField("cancel_requested"):
            self._note_cancel(start.cancel_requested)
        try:
            payload = start.input if start.HasField("input") else None
            args, kwargs = self.workflow.decode_input(payload)
        except CodecError as error:
            self._finish_failure(_invalid("durable.InvalidInput", error))
            return
        context = Context(self)
        self._loop.call_soon(self._launch, context, args, kwargs)
        self._run()
        if not self.done and self.replaying:
            self._deliver()
        if not self.done:
            self._end_replay()

    def on_ack(self, ack: worker_pb2.Ack) -> None:
        """An entry of ours is in the log."""
        message = self._unacknowledged.pop(ack.index, None)
        if message is None or self.done:
            return
        if ack.completion_number:
            self._arrived[ack.completion_number] = Completion(
                ack.index, message.entry.outcome, ack.time
            )
            self._deliver()

    def on_completion(self, completion: worker_pb2.Completion) -> None:
        """An operation of the server's has ended."""
        if not self.done and completion.completion_number > self.last_completion:
            self._arrived[completion.completion_number] = Completion(
                completion.index, completion.outcome, completion.time
            )
            self._deliver()

    def on_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        """The end of the invocation is asked for."""
        if not self.done:
            self._note_cancel(cancel)
            self._deliver()

    def on_step(
        self, index: int, value: payload_pb2.Payload | None, error: BaseException | None
    ) -> None:
        """A step has ended: its outcome goes to the log, or its failure ends the attempt."""
        self._executing.discard(index)
        if self.done:
            return
        if error is not None and not isinstance(error, TerminalError | CodecError):
            self._fail(error)
            return
        operation = self._open[index]
        message = self._message()
        entry = message.entry
        entry.index = index
        entry.kind = operation.kind  # type: ignore[assignment]  # the enum's number
        entry.name = operation.name
        if error is not None:
            entry.outcome.failure.CopyFrom(to_failure(error, terminal=True))
        else:
            assert value is not None
            entry.outcome.value.CopyFrom(value)
        self._unacknowledged[index] = message
        self.outbox.append(message)

    def abandon(self) -> None:
        """Stops, and says nothing more."""
        self._end()

    def unacknowledged(self) -> list[worker_pb2.WorkerMessage]:
        """Returns the entries that were sent and of which it is not known that the log has them."""
        return list(self._unacknowledged.values())

    @property
    def waiting(self) -> bool:
        """True when only operations of the server's are open: the attempt may be suspended."""
        return not (self.done or self._executing or self._unacknowledged) and bool(self._open)

    # Operations of the program

    def run(
        self, name: str, body: Callable[[], Any], hint: Any, blocking: bool
    ) -> DurableFuture[Any]:
        """Asks for a step."""
        index = self._ask(RUN, name)
        return self._step(index, RUN, name, body, blocking, hint)

    def call(
        self, name: str, body: Callable[[str], Any], response_type: type[M]
    ) -> DurableFuture[M]:
        """Asks for a call of a service."""
        index = self._ask(CALL, name)
        key = f"{self.invocation_id}/{index}"
        return self._step(index, CALL, name, lambda: body(key), False, response_type)

    def sleep(self, seconds: float) -> DurableFuture[None]:
        """Asks for a durable timer."""
        index = self._ask(SLEEP, "")
        future: DurableFuture[None] = DurableFuture(self._loop, index, "sleep")
        self._open[index] = Open(SLEEP, "", future, None, None)
        self._send_sleep(index, seconds)
        return future

    def set_timer(self, handle: Timer, delay: float) -> None:
        """Asks for a durable timer that calls back."""
        index = self._ask(SLEEP, "")
        self._open[index] = Open(SLEEP, "", None, handle, None)
        self._send_sleep(index, delay)

    def time(self) -> float:
        """The journal's time."""
        return self._seconds

    def unhandled(self, message: str, error: BaseException | None) -> None:
        """An error that no part of the program awaits ends the attempt, if it is one."""
        if isinstance(error, AttemptEnded) or self.done or error is None:
            return
        if "never retrieved" not in message:
            self._fail(error)

    # Parts

    def _ask(self, kind: int, name: str) -> int:
        """Gives the next index to an operation; checks it against the journal."""
        if self.done or self._mismatch is not None:
            raise AttemptEnded
        index = self._next
        self._next = index + 1
        entry = self._recorded.get(index)
        if entry is not None and (entry.kind != kind or entry.name != name):
            got = f"{described(kind, name)} at {describe_location()}"
            self._differs(index, described(entry.kind, entry.name), got)
        return index

    def _step(
        self,
        index: int,
        kind: int,
        name: str,
        body: Callable[[], Any],
        blocking: bool,
        hint: Any,
    ) -> DurableFuture[Any]:
        future: DurableFuture[Any] = DurableFuture(self._loop, index, name)
        self._open[index] = Open(kind, name, future, None, hint)
        if index not in self._recorded:
            key = f"{self.invocation_id}/{index}"
            task = StepTask(index, kind, name, body, blocking, key, encode)
            if self.replaying:
                self._deferred.append(task)
            else:
                self._executing.add(index)
                self.tasks.append(task)
        return future

    def _send_sleep(self, index: int, seconds: float) -> None:
        if index in self._recorded:
            return
        message = self._message()
        message.entry.index = index
        message.entry.kind = SLEEP
        message.entry.delay.FromMicroseconds(max(1000, round(seconds * 1_000_000)))
        self._unacknowledged[index] = message
        self.outbox.append(message)

    def _launch(self, context: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _current.set(context)
        self._main = self._loop.create_task(self.workflow.function(context, *args, **kwargs))

    def _run(self) -> None:
        """Lets the program go as far as it can, and sees whether it has ended."""
        self._loop.run_ready()
        if self.done:
            return
        if self._mismatch is not None:
            self._hold(self._mismatch)
        elif self._main.done():
            self._conclude()

    def _deliver(self) -> None:
        """Delivers what has arrived, in order, as far as there is no gap."""
        arrived = self._arrived
        while not self.done:
            completion = arrived.pop(self.last_completion + 1, None)
            if completion is None:
                return
            self.last_completion += 1
            self._seconds = seconds(completion.time)
            if completion.outcome is None:
                self._main.cancel(self._cancelled)
            elif not self._hand_over(completion.index, completion.outcome):
                return
            if self.replaying and not arrived:
                # The last one that the journal has: from here on the program does new things.
                self.replaying = False
            self._run()

    def _hand_over(self, index: int, outcome: payload_pb2.Outcome) -> bool:
        operation = self._open.pop(index, None)
        if operation is None:
            entry = self._recorded.get(index)
            expected = "an operation" if entry is None else described(entry.kind, entry.name)
            self._mismatch = self._difference(index, expected, self._asked_for())
            self._hold(self._mismatch)
            return False
        if operation.timer is not None:
            self._loop.ring(operation.timer)
            return True
        future = operation.future
        assert future is not None
        if future.done():  # cancelled: the result is not wanted any more
            return True
        if outcome.HasField("failure"):
            future.set_exception(StepFailedError(operation.name, outcome.failure))
            return True
        try:
            value = None if operation.kind == SLEEP else decode(outcome.value, operation.hint)
        except CodecError as error:
            future.set_exception(error)
        else:
            future.set_result(value)
        return True

    def _end_replay(self) -> None:
        """The journal is over: starts what it leaves open, once all of it was asked for."""
        self.replaying = False
        if self._recorded:
            missing = min((it for it in self._recorded if it >= self._next), default=None)
            if missing is not None:
                entry = self._recorded[missing]
                expected = described(entry.kind, entry.name)
                self._hold(self._difference(missing, expected, self._asked_for()))
                return
        for task in self._deferred:
            self._executing.add(task.index)
            self.tasks.append(task)
        self._deferred.clear()

    def _differs(self, index: int, expected: str, got: str) -> NoReturn:
        self._mismatch = self._difference(index, expected, got)
        raise AttemptEnded

    def _difference(self, index: int, expected: str, got: str) -> DeterminismError:
        before, now = self.start.version or "unknown", self.workflow.version
        return DeterminismError(
            f"operation {index} of {self.workflow.name}: the journal has {expected} "
            f"(recorded by version {before}), the program has {got} (version {now}); "
            "deploy code that asks for the same operations in the same order, then resume"
        )

    def _asked_for(self) -> str:
        if self._main is not None and self._main.done():
            return "ended before it"
        names = ", ".join(
            f"{described(it.kind, it.name)} #{index}" for index, it in self._open.items()
        )
        return f"not asked for it, and waits for {names or 'nothing'}"

    def _note_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        self._cancelled = cancel.reason or "cancelled"
        number = cancel.completion_number
        if number > self.last_completion:
            self._arrived[number] = Completion(-1, None, cancel.time)

    # The end

    def _conclude(self) -> None:
        """The handler has returned or raised."""
        if self._recorded and any(it >= self._next for it in self._recorded):
            self._end_replay()
            return
        main = self._main
        if main.cancelled():
            if self._cancelled:
                failure = payload_pb2.Failure(
                    type="durable.Cancelled", message=self._cancelled, terminal=True
                )
                self._finish_failure(failure)
            else:
                self._fail(RuntimeError("the handler was cancelled by its own code"))
            return
        error = main.exception()
        if error is None:
            try:
                value = encode(main.result())
            except CodecError as problem:
                self._finish_failure(_invalid("durable.InvalidOutput", problem))
                return
            message = self._message()
            message.finished.outcome.value.CopyFrom(value)
            self.outbox.append(message)
            self._end()
        elif isinstance(error, TerminalError):
            self._finish_failure(to_failure(error, terminal=True))
        else:
            self._fail(error)

    def _finish_failure(self, failure: payload_pb2.Failure) -> None:
        message = self._message()
        message.finished.outcome.failure.CopyFrom(failure)
        self.outbox.append(message)
        self._end()

    def _fail(self, error: BaseException) -> None:
        message = self._message()
        message.attempt_failed.failure.CopyFrom(to_failure(error))
        delay = retry_delay(error)
        if delay is not None:
            message.attempt_failed.retry_delay.FromTimedelta(delay)
        self.outbox.append(message)
        self._end()

    def _hold(self, error: DeterminismError) -> None:
        message = self._message()
        message.held.failure.CopyFrom(to_failure(error))
        self.outbox.append(message)
        self._end()

    def _end(self) -> None:
        if self.done:
            return
        self.done = True
        self.tasks.clear()
        self._deferred.clear()
        self._loop.end()

    def _message(self) -> worker_pb2.WorkerMessage:
        return worker_pb2.WorkerMessage(invocation_id=self.invocation_id, attempt=self.number)


def _invalid(kind: str, error: CodecError) -> payload_pb2.Failure:
    return payload_pb2.Failure(type=kind, message=str(error), terminal=True)
