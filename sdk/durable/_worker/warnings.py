"""What a worker logs of workflows, because whoever asked for them is not told, or only in the end.

An attempt that failed and is tried again, one that is held, and mistakes that give no error: code
that blocks the worker, what nobody awaited, code that does not end with its attempt. Each is one line
with the invocation's id, as other commands want it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from durable_proto.v1 import payload_pb2, worker_pb2

from .._engine.failures import summary
from .slots import Slot, Step

HELD_UP_SECONDS: Final = 1.0
"""Code between two awaits that takes longer than this is worth a warning: all others wait for it."""

_logger = logging.getLogger("durable.worker")


def failed(slot: Slot, how: str, failure: payload_pb2.Failure) -> None:
    """Tells of an attempt that did not end well, and will be repeated or waits for a person."""
    _logger.warning(
        "%s [%s] attempt %d %s: %s",
        *(slot.attempt.start.handler, slot.invocation_id, slot.number, how, summary(failure)),
        extra=slot.names(),
    )


def held_up(slot: Slot, seconds: float) -> None:
    """Tells of a workflow whose own code took long, if it did."""
    if seconds < HELD_UP_SECONDS:
        return
    _logger.warning(
        "%s [%s] held up the whole worker for %.1f s between two awaits; put what blocks into ctx.run",
        *(slot.attempt.start.handler, slot.invocation_id, seconds),
        extra=slot.names(),
    )


def holds_up(slot: Slot, seconds: float, place: str) -> None:
    """Tells of a workflow whose own code blocks the worker, while it does."""
    _logger.warning(
        "%s [%s] has been holding up the whole worker for %.0f s, at %s; put what blocks into ctx.run",
        *(slot.attempt.start.handler, slot.invocation_id, seconds, place),
        extra=slot.names(),
    )


def step_holds_up(slot: Slot, index: int, seconds: float, place: str) -> None:
    """Tells of an async step that blocks the worker, while it does."""
    _logger.warning(
        "step %d (%s) of %s [%s] has been holding up the whole worker for %.0f s, at %s; an async step"
        " must not block: make it a plain `def`, which runs in a thread",
        *(index, slot.attempt.name_of(index), slot.attempt.start.handler, slot.invocation_id),
        *(seconds, place),
        extra=slot.names(),
    )


def loop_held_up(seconds: float, place: str) -> None:
    """Tells of other code that blocks the event loop of the worker, while it does."""
    _logger.warning(
        "the worker's event loop has been held up for %.0f s, at %s; nothing of the worker runs"
        " meanwhile",
        *(seconds, place),
    )


def forgotten(slot: Slot) -> None:
    """Tells of what a workflow that has ended has forgotten to wait for."""
    for text in slot.attempt.forgotten.texts:
        _logger.warning(
            "%s [%s] has ended, and %s",
            *(slot.attempt.start.handler, slot.invocation_id, text),
            extra=slot.names(),
        )


def stubborn(slot: Slot) -> None:
    """Tells of code that does not end with its attempt; it stays in memory, and does nothing there."""
    for name in slot.attempt.stubborn:
        _logger.warning(
            "%s [%s] attempt %d is over, and %s catches durable.AttemptEnded and goes on; let it pass:"
            " `except durable.AttemptEnded: raise`, or catch Exception instead of BaseException",
            *(slot.attempt.start.handler, slot.invocation_id, slot.number, name),
            extra=slot.names(),
        )


def unserved(message: worker_pb2.ServerMessage) -> None:
    """Tells of work that came here and belongs elsewhere."""
    invocation_id, handler = message.invocation_id, message.start.handler
    _logger.error(
        "asked to run %r, which this worker does not serve; giving back %s",
        *(handler, invocation_id),
        extra={"invocation_id": invocation_id, "attempt": message.attempt, "handler": handler},
    )


def taken_away(slot: Slot, reason: str) -> None:
    """Tells of an attempt that is not this worker's any more."""
    _logger.info("%s was taken away: %s", slot.invocation_id, reason, extra=slot.names())


def broken(slot: Slot, error: Exception) -> None:
    """Tells of a defect of the engine, with its traceback."""
    _logger.error("%s: the engine failed", slot.invocation_id, exc_info=error, extra=slot.names())


def goes_on(slot: Slot, step: Step, stuck: int) -> None:
    """Tells of a sync step whose time is up, and whose thread nothing can stop."""
    _logger.warning(
        "step %r of %s [%s] has not ended within %g s and is given up; its thread goes on until it"
        " returns, as %d threads do now",
        *(step.task.name, slot.attempt.start.handler, slot.invocation_id, step.task.timeout, stuck),
        extra=slot.names(),
    )


def not_cancelled(slot: Slot, step: Step, seconds: float) -> None:
    """Tells of an async step that does not end although it was cancelled."""
    _logger.warning(
        "step %r of %s [%s] has not ended within %g s, nor within %g s after it was cancelled, and is"
        " given up; it goes on: let CancelledError pass",
        *(
            step.task.name,
            slot.attempt.start.handler,
            slot.invocation_id,
            step.task.timeout,
            seconds,
        ),
        extra=slot.names(),
    )


def abandoned(slot: Slot, step: Step) -> None:
    """Tells of a sync step that runs although its attempt is over."""
    _logger.info(
        "the attempt of step %r of %s [%s] is over; its thread goes on until it returns",
        *(step.task.name, slot.attempt.start.handler, slot.invocation_id),
        extra=slot.names(),
    )


def ended_late(slot: Slot, step: Step, error: BaseException | None) -> None:
    """Tells of the end of an async step that nobody wanted any more."""
    # That it was cancelled and ended by it is as it should be.
    level = logging.DEBUG if isinstance(error, asyncio.CancelledError) else logging.INFO
    _logger.log(
        level,
        "step %r of %s [%s], which was given up, has ended; nobody gets its result",
        *(step.task.name, slot.attempt.start.handler, slot.invocation_id),
        extra=slot.names(),
    )


def does_not_end(slot: Slot, step: Step) -> None:
    """Tells of an async step that goes on while the worker ends."""
    _logger.warning(
        "step %r of %s [%s] was cancelled, has not ended, and goes on while the worker ends; let"
        " CancelledError pass",
        *(step.task.name, slot.attempt.start.handler, slot.invocation_id),
        extra=slot.names(),
    )
