"""The attempts of an invocation as a table: where each one ran, how long, and why it ended.

An invocation that waits often has many attempts that say little, so only the last ones are rows.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from . import output
from .times import length_text

if TYPE_CHECKING:
    import durable

_ROWS: Final = 10
"""How many attempts are shown; those before are counted."""


def is_worth_showing(found: durable.Invocation) -> bool:
    """Returns whether the attempts say more than the invocation itself."""
    attempts = found.attempts
    return len(attempts) > 1 or any(not found.finished and it.end for it in attempts)


def write_attempts(found: durable.Invocation) -> None:
    """Writes the last attempts, oldest first, below a line about the earlier ones."""
    attempts = found.attempts
    shown, folded = attempts[-_ROWS:], attempts[:-_ROWS]
    earlier = shown[0].attempt - 1
    if earlier:
        counts = Counter(it.end for it in folded).most_common()
        gone = earlier - len(folded)
        words = [f"{count} {end}" for end, count in counts]
        words += [f"{gone} not kept any more"] if gone else []
        output.echo(output.faint(f"{earlier} earlier: {', '.join(words)}"))
    runs = any(it.run > 1 for it in shown)
    builds = any(it.build_id for it in shown)
    names = [
        *("ATTEMPT", "ENDED", "BEGAN", "TOOK"),
        *(["RUN"] if runs else []),
        *(["BUILD"] if builds else []),
        *("WORKER", "FAILURE"),
    ]
    output.table(names, [_row(it, runs=runs, builds=builds) for it in shown])


def _row(it: durable.InvocationAttempt, *, runs: bool, builds: bool) -> list[str]:
    failure = it.failure
    took = ""
    if it.start_time is not None and it.end_time is not None:
        took = length_text(it.end_time - it.start_time)
    return [
        str(it.attempt),
        it.end or "running",
        output.moment(it.start_time),
        took,
        *([str(it.run)] if runs else []),
        *([it.build_id] if builds else []),
        it.worker_id,
        "" if failure is None else f"{failure.type}: {failure.message}",
    ]
