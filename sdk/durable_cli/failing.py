"""Steps that have failed so far and are tried again: as lines, and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import output
from .journal import tries

if TYPE_CHECKING:
    import durable
    from durable_proto.v1 import invocation_pb2


def failing_data(found: durable.Invocation) -> list[dict[str, Any]]:
    """Returns the failing steps of an invocation for JSON, with the names of journal entries."""
    from durable._plain import failure_data, moment, time_text

    return [
        {
            "step_number": it.index,
            "kind": _kind(it),
            "name": it.name,
            "failed_try_count": it.failed_try_count,
            "first_failure_time": time_text(moment(it, "first_failure_time")),
            "last_failure_time": time_text(moment(it, "last_failure_time")),
            "last_failure": failure_data(it.last_failure) if it.HasField("last_failure") else None,
        }
        for it in found.message.failing_steps
    ]


def failing_lines(found: durable.Invocation) -> Iterator[str]:
    """Yields two lines a step: how often it has failed and when it is tried again, and with what."""
    from durable._plain import moment

    for it in found.message.failing_steps:
        name = it.name if _kind(it) == "CALL" else f"{_kind(it)}:{it.name}"
        words = [f"{it.index:>3} {output.clean(name)}", f"{tries(it.failed_try_count)} failed"]
        first, last = moment(it, "first_failure_time"), moment(it, "last_failure_time")
        if first is not None:
            words.append(output.faint(f"first {output.moment(first)}"))
        if last is not None and last != first:
            words.append(output.faint(f"last {output.moment(last)}"))
        if found.status == "backing_off" and found.wake_time is not None:
            words.append(f"next {output.moment(found.wake_time)}")
        yield "  ".join(words)
        if it.HasField("last_failure"):
            failure = it.last_failure
            text = output.clean(f"{failure.type}: {failure.message}")
            yield output.shorten(f"    {text}", output.width())


def _kind(step: invocation_pb2.FailingStep) -> str:
    from durable_proto.v1 import invocation_pb2

    return invocation_pb2.EntryKind.Name(step.kind).removeprefix("ENTRY_KIND_")
