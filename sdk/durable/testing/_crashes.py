"""`crash_everywhere`: a workflow that is crashed at every boundary must come to the same end.

Theory. First the workflow is run without a crash, and every record that this brings to the log is a
boundary. Twice, because only a second run shows which values vary by themselves; and once with each
await a replay, because a workflow that cannot be replayed needs no crash to show it. Then, for each
boundary, it is run again with the worker killed there, with the control plane killed there, and with
the control plane killed and its store lost, so that all it knows is read from the log.

Each run must come to what the first came to: outcome, state and journals, of the workflow and of all
that it has started; and no step whose outcome is in the log may run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from .._client.result import Result
from .._definitions.workflow import Workflow
from .._worker.worker import workflows_by_name
from ._environment import milliseconds
from ._run import CrashAt, Drive, Outcome, Plan, Run, Victim
from ._snapshot import Snapshot, differences, varying

_SHOWN_MAX = 5
"""Differences in one message: the first ones say it."""


class Report(NamedTuple):
    """What `crash_everywhere` has done."""

    result: Result[Any]
    """How the workflow ended, in every run."""
    boundaries: list[str]
    """What happened in the run without a crash, one thing after the other; crashes were after each."""
    runs: int
    """How often the workflow was run."""


async def crash_everywhere(
    workflow: Workflow[..., Any],
    *args: Any,
    key: str = "",
    others: Iterable[Workflow[..., Any] | type] = (),
    services: Mapping[str, str] | None = None,
    start: datetime | None = None,
    drive: Drive | None = None,
    before: Callable[[], object] | None = None,
    webhook_secrets: Mapping[str, str] | None = None,
) -> Report:
    """Runs a workflow again and again, with a crash at another boundary each time.

    Arguments: `workflow` and its `args`; `key` for a handler of an object. `others` are the workflows
    and object classes that it needs. `services` says where the gRPC services of durable calls are.
    `start` is what the virtual clock shows first; now by default. `drive(client, wait)` plays the
    outside: it is called as soon as an invocation waits for something, once for each (see Wait), and
    may resolve an awakeable, send a signal, cancel, or do nothing; time passes only when it has
    returned. `before` is called before each run, to put back what steps have changed in the test.
    `webhook_secrets` holds the secrets, by name, that senders of webhooks sign with.

    Steps really run, in each run anew, and one that was under way in a crash runs twice. What they
    return may vary; what the workflow does and how it ends may not.

    Raises AssertionError, which shows the boundary and the difference, when a run comes to another
    end than the first; also when the workflow does not end, or varies without a crash. To be awaited on
    any event loop; in a test that is not async, `asyncio.run(crash_everywhere(...))`.
    """
    served = list(others)
    if workflow.name not in (workflows_by_name(served) if served else ()):
        served.append(workflow)
    plan = Plan(workflow, args, key, served, services, milliseconds(start), drive, webhook_secrets)
    count = 0

    async def run(*, suspend: bool = False, crash: CrashAt | None = None) -> Outcome:
        nonlocal count
        count += 1
        if before is not None:
            before()
        return await Run(plan, suspend=suspend, crash=crash).outcome()

    first, second = await run(), await run()
    if first.result.status == "paused":
        raise AssertionError(
            f"{workflow.name} does not end: it is paused, because of {first.result.failure}"
        )
    ignored = varying(first.snapshot, second.snapshot)
    when = f"{workflow.name} varies without a crash, so nothing can be said about crashes"
    _compare(when, first.snapshot, second, ignored)
    when = f"{workflow.name} comes to another end when each await is a replay"
    _compare(when, first.snapshot, await run(suspend=True), ignored)
    for boundary, told in enumerate(first.boundaries, start=1):
        for victim in Victim:
            where = (
                f"when {victim.value} is killed at boundary {boundary} of {len(first.boundaries)},"
                " right after: "
            )
            try:
                found = await run(crash=CrashAt(victim, boundary))
            except AssertionError as error:
                error.add_note(f"This was {where}{told}")
                raise
            told = found.boundaries[boundary - 1] if boundary <= len(found.boundaries) else told
            when = f"{workflow.name} comes to another end {where}{told}"
            _compare(when, first.snapshot, found, ignored)
    return Report(first.result, first.boundaries, count)


def _compare(when: str, expected: Snapshot, found: Outcome, ignored: set[str]) -> None:
    problems = found.repeated + differences(expected, found.snapshot, ignored)
    if problems:
        more = len(problems) - _SHOWN_MAX
        shown = [f"  {it}" for it in problems[:_SHOWN_MAX]]
        if more > 0:
            shown.append(f"  and {more} more")
        raise AssertionError("\n".join([when, *shown]))
