"""The replay of one run: what it says about each way in which code may have changed."""

from __future__ import annotations

import gc
import linecache
import weakref
from typing import Any

import pytest

import durable
from durable._timetravel.replay import Replayed, replay
from durable._timetravel.watched import Watcher
from durable.testing import Environment

from . import after, before


def result(body: after.Body, run: durable.ExportedRun) -> Replayed:
    return replay(after.order_with(body), run)


def test_the_code_that_wrote_it_waits_for_the_timer(run: durable.ExportedRun) -> None:
    found = replay(before.order, run)
    assert found.verdict == "ok"
    assert found.waits_for == ("SLEEP #2",)
    assert found.text == "waits for SLEEP #2"
    assert found.place.startswith(before.__file__)
    assert not found.is_problem


def test_a_change_behind_the_journal_is_none(run: durable.ExportedRun) -> None:
    assert result(after.same, run).verdict == "ok"


def test_what_the_program_would_do_next_is_told_and_not_done(env: Environment) -> None:
    invocation_id = env.client.invoke_async(before.order, "tea", 3)
    env.settle()
    run = env.client.export(invocation_id)
    del run.message.start.journal[1:]
    found = replay(before.order, run)
    assert found.goes_on_with == ("SET_STATE 'charged' #1", "SLEEP #2")
    assert found.text == "would go on with SET_STATE 'charged' #1, SLEEP #2"
    del run.message.start.journal[:]
    called: list[int] = []

    async def charges(ctx: durable.Context) -> None:
        await ctx.run("charge", lambda: called.append(1))

    assert result(charges, run).goes_on_with == ("RUN 'charge' #0",)
    assert not called


@pytest.mark.parametrize(
    ("body", "index", "expected", "got"),
    [
        (after.renamed, 0, "RUN 'charge'", "RUN 'bill'"),
        (after.inserted, 1, "SET_STATE 'charged'", "RUN 'tax'"),
        (after.swallowed, 0, "RUN 'charge'", "RUN 'bill'"),
        (after.shortened, 1, "SET_STATE 'charged'", "ended before it"),
        (after.waits_elsewhere, 0, "RUN 'charge'", "not asked for it, and waits for nothing"),
        (after.in_a_group, 1, "SET_STATE 'charged'", "RUN 'tax'"),
        (after.raises, 1, "SET_STATE 'charged'", "raised LookupError before it"),
    ],
)
def test_a_journal_that_is_not_repeated_is_held(
    run: durable.ExportedRun, body: after.Body, index: int, expected: str, got: str
) -> None:
    found = result(body, run)
    assert (found.verdict, found.is_problem) == ("held", True)
    assert (found.entry_index, found.expected, found.got) == (index, expected, got)
    if "ended" in got:
        assert found.place == ""
    else:
        file, _, line = found.place.rpartition(":")
        code = linecache.getline(file, int(line))
        assert file == after.__file__
        assert "ctx.run" in code or "await" in code or "raise" in code
    if "raised" in got:
        assert found.text == "LookupError: no price for 3 tea"


def test_a_value_of_another_type_is_undecodable(run: durable.ExportedRun) -> None:
    found = result(after.retyped, run)
    assert (found.verdict, found.is_problem) == ("undecodable", True)
    assert (found.entry_index, found.expected) == (0, "RUN 'charge'")
    assert "expected int, got str" in found.text


def test_an_input_of_another_type_is_undecodable(run: durable.ExportedRun) -> None:
    @durable.workflow(name="order")
    async def order(ctx: durable.Context, item: int, count: int = 1) -> None: ...

    found = replay(order, run)
    assert (found.verdict, found.expected) == ("undecodable", "the input")
    assert "item" in found.text


def test_a_program_that_raises_fails(run: durable.ExportedRun) -> None:
    found = result(after.raises_at_the_end, run)
    assert (found.verdict, found.got, found.is_problem) == ("fails", "LookupError", True)
    assert found.text == "LookupError: no price"
    assert found.place.startswith(after.__file__)


def test_a_program_that_failed_before_is_no_problem_of_the_code(env: Environment) -> None:
    invocation_id = env.client.invoke_async(before.unlucky)
    env.settle()
    run = env.client.export(invocation_id)
    found = replay(before.unlucky, run)
    assert (found.verdict, found.as_before, found.is_problem) == ("fails", True, False)


def test_a_program_that_exits_fails(run: durable.ExportedRun) -> None:
    assert result(after.exits, run).verdict in ("held", "fails")


def test_one_that_has_ended_repeats_its_end(env: Environment) -> None:
    invocation_id = env.client.invoke_async(before.order, "tea", 3)
    env.advance(3601)
    run = env.client.export(invocation_id)
    assert run.finished
    found = replay(before.order, run)
    assert (found.verdict, found.text) == ("ends", "ends with the recorded value")
    assert found.as_before
    changed = result(after.same, run)
    assert changed.got == "RUN 'pack'"

    async def other(ctx: durable.Context) -> str:
        await before.order.function(ctx, "tea", 3)
        return "nothing"

    assert result(other, run).text == "ends with another value than was recorded"


def test_a_cancelled_one_ends_cancelled(env: Environment) -> None:
    invocation_id = env.client.invoke_async(before.order, "tea", 3)
    env.settle()
    env.client.cancel(invocation_id)
    env.settle()
    run = env.client.export(invocation_id)
    found = replay(before.order, run)
    assert (found.verdict, found.text, found.as_before) == ("ends", "ends cancelled", True)


def test_the_state_of_an_object_is_as_it_was(env: Environment) -> None:
    for _ in range(2):
        invocation_id = env.client.options(key="me").invoke_async("cart.add", "tea")
        env.settle()
        env.client.signal(invocation_id, "go")
        env.settle()
    run = env.client.export(invocation_id)
    assert replay(_handler("cart.add"), run).as_before
    assert run.message.invocation.outcome.value.data == b"2"


def test_attempt_time_and_chance_are_as_they_were(env: Environment) -> None:
    seen: list[Any] = []

    @durable.workflow
    async def notes(ctx: durable.Context) -> None:
        await ctx.sleep(60)
        seen.append((ctx.attempt, ctx.now(), ctx.random.random(), ctx.invocation_id))
        await ctx.signal("never")

    env.register(notes)
    invocation_id = env.client.invoke_async(notes)
    env.settle()
    env.advance(61)
    live = seen.pop()
    assert replay(notes, env.client.export(invocation_id)).verdict == "ok"
    assert seen == [live]


def test_a_watcher_hears_each_operation_with_its_line(run: durable.ExportedRun) -> None:
    lines: list[tuple[int, str, str, bool]] = []

    class Notes(Watcher):
        def reached(self, index: int, kind: int, name: str, place: str, entry: Any) -> None:
            lines.append((index, name, place.rpartition(":")[0], entry is not None))

    replay(before.order, run, Notes())
    file = before.__file__
    assert lines == [(0, "charge", file, True), (1, "charged", file, True), (2, "", file, True)]


def test_a_program_is_unwound_and_not_kept(run: durable.ExportedRun) -> None:
    class Kept:
        pass

    kept: list[weakref.ref[Kept]] = []
    ended: list[str] = []

    async def holds(ctx: durable.Context) -> None:
        local = Kept()
        kept.append(weakref.ref(local))
        try:
            await after.same(ctx)
        finally:
            ended.append("unwound")

    assert result(holds, run).verdict == "ok"
    assert ended == ["unwound"]
    gc.collect()
    assert kept[0]() is None


def _handler(name: str) -> durable.Workflow[..., Any]:
    from durable._worker.worker import workflows_by_name

    return workflows_by_name([before.Cart])[name]
