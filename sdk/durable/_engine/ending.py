"""The end of an attempt: decides how it ends, and sends the message for it.

An attempt ends with exactly one of Finished, Continued, AttemptFailed and Held, or without a message
when the worker abandons it. Rules:

- Finished waits until every step is in the log whose future the program has neither awaited nor
  cancelled: such a step was started for its effect. A step that lost a race was awaited, so nothing
  waits for it.
- Finished also waits until discarded steps have ended, if the program has ended after compensations
  whose entries wait for that.
- Continued is to a run what Finished is to the invocation, and waits for the same. It counts as the
  program's end when the program asks for it, whatever the code raises that is unwound then.
- AttemptFailed and Held wait until the steps that run have ended: their outcomes must be in the
  log, or the next attempt would run these steps again.
- Then what is left of the program is unwound: AttemptEnded is raised wherever it waits, and by
  each durable operation that it still starts.
"""

from __future__ import annotations

from asyncio import CancelledError, Task
from datetime import timedelta
from typing import Any, Final

from durable_proto.v1 import payload_pb2, worker_pb2

from .._common.errors import CodecError, RetryableError
from .._definitions.retry import Verdict, leaves, retry_delay
from .entry_kinds import KINDS
from .failures import to_failure, waiting_frames
from .limits import too_large
from .operations import OpenOperation
from .program import Program
from .unawaited import UnawaitedReport


class Ending:
    """How one attempt ends."""

    __slots__ = (
        "_loop",
        "_operations",
        "_outbox",
        "_payload_bytes_max",
        "_program",
        "_steps",
        "_unawaited",
        "cancel_reason",
        "done",
        "message",
        "result",
    )

    def __init__(self, program: Program, unawaited: UnawaitedReport) -> None:
        self._program: Final = program
        self._loop: Final = program.loop
        self._operations: Final = program.operations
        self._outbox: Final = program.outbox
        self._steps: Final = program.steps
        self._payload_bytes_max: Final = program.steps.environment.payload_bytes_max
        self._unawaited: Final = unawaited
        self.done = False
        """True when the attempt has ended."""
        self.message: worker_pb2.WorkerMessage | None = None
        """What ends the attempt once no step delays it; the program does not go on."""
        self.result: worker_pb2.WorkerMessage | None = None
        """The handler's result, or its next run; it is sent when the steps are journaled that have to
        be."""
        self.cancel_reason = ""
        """Why the invocation is to be cancelled, if it is; not empty then."""

    def conclude(self) -> None:
        """Decides the end when the handler has returned or raised."""
        if self.hold_if_journal_not_repeated():
            return
        main = self._loop.main
        assert main is not None
        self._report_unawaited(failed=main.cancelled() or main.exception() is not None)
        if main.cancelled():
            if self.cancel_reason:
                self._finish_cancelled()
            else:
                self.hold(_cancelled_by_itself(main))
            return
        error = main.exception()
        if error is None:
            self._return(main.result())
        elif self.cancel_reason and all(isinstance(it, CancelledError) for it in leaves(error)):
            self._finish_cancelled()
        else:
            self.fail(error)

    def continue_as(self, continuation: worker_pb2.Continued) -> None:
        """Ends the run because the program continues as new."""
        if self.hold_if_journal_not_repeated():
            return
        self._report_unawaited(failed=False)
        self.result = self._outbox.message()
        self.result.continued.CopyFrom(continuation)
        self.finish()

    def hold_if_journal_not_repeated(self) -> bool:
        """Holds the invocation if the journal has an operation that the program has not started.

        Returns True if it does.
        """
        error = self._operations.missing()
        if error is not None:
            self.hold(error)
        return error is not None

    def finish(self) -> None:
        """Sends the result, unless a step has to be journaled first."""
        assert self.result is not None
        # The program is unwound first, because it may cancel futures of steps while it is.
        self._unwind()
        for operation in self._operations.open.values():
            future = operation.future
            if (
                future is not None
                and KINDS[operation.kind].is_step
                and not (future.awaited or future.cancelled())
            ):
                return
        self._finish(self.result)

    def finish_with(self, failure: payload_pb2.Failure) -> None:
        """Sends a failure as the invocation's outcome."""
        message = self._outbox.message()
        message.finished.outcome.failure.CopyFrom(failure)
        self._finish(message)

    def fail(self, error: BaseException) -> None:
        """Ends the attempt because the program itself has failed, as the handler's policy says."""
        verdict = self._program.policy.verdict(error, of_step=False)
        if verdict is Verdict.FINAL or _is_compensated(
            error, verdict, self._program.compensations.compensated
        ):
            self.finish_with(to_failure(error, terminal=True))
            return
        if verdict is Verdict.HOLD:
            self.hold(error)
            return
        message = self._outbox.message()
        message.attempt_failed.failure.CopyFrom(to_failure(error))
        delay = retry_delay(error)
        if delay is not None:
            message.attempt_failed.retry_delay.FromTimedelta(delay)
        self._end_after_steps(message)

    def fail_step(
        self, index: int, operation: OpenOperation, error: BaseException, delay: timedelta
    ) -> None:
        """Ends the attempt because a step has failed; the step is retried after a delay.

        If the attempt is failing already, the step's failure is counted with it.
        """
        if self.message is not None:
            self._fail_step_too(index, operation, error, delay)
            return
        message = self._outbox.message()
        failed = message.attempt_failed
        failed.failure.CopyFrom(to_failure(error))
        failed.index = index
        failed.kind = operation.kind  # type: ignore[assignment]  # the enum's number
        failed.name = operation.name
        failed.retry_delay.FromTimedelta(delay)
        self._end_after_steps(message)

    def _fail_step_too(
        self, index: int, operation: OpenOperation, error: BaseException, delay: timedelta
    ) -> None:
        """Adds a step to the failure that ends the attempt; the next attempt retries both."""
        assert self.message is not None
        if self.done or not self.message.HasField("attempt_failed"):
            return
        failed = self.message.attempt_failed
        failed.other_steps.add(
            index=index,
            kind=operation.kind,
            name=operation.name,
            failure=to_failure(error),
        )
        if failed.HasField("retry_delay") and failed.retry_delay.ToTimedelta() < delay:
            failed.retry_delay.FromTimedelta(delay)

    def hold(self, error: BaseException, failure_type: str = "") -> None:
        """Ends the attempt and holds the invocation: it does not go on before a person has looked."""
        message = self._outbox.message()
        failure = message.held.failure
        failure.CopyFrom(to_failure(error))
        if failure_type:
            failure.type = failure_type
        if not failure.stack_trace:
            failure.stack_trace = _awaiting_lines(self._loop.main)
        self._end_after_steps(message)

    def end_if_steps_ended(self) -> None:
        """Ends an attempt that has a message, once the steps that delay it have ended."""
        if self.message is None:
            return
        if self._outbox.has_held:
            delayed = bool(self._program.compensations.discarded)
        else:
            delayed = not _is_last(self.message) and self._steps.delays_end
        if not delayed:
            self.end_now()

    def end_now(self) -> None:
        """Ends an attempt that has a message, even if its steps still run."""
        if self.message is not None and not self.done:
            self._outbox.release()
            self._outbox.messages.append(self.message)
            self.end()

    def end(self) -> None:
        """Ends the attempt and unwinds the program; sends nothing."""
        if self.done:
            return
        self.done = self._program.code.attempt_done = True
        self._steps.drop_waiting()
        self._unwind()

    def _return(self, value: Any) -> None:
        try:
            result = self._program.workflow.encode_output(value)
        except CodecError as problem:
            self.hold(problem, "durable.InvalidOutput")
            return
        limit = self._payload_bytes_max
        if len(result.data) > limit:
            large = too_large("the result", len(result.data), limit)
            self.hold(large, "durable.PayloadTooLarge")
            return
        self.result = self._outbox.message()
        self.result.finished.outcome.value.CopyFrom(result)
        self.finish()

    def _finish(self, message: worker_pb2.WorkerMessage) -> None:
        """Ends the attempt with the invocation's outcome, after the entries that are held."""
        self.message = message
        self._loop.stopped = True
        self.end_if_steps_ended()

    def _finish_cancelled(self) -> None:
        self.finish_with(
            payload_pb2.Failure(type="durable.Cancelled", message=self.cancel_reason, terminal=True)
        )

    def _report_unawaited(self, *, failed: bool) -> None:
        self._unawaited.handler_ended(
            self._loop,
            [
                (it.kind, it.future)
                for it in self._operations.open.values()
                if it.future is not None
            ],
            well=not failed,
        )
        if failed:
            for place in self._program.compensations.unused.values():
                self._unawaited.saga_not_used(place)

    def _end_after_steps(self, message: worker_pb2.WorkerMessage) -> None:
        """Ends the attempt so that another one follows, as soon as no step delays it."""
        if self.done or (
            self.message is not None and (_is_last(self.message) or not message.HasField("held"))
        ):
            return
        self.message = message
        self._loop.stopped = True
        self._steps.drop_waiting()
        self._outbox.drop_held()
        self.end_if_steps_ended()

    def _unwind(self) -> None:
        """Unwinds the program; drops the operations that it starts while it unwinds."""
        count = self._operations.next_index
        self._loop.end()
        if self._operations.next_index != count:
            self._operations.drop_from(count)
            self._steps.drop_from(count)


def _is_last(message: worker_pb2.WorkerMessage) -> bool:
    """Returns True if no other attempt goes on with the journal."""
    return message.HasField("finished") or message.HasField("continued")


def _is_compensated(
    error: BaseException, verdict: Verdict, compensated: list[BaseException]
) -> bool:
    """Returns True if a saga has run its compensations for an error, or for what caused it.

    The program around a saga may turn the error that left it into another one: the TimeoutError of a
    timeout, an exception that is raised `from` it, the group of a TaskGroup whose body was cancelled.
    """
    if not compensated:
        return False
    waiting, seen = [error, *leaves(error)], set[int]()
    if any(it is known for it in waiting for known in compensated):
        return True
    if verdict is not Verdict.RETRY or any(isinstance(it, RetryableError) for it in waiting):
        return False
    while waiting:
        it = waiting.pop()
        if any(it is known for known in compensated):
            return True
        seen.add(id(it))
        context = it.__context__ if isinstance(it.__context__, CancelledError) else None
        causes = [
            part for cause in (it.__cause__, context) if cause for part in (cause, *leaves(cause))
        ]
        waiting.extend(cause for cause in causes if id(cause) not in seen)
    return False


def _cancelled_by_itself(main: Task[Any]) -> RuntimeError:
    """Returns the error of a handler that was cancelled although its invocation is not."""
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


def _awaiting_lines(main: Task[Any] | None) -> str:
    """Returns the user's lines at which the handler waits, in the form of a stack trace."""
    lines = ""
    for frame in waiting_frames(main):
        code = frame.f_code
        lines += f'  File "{code.co_filename}", line {frame.f_lineno}, in {code.co_name}\n'
    return lines
