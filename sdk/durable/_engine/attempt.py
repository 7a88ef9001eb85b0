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
left of the program is unwound: AttemptEnded, no Exception, is raised wherever it waits, and by each
durable operation that it still asks for. AttemptFailed and Held wait until the steps that run have
ended: what they have done must be in the log, or the next attempt would do it again.

Three rules for what nobody waits for:
- A step that nobody has ever waited for was wanted for its effect: a handler that returns finishes
  only when such steps are in the log. One that lost a race was waited for, and is not.
- A step whose future is cancelled is not started if it has not been yet, and cannot fail the attempt.
- A program that waits while nothing durable is open would wait for ever; that is an error.
"""

from __future__ import annotations

from asyncio import CancelledError, Task
from contextvars import Context as Variables
from datetime import timedelta
from typing import Any

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.errors import (
    AttemptEnded,
    ChildCancelledError,
    ChildFailedError,
    CodecError,
    NonDurableAwaitError,
    RetryableError,
    StepFailedError,
)
from .._common.values.serde import decode_as
from .._definitions.retry import Verdict, leaves, retry_delay
from .context import Context, _current
from .failures import is_users, to_failure
from .journal import ATTACH, AWAKEABLE, CALL, INVOKE, RUN, Completed, described, seconds_of
from .operations import Open, too_large
from .primitives import Primitives


class Attempt(Primitives):
    """One attempt; see the module's head."""

    # Inputs

    def begin(self) -> None:
        """Runs the program until it can do nothing more, going over the journal first."""
        start = self.start
        if start.HasField("cancel_requested"):
            self._note_cancel(start.cancel_requested)
        try:
            payload = start.input if start.HasField("input") else None
            args, kwargs = self.workflow.decode_input(payload)
        except CodecError as error:
            self._finish_failure(_invalid("durable.InvalidInput", error))
            return
        context = Context(self)
        # Empty: what the host has there, a request's or a span, no other attempt would find.
        variables = Variables()
        variables.run(_current.set, context)
        try:
            program: Any = variables.run(self.workflow.function, context, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - of a decorator under ours, for example
            self._fail(error)
            return
        self._loop.create_main(program, variables)
        self._main = self._loop.main
        self._run()
        self._deliver()
        if not (self.done or self.ending):
            self._end_replay()
        self._look_for_deadlock()

    def on_ack(self, ack: worker_pb2.Ack) -> None:
        """An entry of ours is in the log."""
        message = self._unacknowledged.pop(ack.index, None)
        if message is None or self.done:
            return
        if ack.completion_number:
            self._journal.arrive(ack.completion_number, ack.index, message.entry.outcome, ack.time)
            self._go_on()

    def on_completion(self, completion: worker_pb2.Completion) -> None:
        """An operation of the server's has ended."""
        if not self.done:
            self._journal.arrive(
                completion.completion_number, completion.index, completion.outcome, completion.time
            )
            self._go_on()

    def on_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        """The end of the invocation is asked for."""
        if self.ending is not None:
            # The next attempt is told. It need not wait for what runs here, unless it may undo it.
            if not self.open_sagas:
                self.end_now()
        elif not self.done:
            if cancel.completion_number > self._journal.delivered:
                self.frozen = False
                self._begin_held_back()
            self._note_cancel(cancel)
            self._go_on()

    def on_pause(self) -> None:
        """The attempt is to stop at its next boundary: nothing is delivered any more."""
        self.frozen = True

    def on_step(
        self,
        index: int,
        value: payload_pb2.Payload | None,
        error: BaseException | None,
        elapsed: float,
    ) -> None:
        """A step has ended: its outcome goes to the log, or its failure ends the attempt.

        `elapsed` is how long it took in seconds: for people to see, never for the program.
        """
        self._executing.discard(index)
        if self.done:
            return
        operation = self._open[index]
        if error is not None and not self._is_final(index, operation, error):
            self._end_if_all_ended()
            return
        self.unwanted.discard(index)
        self._begin_held_back()
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
        entry.elapsed.FromMicroseconds(int(elapsed * 1e6))
        self._unacknowledged[index] = message
        self.outbox.append(message)
        self._end_if_all_ended()

    def on_withdrawn(self, index: int) -> None:
        """A step that nobody wants any more had not begun, and now never does."""
        self._executing.discard(index)
        self.unwanted.discard(index)
        self._open.pop(index, None)
        self._begin_held_back()
        self._look_for_deadlock()
        self._end_if_all_ended()

    def abandon(self) -> None:
        """Stops, and says nothing more."""
        self._end()

    def end_now(self) -> None:
        """Ends an attempt that waits for its steps, if it does; what they do is lost."""
        if self.ending is not None and not self.done:
            self.outbox.append(self.ending)
            self._end()

    def unacknowledged(self) -> list[worker_pb2.WorkerMessage]:
        """Returns the entries that were sent and of which it is not known that the log has them."""
        return list(self._unacknowledged.values())

    @property
    def acknowledged(self) -> bool:
        """True when all that was sent is in the log."""
        return not self._unacknowledged

    @property
    def settled(self) -> bool:
        """True when nothing runs and all that was sent is in the log."""
        return not (self.done or self._executing or self._unacknowledged)

    @property
    def holding_back(self) -> bool:
        """True when steps wait to begin until those that were given up have ended."""
        return bool(self._held_back)

    @property
    def waiting(self) -> bool:
        """True when only operations of the server's are open: the attempt may be suspended."""
        if not self.settled or self.frozen:
            return False
        return len(self._open) > len(self.unwanted)

    @property
    def last_completion(self) -> int:
        """The number of the completion that was delivered last; 0 before the first."""
        return self._journal.delivered

    def unhandled(self, message: str, error: BaseException | None, source: Any = None) -> None:
        """An error that no part of the program awaits ends the attempt, if it is one.

        One that was set as an outcome at which nobody looked does not: asyncio would log it.
        """
        if isinstance(error, AttemptEnded) or self.done or self.ending or error is None:
            return
        if "never retrieved" not in message:
            self._fail(error)
        elif not self._loop.closing:
            self.forgotten.failed_unseen(source, error)

    # Parts

    def _is_final(self, index: int, operation: Open, error: BaseException) -> bool:
        """Says whether a step's failure is journaled; if not, sees to what happens instead."""
        policy = operation.retry or self.policy
        verdict = policy.verdict(error, of_step=True)
        if verdict is Verdict.FINAL:
            return True
        if index in self.unwanted:
            self.unwanted.discard(index)
            del self._open[index]
            self._begin_held_back()
            self._look_for_deadlock()
            return False
        if verdict is Verdict.HOLD:
            self._hold(error)
            return False
        failures = self.start.step_failures.get(index, 0) + 1
        failing = self.start.step_failing[index].ToTimedelta()
        if not policy.used_up(failures, failing):
            delay = retry_delay(error)
            if delay is None:
                delay = policy.delay(failures, f"{self.invocation_id}/{index}")
            self._fail_step(index, operation, error, delay)
            return False
        if policy.on_exhausted == "pause":
            self._hold(error)
            return False
        return True

    def _begin_held_back(self) -> None:
        """Begins what undoes, once nothing runs any more that was given up."""
        if self.unwanted or self.frozen or self.done or self.ending:
            return
        for task in self._held_back:
            self._executing.add(task.index)
            self.tasks.append(task)
        self._held_back.clear()

    def _run(self) -> None:
        """Lets the program go as far as it can, and sees whether it has ended."""
        self._run_on()
        if self.ending is None:
            self._just_given_up.clear()

    def _run_on(self) -> None:
        self._loop.run_ready()
        if self.done or self.ending:
            return
        if self._held is not None:
            self._hold(self._held)
        elif self._failed is not None:
            self._fail(self._failed)
        elif self._main.done():
            self._conclude()

    def _go_on(self) -> None:
        """Delivers what it can, and sees whether anything is left to wait for."""
        if self.ending is not None:
            return
        self._deliver()
        self._look_for_deadlock()

    def _deliver(self) -> None:
        """Delivers what has arrived, in order, as far as there is no gap."""
        journal = self._journal
        while not (self.done or self.frozen or self.ending):
            completed = journal.take()
            if completed is None:
                return
            if self._result is not None:
                # The handler has returned; what comes now is only waited for.
                self._note_owed(completed)
                self._finish()
                continue
            self._seconds = seconds_of(completed.time)
            if completed.outcome is None:
                # Within the program's own loop: giving up a child asks for its cancellation.
                self._loop.call_soon(self._main.cancel, self._cancelled)
            elif not self._hand_over(completed.index, completed.outcome):
                return
            if self.replaying and self._is_past():
                self.replaying = False
            self._run()

    def _note_owed(self, completed: Completed) -> None:
        """Notes the end of a step that only the handler's end waits for."""
        operation = self._open.pop(completed.index, None)
        outcome = completed.outcome
        if operation is None or outcome is None or not outcome.HasField("failure"):
            return
        if operation.future is not None and not operation.future.awaited:
            error = _error(operation.kind, operation.name, outcome.failure)
            self.forgotten.failed_unseen(operation.future, error)

    def _look_for_deadlock(self) -> None:
        if self.done or self.frozen or self.ending or self._journal.has_more or self._wanted():
            return
        self._hold(
            NonDurableAwaitError(
                "the workflow waits, and nothing durable is open that could wake it: it awaits"
                " something that only code outside of it, or nothing, would set; wrap what it"
                " waits for in ctx.run, or use ctx.sleep"
            )
        )

    def _wanted(self) -> bool:
        """Says whether anything is open whose end can wake the program, or a step still runs."""
        if self._executing or self.unwanted:
            return True
        for operation in self._open.values():
            future, timer = operation.future, operation.timer
            if future is not None and not future.cancelled():
                return True
            if timer is not None and not timer.is_cancelled:
                return True
        return False

    def _hand_over(self, index: int, outcome: payload_pb2.Outcome) -> bool:
        operation = self._open.pop(index, None)
        if operation is None:
            entry = self._journal.recorded.get(index)
            expected = "an operation" if entry is None else described(entry.kind, entry.name)
            self._held = self._difference(index, expected, self._asked_for())
            self._hold(self._held)
            return False
        if operation.timer is not None:
            self._loop.ring(operation.timer)
            return True
        future = operation.future
        assert future is not None
        if future.cancelled():  # the result is not wanted any more
            return True
        if not future.awaited:
            self.forgotten.completed(operation.kind, future)
        if outcome.HasField("failure"):
            future.set_exception(_error(operation.kind, operation.name, outcome.failure))
            return True
        try:
            if operation.convert is not None:
                value = operation.convert(outcome)
            else:
                shape = operation.shape
                value = None if shape is None else decode_as(outcome.value, shape)
        except CodecError as error:
            if operation.kind == AWAKEABLE:
                self._unreadable.add(operation.name)
            future.set_exception(error)
        else:
            future.set_result(value)
        return True

    def _end_replay(self) -> None:
        """The journal is over: starts what it leaves open, once all of it was asked for."""
        self.replaying = False
        if self._unasked():
            return
        for task in self._deferred:
            self._executing.add(task.index)
            self.tasks.append(task)
        self._deferred.clear()

    def _unasked(self) -> bool:
        """Holds the invocation if its journal has operations that the program does not ask for."""
        entry = self._journal.unasked(self._next)
        if entry is None:
            return False
        expected = described(entry.kind, entry.name)
        self._hold(self._difference(entry.index, expected, self._asked_for()))
        return True

    def _note_cancel(self, cancel: worker_pb2.CancelRequested) -> None:
        self._cancelled = cancel.reason or "cancelled"
        self._journal.arrive(cancel.completion_number, -1, None, cancel.time)

    # The end

    def _conclude(self) -> None:
        """The handler has returned or raised."""
        if self._unasked():
            return
        main = self._main
        self.forgotten.handler_ended(
            self._loop,
            [(it.kind, it.future) for it in self._open.values() if it.future is not None],
            well=not main.cancelled() and main.exception() is None,
        )
        if main.cancelled() or main.exception() is not None:
            for saga in self.idle_sagas:
                self.forgotten.saga_not_entered(saga.forgotten_at)
        if main.cancelled():
            if self._cancelled:
                self._finish_cancelled()
            else:
                self._hold(_cancelled_by_itself(main))
            return
        error = main.exception()
        if error is None:
            try:
                result = self.workflow.encode_output(main.result())
            except CodecError as problem:
                self._hold(problem, "durable.InvalidOutput")
                return
            limit = self.environment.payload_bytes_max
            if len(result.data) > limit:
                large = too_large("the result", len(result.data), limit)
                self._hold(large, "durable.PayloadTooLarge")
                return
            self._result = result
            self._finish()
        elif self._cancelled and all(isinstance(it, CancelledError) for it in leaves(error)):
            self._finish_cancelled()
        else:
            self._fail(error)

    def _finish(self) -> None:
        """The handler has returned a value: says so as soon as no step is owed any more."""
        assert self._result is not None
        # What is left of the program ends now; it may give up steps while it does.
        self._unwind()
        for operation in self._open.values():
            future = operation.future
            if (
                future is not None
                and operation.kind in (RUN, CALL)
                and not (future.awaited or future.cancelled())
            ):
                return
        message = self._message()
        message.finished.outcome.value.CopyFrom(self._result)
        self.outbox.append(message)
        self._end()

    def _finish_failure(self, failure: payload_pb2.Failure) -> None:
        message = self._message()
        message.finished.outcome.failure.CopyFrom(failure)
        self.outbox.append(message)
        self._end()

    def _finish_cancelled(self) -> None:
        failure = payload_pb2.Failure(
            type="durable.Cancelled", message=self._cancelled, terminal=True
        )
        self._finish_failure(failure)

    def _fail(self, error: BaseException) -> None:
        """Ends the attempt with a failure of the program itself, by the handler's policy."""
        verdict = self.policy.verdict(error, of_step=False)
        if verdict is Verdict.FINAL or self._is_undone(error, verdict):
            self._finish_failure(to_failure(error, terminal=True))
            return
        if verdict is Verdict.HOLD:
            self._hold(error)
            return
        message = self._message()
        message.attempt_failed.failure.CopyFrom(to_failure(error))
        delay = retry_delay(error)
        if delay is not None:
            message.attempt_failed.retry_delay.FromTimedelta(delay)
        self._end_later(message)

    def _is_undone(self, error: BaseException, verdict: Verdict) -> bool:
        """Says whether a saga has undone what was done before an error, or before what caused it.

        Around a saga another error may come of the one that left it: the TimeoutError of a timeout,
        what is raised `from` it, and the group of a TaskGroup whose body was cancelled.
        """
        if not self._undone:
            return False
        waiting, seen = [error, *leaves(error)], set[int]()
        if any(it is known for it in waiting for known in self._undone):
            return True
        if verdict is not Verdict.RETRY or any(isinstance(it, RetryableError) for it in waiting):
            return False
        while waiting:
            it = waiting.pop()
            if any(it is known for known in self._undone):
                return True
            seen.add(id(it))
            context = it.__context__ if isinstance(it.__context__, CancelledError) else None
            causes = [
                part
                for cause in (it.__cause__, context)
                if cause
                for part in (cause, *leaves(cause))
            ]
            waiting.extend(cause for cause in causes if id(cause) not in seen)
        return False

    def _fail_step(
        self, index: int, operation: Open, error: BaseException, delay: timedelta
    ) -> None:
        """Ends the attempt with a step's failure: the step is tried again after a delay."""
        message = self._message()
        failed = message.attempt_failed
        failed.failure.CopyFrom(to_failure(error))
        failed.index = index
        failed.kind = operation.kind  # type: ignore[assignment]  # the enum's number
        failed.name = operation.name
        failed.retry_delay.FromTimedelta(delay)
        self._end_later(message)

    def _hold(self, error: BaseException, kind: str = "") -> None:
        """Ends the attempt: the invocation does not go on before a person has looked."""
        message = self._message()
        failure = message.held.failure
        failure.CopyFrom(to_failure(error))
        if kind:
            failure.type = kind
        if not failure.stack_trace:
            failure.stack_trace = self._place()
        self._end_later(message)

    def _place(self) -> str:
        """Returns where in the user's code the handler waits, as in a stack trace."""
        place, awaited = "", None if self._main is None else self._main.get_coro()
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None)
            if frame is not None and is_users(frame.f_code.co_filename):
                code = frame.f_code
                place += f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n'
            awaited = getattr(awaited, "cr_await", None)
        return place

    def _end_later(self, message: worker_pb2.WorkerMessage) -> None:
        """Ends the attempt so that another one follows, as soon as no step runs any more."""
        if self.done or (self.ending is not None and not message.HasField("held")):
            return
        self.ending = message
        self._loop.stopped = True
        for task in self.tasks:
            self._executing.discard(task.index)
        self.tasks.clear()
        self._deferred.clear()
        self._held_back.clear()
        self._end_if_all_ended()

    def _end_if_all_ended(self) -> None:
        # What a failure has made the program give up too: put right, it wants that.
        if not (self._executing or self._just_given_up & self.unwanted):
            self.end_now()

    def _end(self) -> None:
        if self.done:
            return
        self.done = True
        self.tasks.clear()
        self._deferred.clear()
        self._held_back.clear()
        self._unwind()

    def _unwind(self) -> None:
        """Ends what is left of the program; nothing that it asks for then was asked for."""
        count = self._next
        self._loop.end()
        if self._next == count:
            return
        for index in range(count, self._next):
            self._open.pop(index, None)
            self._executing.discard(index)
            message = self._unacknowledged.pop(index, None)
            if message is not None:
                self.outbox.remove(message)
        self.tasks[:] = [task for task in self.tasks if task.index < count]
        self._next = count

    @property
    def stubborn(self) -> list[str]:
        """Names of the program's coroutines that caught AttemptEnded and would not end."""
        return self._loop.stubborn


def _error(kind: int, name: str, failure: payload_pb2.Failure) -> StepFailedError:
    """Returns what the program sees of an operation's failure."""
    if kind not in (INVOKE, ATTACH):
        return StepFailedError(name, failure)
    if failure.type == "durable.Cancelled":
        return ChildCancelledError(name, failure)
    return ChildFailedError(name, failure)


def _cancelled_by_itself(main: Task[Any]) -> RuntimeError:
    """Returns the error of a handler that has ended by a CancelledError, and that nobody cancels."""
    error = RuntimeError(
        "the handler was cancelled by its own code: it has awaited something that was cancelled, or"
        " has cancelled or raised that itself; catch asyncio.CancelledError where it awaits what it"
        " cancels"
    )
    try:
        main.result()
    except CancelledError as cancelled:
        error.__traceback__ = cancelled.__traceback__
    return error


def _invalid(kind: str, error: Exception) -> payload_pb2.Failure:
    return payload_pb2.Failure(type=kind, message=str(error), terminal=True)
