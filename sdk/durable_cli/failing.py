"""Steps that have failed so far and are tried again, as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import output
from .journal import tries

if TYPE_CHECKING:
    import durable


def failing_lines(found: durable.Invocation) -> Iterator[str]:
    """Yields two lines a step: how often it has failed and when it is tried again, and with what."""
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
