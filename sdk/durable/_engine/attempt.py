"""The replay engine: one attempt of one invocation, without I/O.

The journal goes in, commands come out. The worker hands in what the server sent and how steps
ended, and after each input takes `outbox` (messages to send) and `tasks` (steps to start). The
rules are those of worker.proto, sections 3 to 8; in short:

- Operations get their indexes in the order in which the program starts them.
- Completions are delivered in the order of their numbers, one at a time, and after each the program
  runs until it can do nothing more. Live execution and replay differ only in where completions come
  from, so the program cannot tell them apart.
- A step's outcome is delivered when the log has it, not when the step ends. So the program never
  acts on something that a crash could take back.

The engine checks twice that the program is deterministic. When the program starts an operation
whose index is in the journal, its kind and name must be the journal's. And when a completion is
delivered, or the journal ends, the program must have started the operations that the journal has.
If it has not, the attempt ends with Held: nothing runs until a person has looked.

An attempt belongs to one run of its invocation. Indexes and completion numbers begin where those of
the runs before have ended; nothing else here knows of other runs.

A program that waits while no durable operation is open would wait for ever; that is an error.

The parts: `program` holds what the workflow's context works on (operations, steps, state), `ending`
decides how the attempt ends. This module delivers.
"""

from __future__ import annotations

from contextvars import Context as Variables
from typing import Any, ClassVar, Final

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.errors import (
    AttemptEnded,
    ChildCancelledError,
    ChildFailedError,
    CodecError,
    NonDurableAwaitError,
    StepFailedError,
    UndecodableValueError,
)
from .._common.values.serde import decode_as
from .._definitions.retry import Verdict, retry_delay
from .._definitions.workflow import Workflow
from .context import Context, enter_workflow
from .ending import Ending
from .entry_kinds import KINDS
from .failures import to_failure
from .journal import Completion, seconds_of
from .loop import Timer
from .operations import OpenOperation
from .places import Place
from .program import Program
from .steps import Environment, StepTask
from .unawaited import UnawaitedReport


class Attempt:
    """One attempt. The worker calls the inputs and then reads what the attempt wants."""

    program_type: ClassVar[type[Program]] = Program
    ending_type: ClassVar[type[Ending]] = Ending

    __slots__ = (
        "_ending",
        "_journal",
        "_loop",
        "_operations",
        "_outbox",
        "_program",
        "_steps",
        "discarded",
        "journal_bytes",
        "outbox",
        "pausing",
        "start",
        "tasks",
        "unawaited",
    )

    def __init__(
        self,
        workflow: Workflow[..., Any],
        invocation_id: str,
        attempt: int,
        start: worker_pb2.Start,
        environment: Environment,
    ) -> None:
        program = self.program_type(workflow, invocation_id, attempt, start, environment, self)
        self._program: Final = program
        self._loop: Final = program.loop
        self._journal: Final = program.journal
        self._operations: Final = program.operations
        self._outbox: Final = program.outbox
        self._steps: Final = program.steps
        self.start: Final = start
        self.unawaited: Final = UnawaitedReport()
        """What the program should have awaited; complete when the attempt has ended."""
        self._ending: Final = self.ending_type(program, self.unawaited)
        self.outbox: Final[list[worker_pb2.WorkerMessage]] = program.outbox.messages
        """Messages to send, in order. The worker clears the list when it has taken them."""
        self.tasks: Final[list[StepTask]] = program.steps.tasks
        """Steps to start. The worker clears the list when it has taken them."""
        self.discarded: Final[set[int]] = program.steps.discarded
        """The indexes of steps that the worker was given and whose results the program has discarded.
        One that has not begun need not begin: the worker calls `on_withdrawn` for it."""
        self.journal_bytes = sum(entry.ByteSize() for entry in start.journal)
        """About how many bytes the run's journal has."""
        self.pausing = False
        """True after `on_pause`, unless a request to cancel comes later: nothing more is delivered."""

    # Inputs

    def begin(self) -> None:
        """Runs the program until it can do nothing more; repeats the journal first."""
        start = self.start
        if start.HasField("cancel_requested"):
            self._note_cancel(start.cancel_requested)
        workflow = self._program.workflow
        try:
            payload = start.input if start.HasField("input") else None
            args, kwargs = workflow.decode_input(payload)
        except UndecodableValueError as error:
            self._ending.hold(error)
            return
        except CodecError as error:
            text = f"the input of {workflow.name}: {error}"
            if start.journal or start.run > 1:
                # Other code has read it, and the invocation has done something since.
                self._ending.hold(self._operations.unreadable(text))
                return
            # The code is the HTTP status that a caller who waits for the result gets.
            failure = payload_pb2.Failure(
                type="durable.InvalidInput", message=text, code=400, terminal=True
            )
            self._ending.finish_with(failure)
            return
        context = Context(self._program)
        # The program gets an empty set of context variables. Those of the worker, such as a span, would
        # not be the same in another attempt.
        variables = Variables()
        variables.run(enter_workflow, context)
        try:
            coroutine: Any = variables.run(workflow.function, context, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a decorator under ours may raise, for example
            self._ending.fail(error)
            return
        self._loop.create_main(coroutine, variables)
        self._run()
        self._deliver()
        if not (self.done or self.end_message):
            self._end_replay()
        self._hold_if_deadlocked()

    def on_ack(self, ack: worker_pb2.Ack) -> None:
        """The log has an entry of this attempt."""
        message = self._outbox.unacknowledged.pop(ack.index, None)
        if message is None or self._ending.done:
            return
        self.journal_bytes += message.ByteSize()
        if ack.completion_number:
            self._journal.add(ack.completion_number, ack.index, message.entry.outcome, ack.time)
            self._go_on()

    def on_completion(self, completion: worker_pb2.Completion) -> None:
        """The server has completed an operation."""
        if not self._ending.done:
            self.journal_bytes += completion.ByteSize()
            self._journal.add(
                completion.completion_number, completion.index, completion.outcome, completion.time
            )
            self._go_on()

    def on_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        """The invocation is to be cancelled."""
        if self._ending.message is not None:
            # The next attempt gets the request. It need not wait for the steps that run here, unless
            # it may compensate for them, or has.
            if not (self._program.compensations.open_blocks or self._outbox.has_held):
                self._ending.end_now()
        elif not self._ending.done:
            if cancel.completion_number > self._journal.delivered:
                self.pausing = False
                self._start_after_discarded()
            self._note_cancel(cancel)
            self._go_on()

    def on_pause(self) -> None:
        """The attempt is to stop at its next boundary: nothing more is delivered."""
        self.pausing = True

    def on_step(
        self,
        index: int,
        value: payload_pb2.Payload | None,
        error: BaseException | None,
        elapsed: float,
    ) -> None:
        """A step has ended: its outcome goes to the log, or its failure ends the attempt.

        `elapsed` is how long it took in seconds. People see it; the program never does.
        """
        steps, ending = self._steps, self._ending
        steps.ended(index)
        if ending.done:
            return
        operation = self._operations.open[index]
        if error is not None and not self._is_final(index, operation, error):
            ending.end_if_steps_ended()
            return
        steps.discarded.discard(index)
        entry = self._outbox.entry(index, operation.kind, operation.name)
        if error is not None:
            entry.outcome.failure.CopyFrom(to_failure(error, terminal=True))
        else:
            assert value is not None
            entry.outcome.value.CopyFrom(value)
        entry.elapsed.FromMicroseconds(int(elapsed * 1e6))
        self._start_after_discarded()
        ending.end_if_steps_ended()

    def on_withdrawn(self, index: int) -> None:
        """The worker has taken back a discarded step that had not begun."""
        self._steps.ended(index)
        self._steps.discarded.discard(index)
        self._operations.open.pop(index, None)
        self._start_after_discarded()
        self._hold_if_deadlocked()
        self._ending.end_if_steps_ended()

    def abandon(self) -> None:
        """Ends the attempt without a message."""
        self._ending.end()

    def end_now(self) -> None:
        """Ends an attempt that has an `end_message`; what its steps still do is lost."""
        self._ending.end_now()

    # What the worker reads

    @property
    def done(self) -> bool:
        """True when the attempt has ended."""
        return self._ending.done

    @property
    def end_message(self) -> worker_pb2.WorkerMessage | None:
        """The message that ends the attempt once the steps that run have ended; None before."""
        return self._ending.message

    def unacknowledged(self) -> list[worker_pb2.WorkerMessage]:
        """Returns the entries that were sent and that the log may not have."""
        return list(self._outbox.unacknowledged.values())

    @property
    def acknowledged(self) -> bool:
        """True when the log has all that was sent."""
        return not self._outbox.unacknowledged

    @property
    def quiet(self) -> bool:
        """True when only discarded steps run, if any, and the log has all that was sent."""
        return not (self._ending.done or self._steps.has_executing or self._outbox.unacknowledged)

    @property
    def waiting(self) -> bool:
        """True when only operations of the server are open, so that the attempt may be suspended."""
        if not self.quiet or self.pausing:
            return False
        return len(self._operations.open) > len(self.discarded)

    @property
    def compensations_waiting(self) -> bool:
        """True while what compensations start waits until the `discarded` steps have ended."""
        return self._steps.has_waiting or self._outbox.has_held

    @property
    def journal_length(self) -> int:
        """How many operations the run has started."""
        return self._operations.next_index - self._operations.first_index

    @property
    def last_completion(self) -> int:
        """The number of the completion that was delivered last; 0 before the first."""
        return self._journal.delivered

    @property
    def stubborn(self) -> list[str]:
        """Names of the program's coroutines that caught AttemptEnded and did not end."""
        return self._loop.stubborn

    def name_of(self, index: int) -> str:
        """Returns what an open operation is, in words."""
        return self._operations.describe(index)

    # What the loop needs, see `loop.LoopOwner`

    def time(self) -> float:
        """Returns the journal's time."""
        return self._journal.seconds

    def set_timer(self, timer: Timer, delay: float) -> None:
        """Starts a durable timer for a callback of the loop."""
        self._program.server.set_timer(timer, delay)

    def unhandled(self, message: str, error: BaseException | None, source: Any = None) -> None:
        """Fails the attempt because of an error that no part of the program awaits.

        An exception that was set in a future and never retrieved fails nothing: asyncio would log
        it, and the report of the program's mistakes names it.
        """
        if isinstance(error, AttemptEnded) or self.done or self.end_message or error is None:
            return
        if "never retrieved" not in message:
            self._ending.fail(error)
        elif not self._loop.closing:
            self.unawaited.failure_unseen(source, error)

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Reports a coroutine that the program has dropped before it ran."""
        self.unawaited.never_awaited(coroutine, place)

    # Delivery

    def _go_on(self) -> None:
        """Delivers what it can, then checks that something is left to wait for."""
        if self._ending.message is not None:
            return
        self._deliver()
        self._hold_if_deadlocked()

    def _deliver(self) -> None:
        """Delivers the completions that have arrived, in order, up to the first gap."""
        journal, ending, operations = self._journal, self._ending, self._operations
        while not (ending.done or self.pausing or ending.message is not None):
            completion = journal.next_completion()
            if completion is None:
                return
            if ending.result is not None:
                # The program has ended, so no code receives the outcome; the end waits for it.
                self._note_late(completion)
                ending.finish()
                continue
            journal.seconds = seconds_of(completion.time)
            if completion.outcome is None:
                # As a callback of the program's loop, because cancelling a child's future starts an
                # operation.
                main = self._loop.main
                assert main is not None
                self._loop.call_soon(main.cancel, ending.cancel_reason)
            elif not self._complete(completion.entry_index, completion.outcome):
                return
            if operations.replaying:
                operations.note_progress()
            self._run()

    def _complete(self, index: int, outcome: payload_pb2.Outcome) -> bool:
        """Completes an operation; returns False if that has held the invocation.

        It does if the program has not started the operation, if no codec decodes the value, and if the
        value of a step or a child, from a journal of another version, is not of the type that it names.
        """
        operation = self._operations.open.pop(index, None)
        if operation is None:
            self._ending.hold(self._operations.unexpected(index))
            return False
        if operation.timer is not None:
            self._loop.fire(operation.timer)
            return True
        future = operation.future
        assert future is not None
        if future.cancelled():  # the program has discarded the result
            return True
        if not future.awaited:
            self.unawaited.completed(operation.kind, future)
        if outcome.HasField("failure"):
            future.set_exception(_failure_of(operation, outcome.failure))
            return True
        try:
            if operation.convert is not None:
                value = operation.convert(outcome)
            else:
                shape = operation.shape
                value = None if shape is None else decode_as(outcome.value, shape)
        except UndecodableValueError as error:
            # The program must not see it: it could give up a value that only lacks its key.
            self._ending.hold(error)
            return False
        except CodecError as error:
            kind = KINDS[operation.kind]
            problem = self._operations.unreadable_value(
                index, operation.kind, operation.name, operation.shape, error
            )
            if (kind.is_step or kind.is_invocation) and self._operations.is_of_other_code(index):
                # The version before has read it. An `except` of this one would take it for a failure
                # of the step.
                self._ending.hold(self._operations.unreadable(str(problem)))
                return False
            self._program.server.value_refused(operation)
            future.set_exception(problem)
        else:
            future.set_result(value)
        return True

    def _note_late(self, completion: Completion) -> None:
        """Notes the outcome of a step that only the handler's end waits for."""
        operation = self._operations.open.pop(completion.entry_index, None)
        outcome = completion.outcome
        if operation is None or outcome is None or not outcome.HasField("failure"):
            return
        if operation.future is not None and not operation.future.awaited:
            error = _failure_of(operation, outcome.failure)
            self.unawaited.failure_unseen(operation.future, error)

    def _run(self) -> None:
        """Runs the program as far as it can go, and ends the attempt if the program has ended."""
        loop, ending = self._loop, self._ending
        loop.run_ready()
        if not ending.done and ending.message is None:
            interruption = loop.interruption
            main = loop.main
            assert main is not None
            continuation = self._program.continuation
            if continuation is not None:
                ending.continue_as(continuation)
            elif interruption is not None:
                end = ending.hold if interruption.hold else ending.fail
                end(interruption.error)
            elif main.done():
                ending.conclude()
        if ending.message is None:
            self._steps.completion_handled()

    def _end_replay(self) -> None:
        """Ends the replay: the journal has no more completions, and its open steps start."""
        self._operations.replaying = False
        if not self._ending.hold_if_journal_not_repeated():
            self._steps.start_after_replay()

    def _start_after_discarded(self) -> None:
        """Starts what compensations wait to start, once no discarded step runs any more."""
        ending = self._ending
        if not (self.discarded or self.pausing or ending.done or ending.message):
            self._steps.start_after_discarded()
            self._outbox.release()

    def _note_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        self._ending.cancel_reason = cancel.reason or "cancelled"
        self._journal.add(cancel.completion_number, -1, None, cancel.time)

    def _hold_if_deadlocked(self) -> None:
        ending = self._ending
        if ending.done or self.pausing or ending.message is not None:
            return
        if self._journal.has_more or self._can_wake():
            return
        ending.hold(
            NonDurableAwaitError(
                "the workflow waits, and nothing durable is open that could wake it: it awaits"
                " something that only code outside of it, or nothing, would set; wrap what it"
                " waits for in ctx.run, or use ctx.sleep"
            )
        )

    def _can_wake(self) -> bool:
        """Returns True if a step runs, or an open operation can wake the program."""
        if self._steps.has_executing or self.discarded:
            return True
        for operation in self._operations.open.values():
            future, timer = operation.future, operation.timer
            if future is not None and not future.cancelled():
                return True
            if timer is not None and not timer.is_cancelled:
                return True
        return False

    def _is_final(self, index: int, operation: OpenOperation, error: BaseException) -> bool:
        """Returns True if a step's failure is to be journaled; otherwise acts on the failure."""
        policy = operation.retry or self._program.policy
        verdict = policy.verdict(error, of_step=True)
        if verdict is Verdict.FINAL:
            return True
        if index in self.discarded:
            self.discarded.discard(index)
            del self._operations.open[index]
            self._start_after_discarded()
            self._hold_if_deadlocked()
            return False
        if verdict is Verdict.HOLD:
            self._ending.hold(error)
            return False
        failures = self.start.step_failures.get(index, 0) + 1
        failing = self.start.step_failing[index].ToTimedelta()
        if not policy.used_up(failures, failing):
            delay = retry_delay(error)
            if delay is None:
                delay = policy.delay(failures, f"{self._program.invocation_id}/{index}")
            self._ending.fail_step(index, operation, error, delay)
            return False
        if policy.on_exhausted == "pause":
            self._ending.hold(error)
            return False
        return True


def _failure_of(operation: OpenOperation, failure: payload_pb2.Failure) -> StepFailedError:
    """Returns the exception that the program gets for an operation's failure."""
    name = operation.name
    if not KINDS[operation.kind].is_invocation:
        return StepFailedError(name, failure)
    if failure.type == "durable.Cancelled":
        return ChildCancelledError(name, failure)
    return ChildFailedError(name, failure)
