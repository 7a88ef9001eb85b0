"""The attempt runner: holds a worker's attempts and joins the engine, the steps and the session.

It receives what the server sends and how steps end, and passes that to the attempt concerned. After
each such input it takes what the attempt wants: messages go to the send queue, steps are started. The
parts have modules of their own: `step_runner` runs steps, `idle_attempts` suspends attempts that only
wait, `resend_buffer` keeps final messages for the next session. Attempts and steps go on while there is
no session.

Rules.
- Attempts are entered only from plain callbacks of the event loop, never from inside a task, because
  the engine steps tasks of its own and an event loop knows only one current task at a time.
- A message counts only for an (invocation, attempt) that runs here. Any other one is left over from an
  earlier session or attempt, and is dropped.
- After a reconnect, everything is sent again that the server may not have: entries without an ack, and
  final messages.
- When an attempt is over, its steps are given up.
- An attempt that is being given back begins no more steps. Those that run come to their end and are
  journaled; then the attempt is released and goes on elsewhere. This happens when the worker drains,
  when a pause was requested, and when a step has waited too long for a thread.
- While a step runs, its attempt is neither suspended nor paused, even if the program has discarded
  the step: it has an effect, and its outcome is journaled.
- What the client does not learn from the outcome is logged, see `log_messages`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from durable_proto.v1 import worker_pb2

from .._definitions.workflow import Workflow
from .._engine.attempt import Attempt
from .._engine.failures import internal_failure
from .._engine.limits import too_large
from .._engine.steps import Environment
from .._tracing.interface import Tracing
from . import log_messages, time_bounds
from .idle_attempts import IdleAttempts
from .loop_monitor import LoopMonitor
from .resend_buffer import ResendBuffer
from .running_attempt import RunningAttempt, RunningStep
from .send_queue import SendQueue
from .statistics import Counters
from .step_body import StepOutcome
from .step_runner import StepRunner

_FULL_PERCENT: Final = 80
"""How much of a limit of its journal an invocation has when its worker warns."""


class RunnerLimits(NamedTuple):
    """How much a worker does at a time, and for how long; see Worker."""

    slot_count: int
    """How many attempts it holds."""
    suspend_after: float | None
    """How many seconds an attempt may only wait before it is suspended; None: while there is room."""
    threads: int
    """How many sync steps run."""
    stuck_threads: int
    """How many threads with a step that was given up do not count."""
    thread_wait: float
    """How many seconds a step may wait for a thread."""


class AttemptRunner:
    """The attempts that a worker holds. Belongs to the running event loop."""

    def __init__(
        self,
        workflows: Mapping[str, Workflow[..., Any]],
        environment: Environment,
        tracing: Tracing | None,
        limits: RunnerLimits,
    ) -> None:
        self.counters: Final = Counters()
        self.send_queue: Final = SendQueue()
        self._workflows: Final = workflows
        self._environment = environment
        self._entries_full = self._bytes_full = 0
        """How long a journal is, in entries and in bytes, when a warning is due; 0 for none."""
        self._tracing: Final = tracing
        self._draining = False
        self._loop: Final = asyncio.get_running_loop()
        self._attempts: Final[dict[str, RunningAttempt]] = {}
        """By invocation id."""
        self._idle: Final = IdleAttempts(self.send_queue, limits.slot_count, limits.suspend_after)
        self._resend_buffer: Final = ResendBuffer()
        self._steps: Final = StepRunner(
            self._attempts,
            threads=limits.threads,
            stuck_threads=limits.stuck_threads,
            thread_wait=limits.thread_wait,
            on_end=self._step_ended,
            on_thread_wait=self._give_back,
        )
        self._entered: RunningAttempt | None = None
        """The attempt whose code runs now; the loop monitor's thread reads it."""
        self._monitor: Final = LoopMonitor(lambda: bool(self._attempts), self._blocked)
        self._empty: Final = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._attempts)

    @property
    def step_count(self) -> int:
        """How many steps run now."""
        # Iterates over a copy, because another thread may read this.
        steps = sum(len(running.steps) for running in list(self._attempts.values()))
        return max(0, steps - self._steps.waiting)

    @property
    def steps_waiting(self) -> int:
        """How many sync steps wait for a thread now."""
        return self._steps.waiting

    @property
    def threads_stuck(self) -> int:
        """How many threads run a step that was given up."""
        return self._steps.stuck

    @property
    def quiet(self) -> bool:
        """Whether no step runs and nothing waits to be sent."""
        return not self.send_queue.messages and not any(
            running.steps for running in self._attempts.values()
        )

    # Messages from the server

    def set_limits(
        self, payload_bytes: int, journal_entries: int = 0, journal_bytes: int = 0
    ) -> None:
        """Sets limits of the control plane, by their names there; 0 for one that it has not told.

        `payload_bytes` is for attempts that start from now on.
        """
        if payload_bytes:
            self._environment = self._environment._replace(payload_bytes_max=payload_bytes)
        self._entries_full = journal_entries * _FULL_PERCENT // 100
        self._bytes_full = journal_bytes * _FULL_PERCENT // 100

    def on_start(self, message: worker_pb2.ServerMessage) -> None:
        """Starts an attempt."""
        invocation_id, number = message.invocation_id, message.attempt
        earlier = self._attempts.get(invocation_id)
        if earlier is not None:
            if earlier.number >= number:
                return
            self._drop(earlier)
        start = message.start
        workflow = self._workflows.get(start.handler)
        if workflow is None or self._draining:
            if workflow is None:
                log_messages.unknown_handler(message)
            self._release(invocation_id, number)
            return
        self.counters.started += 1
        attempt = Attempt(workflow, invocation_id, number, start, self._environment)
        trace = None if self._tracing is None else self._tracing.start_attempt(message)
        running = RunningAttempt(invocation_id, number, attempt, trace)
        self._attempts[invocation_id] = running
        self._empty.clear()
        self._monitor.wake()
        self._input(running, attempt.begin)
        self._idle.make_room(len(self._attempts))

    def on_ack(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers an Ack: an entry of the attempt is in the log."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self._input(running, running.attempt.on_ack, message.ack)

    def on_completion(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers a Completion."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self._input(running, running.attempt.on_completion, message.completion)

    def on_cancel_requested(self, message: worker_pb2.ServerMessage) -> None:
        """Delivers a request to cancel the invocation."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self._input(running, running.attempt.on_cancel, message.cancel_requested)

    def on_pause_requested(self, message: worker_pb2.ServerMessage) -> None:
        """Stops an attempt at its next journal boundary."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self._input(running, running.attempt.on_pause)

    def on_suspended(self, message: worker_pb2.ServerMessage) -> None:
        """Drops an attempt that the control plane has suspended."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self.counters.suspended += 1
            self._drop(running, "suspended")

    def on_abandon(self, message: worker_pb2.ServerMessage) -> None:
        """Drops an attempt that this worker no longer owns."""
        running = self._find(message.invocation_id, message.attempt)
        if running is not None:
            self.counters.abandoned += 1
            log_messages.taken_away(running, message.abandon.reason)
            self._drop(running)

    def forget(self, invocation_id: str, number: int) -> None:
        """Drops an attempt whose final message the session has made itself."""
        running = self._find(invocation_id, number)
        if running is not None:
            self._drop(running)

    def _find(self, invocation_id: str, number: int) -> RunningAttempt | None:
        """Returns the attempt of an invocation if it runs here and has this number."""
        running = self._attempts.get(invocation_id)
        return running if running is not None and running.number == number else None

    # What attempts want

    def _input(self, running: RunningAttempt, enter: Callable[..., None], *what: Any) -> None:
        """Gives an attempt an input, then takes what it wants."""
        began = time.perf_counter()
        self._entered = running
        try:
            enter(*what)
            self._take(running)
        except Exception as error:  # noqa: BLE001  # a defect of the SDK must not end the worker
            self._fail_internally(running, error)
        finally:
            self._entered = None
        log_messages.blocked_loop(running, time.perf_counter() - began)

    def _take(self, running: RunningAttempt) -> None:
        """Takes what an attempt wants after an input: messages, steps, or an end of its own."""
        attempt = running.attempt
        if attempt.journal_bytes > self._bytes_full or attempt.journal_length > self._entries_full:
            self._warn_of_limit(running)
        if attempt.discarded:
            self._withdraw_discarded(running)
        outbox = attempt.outbox
        if outbox:
            if attempt.done:
                self._keep_final(running, outbox[-1])
            self.send_queue.put_all(outbox)
            outbox.clear()
        if attempt.done:
            self._drop(running)
            return
        tasks = attempt.tasks
        if tasks:
            if self._draining:
                running.giving_back = True
            if not running.giving_back:
                for task in tasks:
                    self._steps.start(running, task)
            tasks.clear()
        self._idle.remove(running)
        if attempt.compensations_waiting:
            self._steps.bound_discarded(running)
        if attempt.end_message is not None:
            self._end_soon(running)
            return
        if attempt.pausing and running.steps and self._steps.withdraw_all(running):
            running.giving_back = True
        if running.steps:
            return
        if running.giving_back:
            self._give_back_if_quiet(running)
        elif attempt.pausing and attempt.quiet:
            self._pause(running)
        elif attempt.waiting:
            self._idle.add(running)
            self._idle.make_room(len(self._attempts))

    def _warn_of_limit(self, running: RunningAttempt) -> None:
        """Logs, once for an attempt, that its journal is almost as long as it may be."""
        attempt = running.attempt
        if running.warned_of_limit or attempt.done:
            return
        for has, full, limit in (
            (attempt.journal_length, self._entries_full, "journal_entries"),
            (attempt.journal_bytes, self._bytes_full, "journal_bytes"),
        ):
            if 0 < full < has:
                running.warned_of_limit = True
                log_messages.journal_almost_full(running, has, limit, full * 100 // _FULL_PERCENT)

    def _withdraw_discarded(self, running: RunningAttempt) -> None:
        """Takes back the steps that the program has discarded before they began."""
        attempt = running.attempt
        for index in tuple(attempt.discarded):
            step = running.steps.get(index)
            if step is not None and self._steps.withdraw(running, step):
                attempt.on_withdrawn(index)

    def _step_ended(
        self, running: RunningAttempt, step: RunningStep, outcome: StepOutcome, elapsed: float
    ) -> None:
        """Gives an attempt the outcome of a step whose body took `elapsed` seconds."""
        index = step.task.index
        value, error = outcome.value, outcome.error
        self.counters.steps_run += 1
        limit = self._environment.payload_bytes_max
        if value is not None and len(value.data) > limit:
            what = f"the value of step {index} of {running.invocation_id}"
            error = too_large(what, len(value.data), limit)
            value = None
        if error is not None:
            self.counters.steps_failed += 1
        running.end_step(step, error)
        self.counters.step_seconds += elapsed
        self._input(running, running.attempt.on_step, index, value, error, elapsed)

    def _blocked(self, seconds: float, place: str) -> None:
        """Logs the code that blocks the event loop now. The loop monitor's thread calls this."""
        entered = self._entered
        if entered is not None:
            log_messages.workflow_blocks_loop(entered, seconds, place)
            return
        task = asyncio.current_task(self._loop)
        found = None if task is None else self._steps.find(task)
        if found is not None:
            running, step = found
            log_messages.step_blocks_loop(running, step.task.index, seconds, place)
            return
        log_messages.loop_blocked(seconds, place)

    # The ends of attempts

    def _end_soon(self, running: RunningAttempt) -> None:
        """Ends an attempt that has failed, when none of its steps runs or after a bound."""
        attempt = running.attempt
        for index in self._steps.withdraw_all(running):
            attempt.on_withdrawn(index)
        if not running.steps:
            attempt.end_now()
        if attempt.done:
            self._take(running)
        elif running.timer is None and not attempt.compensations_waiting:
            running.timer = self._loop.call_later(
                time_bounds.ENDING_SECONDS_MAX, self._input, running, attempt.end_now
            )

    def _pause(self, running: RunningAttempt) -> None:
        """Reports that an attempt has stopped because of a pause, and drops it."""
        self.counters.paused += 1
        message = worker_pb2.WorkerMessage(
            invocation_id=running.invocation_id, attempt=running.number
        )
        message.paused.SetInParent()
        self.send_queue.put(message)
        self._drop(running, "paused")

    def _keep_final(self, running: RunningAttempt, final: worker_pb2.WorkerMessage) -> None:
        """Counts and logs an attempt's final message, and keeps it to be sent again if necessary."""
        kind = final.WhichOneof("message")
        counters = self.counters
        if kind in ("finished", "continued"):
            counters.finished += 1
            log_messages.not_awaited(running)
        elif kind == "attempt_failed":
            counters.attempts_failed += 1
            failed = final.attempt_failed
            for failure in (failed.failure, *(it.failure for it in failed.other_steps)):
                log_messages.attempt_failed(running, "failed", failure)
        elif kind == "held":
            counters.held += 1
            log_messages.attempt_failed(running, "is held", final.held.failure)
            log_messages.not_awaited(running)
        if running.trace is not None:
            running.trace.end(final)
        self._resend_buffer.keep(self._loop.time(), [*running.attempt.unacknowledged(), final])

    def _fail_internally(self, running: RunningAttempt, error: Exception) -> None:
        """Ends an attempt in which the engine itself has failed; the server retries it later."""
        log_messages.engine_failed(running, error)
        message = worker_pb2.WorkerMessage(
            invocation_id=running.invocation_id, attempt=running.number
        )
        message.attempt_failed.failure.CopyFrom(internal_failure(error))
        self._keep_final(running, message)
        self.send_queue.put(message)
        self._drop(running)

    def _drop(self, running: RunningAttempt, outcome: str = "abandoned") -> None:
        """Drops an attempt and gives up its steps.

        `outcome` is for the trace, unless the attempt has reported its end.
        """
        if self._attempts.get(running.invocation_id) is running:
            del self._attempts[running.invocation_id]
        self._idle.remove(running)
        if not running.attempt.done:
            running.attempt.abandon()
        self._steps.abandon(running)
        if running.attempt.stubborn:
            log_messages.code_outlives_attempt(running)
        running.close(outcome)
        if not self._attempts:
            self._empty.set()

    # Attempts that are given back

    def _give_back(self, running: RunningAttempt) -> None:
        """Gives an attempt back if any of its steps has not begun; those that run end first."""
        if self._steps.withdraw_all(running):
            running.giving_back = True
        if running.giving_back:
            self._give_back_if_quiet(running)

    def _give_back_if_quiet(self, running: RunningAttempt) -> None:
        """Releases an attempt, or pauses it if that was requested, once none of its steps runs."""
        if running.steps:
            return
        if not running.attempt.pausing:
            self._release_later(running)
        elif running.attempt.acknowledged:
            self._pause(running)

    def _release_later(self, running: RunningAttempt) -> None:
        """Releases an attempt whose entries may still be on their way to the server.

        After a reconnect they are sent again together with the release.
        """
        unacknowledged = running.attempt.unacknowledged()
        self._drop(running, "released")
        released = self._release(running.invocation_id, running.number)
        self._resend_buffer.keep(self._loop.time(), [*unacknowledged, released])

    def _release(self, invocation_id: str, number: int) -> worker_pb2.WorkerMessage:
        """Gives an attempt back to the control plane, which starts the next one elsewhere."""
        self.counters.released += 1
        message = worker_pb2.WorkerMessage(invocation_id=invocation_id, attempt=number)
        message.released.SetInParent()
        self.send_queue.put(message)
        return message

    # Sessions

    def resume(self, since: float) -> list[worker_pb2.OwnedAttempt]:
        """Returns the attempts to list in a new session's Hello.

        These are the attempts that run here, and those whose final message will be sent again.
        `since` is the loop's time before which all that was sent has certainly arrived.
        """
        self._resend_buffer.drop_before(since)
        owned = {(it.invocation_id, it.number): None for it in self._resend_buffer}
        owned.update({(it.invocation_id, it.number): None for it in self._attempts.values()})
        return [worker_pb2.OwnedAttempt(invocation_id=it[0], attempt=it[1]) for it in owned]

    def session_opened(self) -> None:
        """Fills the send queue with all that the control plane may not have."""
        outbound = self.send_queue.messages
        outbound.clear()
        for final in self._resend_buffer:
            outbound += final.messages
        for running in self._attempts.values():
            outbound += running.attempt.unacknowledged()
            running.suspend_sent = -1
            if running.idle:
                self._idle.remove(running)
                self._idle.add(running)
        self._idle.make_room(len(self._attempts))

    # Drain and stop

    def drain(self) -> None:
        """Begins no more steps: suspends attempts that only wait, and gives back those that need one.

        Steps that run may end; those that wait for a thread do not begin.
        """
        self._draining = True
        self._idle.suspend_at_once()
        message = worker_pb2.WorkerMessage()
        message.draining.SetInParent()
        self.send_queue.put(message)
        for running in list(self._attempts.values()):
            self._give_back(running)
            if not running.giving_back and running.idle:
                self._idle.suspend(running)

    async def empty(self) -> None:
        """Returns when no attempt runs here any more."""
        await self._empty.wait()

    def release_all(self) -> None:
        """Gives all attempts back now, whatever runs for them."""
        for running in list(self._attempts.values()):
            self._drop(running, "released")
            self._release(running.invocation_id, running.number)

    def drop_all(self) -> None:
        """Drops all attempts and everything that waits to be sent; the server learns nothing."""
        for running in list(self._attempts.values()):
            self._drop(running)
        self.send_queue.messages.clear()

    async def close(self) -> None:
        """Stops everything that runs; the server learns nothing."""
        self.drop_all()
        await self._steps.close()
        self._monitor.close()
