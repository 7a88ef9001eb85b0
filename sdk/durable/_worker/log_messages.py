"""Log messages: what the worker logs about attempts and steps, because the client does not learn it.

These are attempts that failed and are retried or held, and mistakes that cause no error: code that
blocks the event loop, operations that were never awaited, code that does not end with its attempt. Each
is one line with the invocation's id, which the commands of the CLI take.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from durable_proto.v1 import payload_pb2, worker_pb2

from .._engine.failures import summary
from .running_attempt import RunningAttempt, RunningStep

BLOCKED_SECONDS: Final = 1.0
"""Workflow code that takes longer than this between two awaits is logged: everything else waits."""

_logger = logging.getLogger("durable.worker")


def attempt_failed(running: RunningAttempt, how: str, failure: payload_pb2.Failure) -> None:
    """Logs an attempt that failed and will be retried, or whose invocation is held."""
    _logger.warning(
        "%s [%s] attempt %d %s: %s",
        *(running.attempt.start.handler, running.invocation_id, running.number, how),
        summary(failure),
        extra=running.log_fields(),
    )


def journal_almost_full(running: RunningAttempt, has: int, limit: str, most: int) -> None:
    """Logs that a run has used most of a limit of its journal."""
    what = "operations" if limit == "journal_entries" else "bytes"
    _logger.warning(
        "%s [%s] has %d %s in the journal of its run, and is held beyond the limit %s (%d); a workflow"
        " that goes on for ever must call ctx.continue_as in time",
        *(running.attempt.start.handler, running.invocation_id, has, what, limit, most),
        extra=running.log_fields(),
    )


def blocked_loop(running: RunningAttempt, seconds: float) -> None:
    """Logs workflow code that has blocked the event loop for `seconds`, if that is long."""
    if seconds < BLOCKED_SECONDS:
        return
    _logger.warning(
        "%s [%s] held up the whole worker for %.1f s between two awaits; put what blocks into ctx.run",
        *(running.attempt.start.handler, running.invocation_id, seconds),
        extra=running.log_fields(),
    )


def workflow_blocks_loop(running: RunningAttempt, seconds: float, place: str) -> None:
    """Logs workflow code that blocks the event loop now."""
    _logger.warning(
        "%s [%s] has been holding up the whole worker for %.0f s, at %s; put what blocks into ctx.run",
        *(running.attempt.start.handler, running.invocation_id, seconds, place),
        extra=running.log_fields(),
    )


def step_blocks_loop(running: RunningAttempt, index: int, seconds: float, place: str) -> None:
    """Logs an async step that blocks the event loop now."""
    attempt = running.attempt
    _logger.warning(
        "step %d (%s) of %s [%s] has been holding up the whole worker for %.0f s, at %s; an async step"
        " must not block: make it a plain `def`, which runs in a thread",
        *(index, attempt.name_of(index), attempt.start.handler, running.invocation_id),
        *(seconds, place),
        extra=running.log_fields(),
    )


def loop_blocked(seconds: float, place: str) -> None:
    """Logs that code which belongs to no attempt blocks the event loop now."""
    _logger.warning(
        "the worker's event loop has been held up for %.0f s, at %s; nothing of the worker runs"
        " meanwhile",
        *(seconds, place),
    )


def not_awaited(running: RunningAttempt) -> None:
    """Logs what a workflow that has ended has forgotten to await."""
    for text in running.attempt.unawaited.texts:
        _logger.warning(
            "%s [%s] has ended, and %s",
            *(running.attempt.start.handler, running.invocation_id, text),
            extra=running.log_fields(),
        )


def code_outlives_attempt(running: RunningAttempt) -> None:
    """Logs coroutines that do not end with their attempt; they stay in memory and never run again."""
    for name in running.attempt.stubborn:
        _logger.warning(
            "%s [%s] attempt %d is over, and %s catches durable.AttemptEnded and goes on; let it pass:"
            " `except durable.AttemptEnded: raise`, or catch Exception instead of BaseException",
            *(running.attempt.start.handler, running.invocation_id, running.number, name),
            extra=running.log_fields(),
        )


def unknown_handler(message: worker_pb2.ServerMessage) -> None:
    """Logs a Start for a handler that this worker does not serve."""
    invocation_id, handler = message.invocation_id, message.start.handler
    _logger.error(
        "asked to run %r, which this worker does not serve; giving back %s",
        *(handler, invocation_id),
        extra={"invocation_id": invocation_id, "attempt": message.attempt, "handler": handler},
    )


def taken_away(running: RunningAttempt, reason: str) -> None:
    """Logs that the control plane has told the worker to abandon an attempt."""
    _logger.info("%s was taken away: %s", running.invocation_id, reason, extra=running.log_fields())


def engine_failed(running: RunningAttempt, error: Exception) -> None:
    """Logs a defect of the replay engine, with its traceback."""
    _logger.error(
        "%s: the engine failed",
        running.invocation_id,
        exc_info=error,
        extra=running.log_fields(),
    )


def thread_outlives_timeout(running: RunningAttempt, step: RunningStep, stuck: int) -> None:
    """Logs a sync step that has exceeded its timeout, while its thread goes on."""
    _logger.warning(
        "step %r of %s [%s] has not ended within %g s and is given up; its thread goes on until it"
        " returns, as %d threads do now",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        *(step.task.timeout, stuck),
        extra=running.log_fields(),
    )


def step_ignores_cancellation(running: RunningAttempt, step: RunningStep, seconds: float) -> None:
    """Logs an async step that has exceeded its timeout and does not end after its cancellation."""
    _logger.warning(
        "step %r of %s [%s] has not ended within %g s, nor within %g s after it was cancelled, and is"
        " given up; it goes on: let CancelledError pass",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        *(step.task.timeout, seconds),
        extra=running.log_fields(),
    )


def thread_outlives_attempt(running: RunningAttempt, step: RunningStep) -> None:
    """Logs a sync step that still runs although its attempt is over."""
    _logger.info(
        "the attempt of step %r of %s [%s] is over; its thread goes on until it returns",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        extra=running.log_fields(),
    )


def undone_while_it_runs(running: RunningAttempt, step: RunningStep) -> None:
    """Logs a step that the program has discarded and that still runs when compensations begin."""
    _logger.info(
        "step %r of %s [%s], which was given up, has not ended; it goes on while it is compensated",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        extra=running.log_fields(),
    )


def unused_step_ended(
    running: RunningAttempt, step: RunningStep, error: BaseException | None
) -> None:
    """Logs the end of an async step that was given up."""
    # A step that ends because of its cancellation does what it should, which is no news.
    level = logging.DEBUG if isinstance(error, asyncio.CancelledError) else logging.INFO
    _logger.log(
        level,
        "step %r of %s [%s], which was given up, has ended; nobody gets its result",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        extra=running.log_fields(),
    )


def step_outlives_worker(running: RunningAttempt, step: RunningStep) -> None:
    """Logs an async step that goes on after its cancellation while the worker ends."""
    _logger.warning(
        "step %r of %s [%s] was cancelled, has not ended, and goes on while the worker ends; let"
        " CancelledError pass",
        *(step.task.name, running.attempt.start.handler, running.invocation_id),
        extra=running.log_fields(),
    )
