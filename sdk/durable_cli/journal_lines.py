"""Lines of text for people: a journal entry, a failing step, the end of an invocation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from . import output
from .times import length_text, relative

if TYPE_CHECKING:
    import durable
    from durable_proto.v1 import payload_pb2

_SHORTEST_SHOWN: Final = timedelta(milliseconds=1)


def entry_text(entry: durable.JournalEntry, began: datetime | None) -> str:
    """Returns an entry: index, kind and name, start, duration, outcome.

    `began` is when the invocation first started; the start is relative to it.
    """
    words = [f"{entry.step_number:>3} {entry.step_type}"]
    if began is not None and entry.create_time is not None:
        words.append(output.faint(f"+{length_text(entry.create_time - began)}"))
    if entry.complete_time is not None and entry.create_time is not None:
        took = entry.complete_time - entry.create_time
        if took >= _SHORTEST_SHOWN:
            words.append(output.faint(f"took {length_text(took)}"))
    failed = entry.message.failed_try_count
    if failed:
        words.append(output.faint(f"after {tries(failed)} that failed"))
    words.append(_end(entry))
    if entry.target_invocation_id:
        words.append(output.faint(entry.target_invocation_id))
    if entry.build_id:
        words.append(output.faint(f"by build {entry.build_id}"))
    return "  ".join(word for word in words if word)


def tries(count: int) -> str:
    """Returns a number of tries in words."""
    return f"{count} {'try' if count == 1 else 'tries'}"


def ending_text(invocation_id: str, status: str, failure: payload_pb2.Failure | None) -> str:
    """Returns how an invocation ended, or that it is paused, and why."""
    verb = {"failed": "has", "cancelled": "was"}.get(status, "is")
    why = f": {failure.type}: {output.clean(failure.message)}" if failure is not None else ""
    return f"invocation {invocation_id} {verb} {status}{why}"


def failing_lines(found: durable.Invocation) -> Iterator[str]:
    """Yields two lines for each step under retry: how often it failed, and the failure."""
    for step in found.failing_steps:
        name = step.name if step.kind in ("CALL", "") else f"{step.kind}:{step.name}"
        words = [
            f"{step.step_number:>3} {output.clean(name)}",
            f"{tries(step.failed_try_count)} failed",
        ]
        first, last = step.first_failure_time, step.last_failure_time
        if first is not None:
            words.append(output.faint(f"first {output.moment(first)}"))
        if last is not None and last != first:
            words.append(output.faint(f"last {output.moment(last)}"))
        if found.status == "backing_off" and found.wake_time is not None:
            words.append(f"next {output.moment(found.wake_time)}")
        yield "  ".join(words)
        failure = step.last_failure
        if failure is not None:
            text = output.clean(f"{failure.type}: {failure.message}")
            yield output.shorten(f"    {text}", output.width())


def _end(entry: durable.JournalEntry) -> str:
    if not entry.completed:
        due = ""
        if entry.due_time is not None:
            due = f", due {relative(entry.due_time, datetime.now(UTC))}"
        return output.coloured("pending") + due
    outcome = entry.outcome
    if outcome is None:
        # A change of state: show the new value. For a removal and a patch there is nothing to show.
        given = output.clean(output.value_text(entry.to_dict()["argument"]))
        return output.shorten(given, 60) if entry.kind == "SET_STATE" else ""
    if outcome.HasField("failure"):
        failure = outcome.failure
        text = output.clean(f"{failure.type}: {failure.message}")
        return f"{output.coloured('failed')} {output.shorten(text, 60)}"
    value = output.clean(output.value_text(entry.to_dict()["value"]))
    return "" if value == "null" else output.shorten(value, 60)
