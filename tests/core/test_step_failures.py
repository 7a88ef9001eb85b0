"""The failures of steps: the counts are exact, and what is kept beside them is bounded."""

from __future__ import annotations

from durable_server.core.entry_kinds import EntryKind
from durable_server.core.model import Failure, Invocation, State
from durable_server.core.records import FailedStep
from durable_server.core.step_failures import (
    DESCRIBED_MAX,
    MESSAGE_CHARS,
    count_step_failure,
    failed_tries,
)


def _invocation() -> Invocation:
    return Invocation(
        id="aa", number=1, handler="w", key="", input=None, headers=(), service="",
        partition_key="", idempotency_key="", parent="", priority=0, created_ms=0, kind=1,
        state=State.RUNNING,
    )  # fmt: skip


def test_counts_are_exact_and_what_is_kept_beside_them_is_bounded() -> None:
    invocation = _invocation()
    steps = DESCRIBED_MAX + 10
    for number in range(3 * steps):
        index = number % steps
        failure = Failure("E", f"{index} {'x' * 5_000}", b"y" * 60_000)
        step = FailedStep(index, EntryKind.RUN, f"s{index}", failure)
        count_step_failure(invocation, step, 100 + number)
    kept = {it.entry_index: it for it in invocation.step_failures}
    assert {it.times for it in kept.values()} == {3}
    assert [kept[it].since_ms for it in range(steps)] == list(range(100, 100 + steps))
    described = [it for it in range(steps) if kept[it].failure is not None]
    assert described == list(range(10, steps))
    for index in described:
        it = kept[index]
        assert (it.name, it.kind) == (f"s{index}", EntryKind.RUN)
        assert it.failure is not None
        assert len(it.failure.data) < MESSAGE_CHARS + 100
        assert it.last_ms > it.since_ms
    assert (failed_tries(invocation, 3), failed_tries(invocation, 99)) == (3, 0)
