"""`crash_everywhere`: runs a workflow with a crash at every boundary, and compares the outcomes.

First the workflow runs without a crash, and each record that it brings to the log is a boundary. It
runs so twice, because only a second run shows which values vary by themselves. A third run replays at
each await, because a workflow that cannot be replayed needs no crash to show it. Then, for each
boundary, the workflow runs again with the worker killed there, with the control plane killed there, and
with the control plane killed and its store lost, so that it reads everything from the log.

Each run must have the outcome, the state and the journals of the first, for the workflow and for all
invocations that it has started. And no step may run again whose outcome is in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from .._client.result import Result
from .._common.codecs.interface import Codec, check_codec
from .._definitions.workflow import Workflow
from .._worker.worker import workflows_by_name
from ._environment import milliseconds
from ._run import CrashAt, Drive, Outcome, Plan, Run, Victim
from ._snapshot import Snapshot, differences, varying

_SHOWN_MAX = 5
"""How many differences one message shows: the first ones usually explain the others."""


class Report(NamedTuple):
    """What `crash_everywhere` has done."""

    result: Result[Any]
    """How the workflow ended, in every run."""
    boundaries: list[str]
    """What happened in the run without a crash, in order. There was a crash after each of these."""
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
    codec: Codec | None = None,
) -> Report:
    """Runs a workflow again and again, with a crash at another boundary each time.

    Arguments: `workflow` and its `args`; `key` for a handler of an object. `others` are the workflows
    and object classes that it needs. `services` says where the gRPC services of durable calls are.
    `start` is what the virtual clock shows first; now by default. `drive(client, wait)` acts for the
    outside world: it is called once for each thing that an invocation waits for (see Wait), as soon as
    it does, and may resolve an awakeable, send a signal, cancel, or do nothing; time passes only when
    it has returned. `before` is called before each run, to reset what steps have changed in the test.
    `webhook_secrets` holds the secrets, by name, that senders of webhooks sign with. `codec` is that of
    the client and the workers.

    Steps really run, again in each run, and a step that is interrupted by a crash runs twice. What they
    return may vary; what the workflow does and how it ends may not.

    Raises AssertionError, which shows the boundary and the difference, when a run ends differently
    from the first; also when the workflow does not end, or varies without a crash. It can be awaited on
    any event loop; in a test that is not async, use `asyncio.run(crash_everywhere(...))`.
    """
    served = list(others)
    if workflow.name not in (workflows_by_name(served) if served else ()):
        served.append(workflow)
    plan = Plan(
        workflow,
        args,
        key,
        served,
        services,
        milliseconds(start),
        drive,
        webhook_secrets,
        check_codec(codec),
    )
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
    for boundary, event in enumerate(first.boundaries, start=1):
        for victim in Victim:
            where = (
                f"when {victim.value} is killed at boundary {boundary} of {len(first.boundaries)},"
                " right after: "
            )
            try:
                found = await run(crash=CrashAt(victim, boundary))
            except AssertionError as error:
                error.add_note(f"This was {where}{event}")
                raise
            if boundary <= len(found.boundaries):
                event = found.boundaries[boundary - 1]
            when = f"{workflow.name} comes to another end {where}{event}"
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
