"""crash_everywhere: every primitive survives a crash at every boundary; wrong workflows do not."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

import durable
from durable.testing import Report, Wait, crash_everywhere
from durable.testing._run import StepOutcomes
from examples.clients import workflows as clients
from tests.conformance import primitives
from tests.conformance.effects import calls, effect

attempts: Counter[str] = Counter()
effects: Counter[str] = Counter()
turns = itertools.count()


async def answer(client: durable.AsyncClient, wait: Wait) -> None:
    """Plays the outside: resolves every awakeable and sends every signal."""
    if wait.kind == "awakeable":
        await client.resolve_awakeable(wait.name, {"by": "Ada"})
    elif wait.kind == "signal":
        await client.signal(wait.invocation_id, wait.name, "a thing")


async def mediate(client: durable.AsyncClient, wait: Wait) -> None:
    """Starts another workflow, which completes the first wait."""
    if wait.name.endswith(".paid"):
        await client.invoke_async(primitives.mediator, wait.invocation_id)


async def cancel(client: durable.AsyncClient, wait: Wait) -> None:
    """Cancels the outermost workflow when it sleeps, or waits for a child that sleeps."""
    if wait.handler in ("parent", "saga") or (wait.handler, wait.kind) == ("forever", "sleep"):
        found = await client.get(wait.invocation_id)
        if not found.parent_invocation_id:
            await client.cancel(wait.invocation_id, reason="enough")


@durable.workflow
async def race(ctx: durable.Context) -> str:
    """Waits for an answer, a child and a timer; returns which came first."""
    names = {
        asyncio.ensure_future(ctx.awakeable()): "answer",
        asyncio.ensure_future(ctx.invoke(primitives.forever)): "child",
        asyncio.ensure_future(asyncio.sleep(60)): "timer",
    }
    done, others = await asyncio.wait(names, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    await ctx.run("note", lambda: None)
    return " and ".join(sorted(names[it] for it in done))


@durable.workflow
async def patched(ctx: durable.Context) -> list[Any]:
    """Asks about a patch beside a step that is in flight, and again in a compensation."""

    async def undo(ctx: durable.Context) -> None:
        found.append(ctx.patched("undo"))
        await ctx.run("undo", effect, "undo")

    async def ask() -> bool:
        await ctx.sleep(1)
        return ctx.patched("ask")

    found: list[Any] = list(await asyncio.gather(ctx.run("step", effect, "step"), ask()))
    ctx.deprecate_patch("ask")
    try:
        async with durable.saga(ctx) as saga:
            saga.undo(undo, ctx)
            await ctx.run("refused", refuse)
    except durable.StepFailedError:
        found.append(ctx.patched("ask"))
    return found


def refuse() -> None:
    """A step that fails for good."""
    raise durable.TerminalError("no")


@durable.workflow
async def many(ctx: durable.Context) -> list[Any]:
    """Runs everything at once, so that the order of completions differs from that of entries."""
    found = await asyncio.gather(
        ctx.run("one", effect, "one"),
        ctx.invoke(primitives.square, 7),
        ctx.options(key="many").invoke(primitives.Counter.add, 5),
        ctx.invoke(primitives.asks_what_fails),
    )
    await ctx.options(key="many").send_delayed(primitives.Counter.add, 1, 3600)
    return found


@durable.workflow
async def rounds(ctx: durable.Context, left: int, got: list[Any]) -> list[Any]:
    """Continues as new with a child, a promise and a signal open, of which it may have lost one."""
    ctx.set("rounds", await ctx.get("rounds", int, 0) + 1)
    got.append(await ctx.run("step", effect, f"step {left}"))
    child = ctx.options(key="rounds").invoke(primitives.Counter.add, 1)
    first, second = ctx.signal("thing"), ctx.signal("thing")
    await asyncio.wait({ctx.promise("answer"), child, first}, return_when=asyncio.FIRST_COMPLETED)
    got.append(await ctx.promise("answer"))
    if left:
        ctx.continue_as(left - 1, got)
    del second
    return [*got, await first, await ctx.get("rounds", int), await child]


async def answer_in_turn(client: durable.AsyncClient, wait: Wait) -> None:
    """Sends the signal first, then the answer."""
    if wait.kind == "signal":
        await client.signal(wait.invocation_id, wait.name, "a thing")
    elif wait.kind == "awakeable":
        await client.resolve_awakeable(wait.name, "yes")


@durable.workflow
async def quoted(ctx: durable.Context) -> list[Any]:
    """Has entries of most kinds before its second wait, and uses what they returned after it."""
    luck = ctx.random.randrange(1_000_000)
    price = await ctx.run("price", lambda: 7)
    ctx.set("price", price)
    square = await ctx.invoke(primitives.square, price)
    await ctx.sleep(1)
    thing = await ctx.signal("go")
    asked = await ctx.promise("asked")
    answer = await ctx.awakeable()
    same = asked == await ctx.promise("asked")
    told = await ctx.run("tell", effect, f"{price} {square} {same} {thing} {luck}")
    return [told, answer, ctx.patched("same"), await ctx.get("price")]


async def fork_and_answer(client: durable.AsyncClient, wait: Wait) -> None:
    """Forks the first invocation at its second wait, with another price and another signal."""
    found = await client.get(wait.invocation_id)
    if wait.name.endswith("-6") and not found.source_invocation_id:
        await client.restart(
            wait.invocation_id,
            from_index=len(found.journal),
            outcomes={0: 9, 4: "another thing"},
            while_running=True,
        )
    if wait.name.endswith(".asked") and found.source_invocation_id:
        await client.resolve_awakeable(wait.name, "the copied promise was asked for again")
    await answer(client, wait)


@dataclass
class Positive:
    """Refuses values that its schema allows."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("negative")


@durable.workflow
async def asks_until_it_can_read(ctx: durable.Context) -> list[Any]:
    """Gets an awakeable's outcome and a signal that it cannot decode, and waits for the next."""
    problems: list[str] = []

    async def readable(ask: Callable[[], Awaitable[Positive]]) -> int:
        while True:
            try:
                return (await ask()).number
            except durable.CodecError as error:
                problems.append(str(error))
                await ctx.run("note", effect, str(error))

    promised = await readable(lambda: ctx.promise("p", type=Positive))
    again = await readable(lambda: ctx.promise("p", type=Positive))
    sent = await readable(lambda: ctx.signal("s", type=Positive))
    return [promised, again, sent, len(problems)]


async def answer_badly_first(client: durable.AsyncClient, wait: Wait) -> None:
    """Sends two values that cannot be decoded, and then one that can."""
    found = await client.get(wait.invocation_id)
    asked = [it for it in found.journal if it.kind == wait.kind.upper()]
    number = -1 if len(asked) < 3 else 7
    if wait.kind == "awakeable":
        await client.resolve_awakeable(wait.name, {"number": number})
    else:
        await client.signal(wait.invocation_id, wait.name, {"number": number})


@durable.workflow
async def long_ago(ctx: durable.Context) -> str:
    """Ends, and is removed, long before the invocation that it has started begins."""
    ctx.set("asked", True)
    await ctx.options(key="late").send_delayed(primitives.Counter.add, 1, 30 * 24 * 3600)
    return "asked"


FLOWS: list[Any] = [
    (primitives.stateful, (5,), {}, [7, ["m", "n"], "none"]),
    (primitives.approved, (), {"drive": answer}, "got {'by': 'Ada'}"),
    (primitives.named, (), {"drive": answer}, [{"by": "Ada"}, "a thing", "a thing"]),
    (primitives.named, (), {"drive": mediate}, [7, "a", "b"]),
    (primitives.in_time, (), {}, "late"),
    (primitives.in_time, (), {"drive": answer}, "{'by': 'Ada'}"),
    (primitives.fan_out, (3,), {}, 5),
    (primitives.fails, (), {}, "failed"),
    (primitives.asks_what_fails, (), {}, "409 not possible"),
    (primitives.forever, (), {"drive": cancel}, "cancelled"),
    (primitives.parent, (), {"drive": cancel}, "cancelled"),
    (primitives.impatient, (), {}, "gave up"),
    (primitives.saga, ("fast",), {}, "failed"),
    (primitives.saga, ("slow",), {"drive": cancel}, "cancelled"),
    (primitives.sends, ("k",), {}, None),
    (primitives.timed, (), {}, "failed"),
    (primitives.stubborn, (), {}, "ValueError: no"),
    (primitives.patient_for_a_while, (), {}, "ValueError: still not"),
    (primitives.slow_step, (), {}, "TimeoutError"),
    (primitives.Doubled.double, (), {"key": "a"}, 0),
    (primitives.Counter.add, (3,), {"key": "a"}, 3),
    (primitives.Counter.value, (), {"key": "a"}, 0),
    (race, (), {}, "timer"),
    (race, (), {"drive": answer}, "answer"),
    (many, (), {}, ["one", 49, 5, "409 not possible"]),
    (patched, (), {}, ["step", True, True, True]),
    (
        rounds,
        (1, []),
        {"drive": answer_in_turn},
        ["step 1", "yes", "step 0", "yes", "a thing", 2, 2],
    ),
    (long_ago, (), {}, "asked"),
    (asks_until_it_can_read, (), {"drive": answer_badly_first}, [7, 7, 7, 4]),
    (clients.greet, (clients.Greet("you"),), {}, clients.Greeting("Hello, you!", 3)),
    (clients.order, (clients.Order("tea"),), {"drive": answer}, clients.Ordered("tea", "Ada")),
]
"""Workflows, their arguments and options, and their value, or their status if they have none."""
OTHERS = [
    *(
        primitives.square,
        primitives.fails,
        primitives.asks_what_fails,
        primitives.forever,
        primitives.mediator,
    ),
    primitives.Counter,
]


@pytest.mark.parametrize(
    ("workflow", "args", "options", "expected"),
    FLOWS,
    ids=[f"{it.name}-{number}" for number, (it, *_) in enumerate(FLOWS)],
)
async def test_the_same_end_wherever_it_crashes(
    workflow: Any, args: tuple[Any, ...], options: dict[str, Any], expected: Any
) -> None:
    report = await crash_everywhere(workflow, *args, others=OTHERS, before=calls.clear, **options)
    result = report.result
    if result.status == "completed":
        assert expected in (None, result.value())
    else:
        assert result.status == expected
    assert report.runs == 3 + 3 * len(report.boundaries)
    assert report.boundaries[0].startswith(f"{workflow.name}#1 is asked for")


async def test_a_fork_comes_to_the_same_end_wherever_it_crashes() -> None:
    calls.clear()
    report = await crash_everywhere(quoted, drive=fork_and_answer, others=OTHERS)
    assert "quoted#2 is forked from quoted#1 before entry 7" in report.boundaries
    # The copied steps and children do not run again, and the random numbers are those of the source.
    told = {tuple(it.split()) for it in calls}
    assert {it[:3] for it in told} == {("7", "49", "True"), ("9", "49", "True")}
    assert {it[3:-1] for it in told} == {("a", "thing"), ("another", "thing")}
    assert len({it[-1] for it in told}) == 1
    assert report.result.value()[1:] == [{"by": "Ada"}, True, 7]


# What crash_everywhere does


@durable.workflow
async def counted(ctx: durable.Context) -> str:
    attempts[ctx.handler] += 1
    first = await ctx.run("first", lambda: effects.update(["first"]) or str(uuid.uuid4()))
    await ctx.sleep(1)
    await ctx.run("second", lambda: effects.update(["second"]))
    return first[:0]


async def test_crashes_happen_and_steps_are_not_repeated() -> None:
    attempts.clear()
    effects.clear()
    report = await crash_everywhere(counted)
    assert report.boundaries == [
        "counted#1 is asked for and attempt 1 of counted#1 begins",
        "entry 0 of counted#1: RUN 'first'",
        "entry 1 of counted#1: SLEEP",
        "the timer of entry 1 of counted#1 is due",
        "entry 2 of counted#1: RUN 'second'",
        "counted#1 ends",
    ]
    # The worker is killed at each boundary but the last, after which nothing is left to do.
    assert attempts["counted"] >= report.runs + len(report.boundaries) - 1
    # Each boundary is right after a step's outcome, so none is lost.
    assert effects == {"first": report.runs, "second": report.runs}


def test_steps_that_run_again_are_seen() -> None:
    steps = StepOutcomes()
    entry = {"invocation_id": "i", "entry_index": 0, "kind": 1, "name": "first"}
    for attempt in (1, 1, 2):
        started = ("Started", {"invocation_id": "i", "attempt": attempt})
        steps.note([started, ("EntryRecorded", {**entry, "attempt": attempt})])
    assert steps.repeated == ["i: entry 0 ('first') ran in attempt 1 and again in attempt 2"]


def test_steps_that_a_fork_runs_again_are_seen() -> None:
    steps = StepOutcomes()
    entry = {"attempt": 1, "kind": 1, "name": "first"}
    copied = {"invocation_id": "j", "source_id": "i", "from_index": 1}
    for kind, fields in (
        ("Started", {"invocation_id": "i", "attempt": 1}),
        ("EntryRecorded", {**entry, "invocation_id": "i", "entry_index": 0}),
        ("EntryRecorded", {**entry, "invocation_id": "i", "entry_index": 1}),
        ("Restarted", copied),
        ("Started", {"invocation_id": "j", "attempt": 1}),
        ("EntryRecorded", {**entry, "invocation_id": "j", "entry_index": 0}),
        ("EntryRecorded", {**entry, "invocation_id": "j", "entry_index": 1}),
    ):
        steps.note([(kind, fields)])
    assert steps.repeated == ["j: entry 0 ('first') was copied, and ran again in attempt 1"]


async def test_a_worker_that_is_refused_ends_it() -> None:
    @durable.workflow(version="v" * 300)
    async def verbose(ctx: durable.Context) -> None: ...

    with pytest.raises(durable.InvalidArgumentError, match=r"handlers\.version"):
        await crash_everywhere(verbose)


def test_without_asyncio() -> None:
    assert isinstance(asyncio.run(crash_everywhere(counted)), Report)


# Workflows with defects


@durable.workflow
async def flips(ctx: durable.Context) -> str:
    """Its first step depends on a value that is not in the journal."""
    name = "heads" if next(turns) % 2 else "tails"
    await ctx.run(name, lambda: None)
    await ctx.sleep(1)
    return "done"


@durable.workflow
async def forgets(ctx: durable.Context) -> int:
    """Counts in a variable instead of the journal."""
    attempts[ctx.handler] += 1
    count = attempts[ctx.handler]
    await ctx.sleep(1)
    return count


def restore() -> None:
    global turns
    turns = itertools.count()
    attempts.clear()


async def test_a_step_that_depends_on_chance_is_shown() -> None:
    with pytest.raises(AssertionError) as caught:
        await crash_everywhere(flips, before=restore)
    text = str(caught.value)
    assert "flips comes to another end when each await is a replay" in text
    assert "flips#1: end\n    expected completed\n    got      paused because of durable." in text
    assert "the journal has RUN 'tails'" in text
    assert "the program has RUN 'heads'" in text


async def test_a_result_that_depends_on_attempts_is_shown() -> None:
    with pytest.raises(AssertionError, match=r"forgets#1: value\n +expected 1\n +got +2"):
        await crash_everywhere(forgets, before=restore)


async def test_a_workflow_that_varies_by_itself_is_not_blamed_on_crashes() -> None:
    with pytest.raises(AssertionError, match="flips varies without a crash"):
        await crash_everywhere(flips)


async def test_a_workflow_that_waits_for_ever_is_reported_with_its_waits() -> None:
    with pytest.raises(AssertionError, match=r"named#1 waits for awakeable 'named#1\.paid'"):
        await crash_everywhere(primitives.named)


@durable.workflow(retry=durable.RetryPolicy(max_attempts=1, on_exhausted="pause"))
async def stops(ctx: durable.Context) -> None:
    raise ValueError("no more")


@durable.workflow
async def waits_for_one_that_stops(ctx: durable.Context) -> None:
    await ctx.invoke(stops)


async def test_a_workflow_that_waits_for_a_paused_one_is_reported_with_the_reason() -> None:
    with pytest.raises(
        AssertionError, match=r"any more:\n  stops#1 is paused: ValueError: no more .*test_crashes"
    ):
        await crash_everywhere(waits_for_one_that_stops, others=[stops])


seats: set[str] = set()


def declines() -> None:
    """A step that always fails."""
    raise ConnectionError("down")


@durable.workflow(retry=durable.RetryPolicy(max_attempts=3))
async def books(ctx: durable.Context) -> str:
    """Reserves two seats, and releases them when all tries to pay are used up."""
    try:
        async with durable.saga(ctx) as saga:
            for seat in ("A1", "A2"):
                saga.undo(seats.discard, seat)
                await ctx.run("reserve", seats.add, seat)
            await ctx.run("pay", declines)
    except durable.StepFailedError as error:
        return f"{error.type}; seats taken: {len(seats)}"
    return "paid"


async def test_what_was_done_is_undone_whenever_the_worker_crashes() -> None:
    report = await crash_everywhere(books, before=seats.clear)
    assert report.result.value() == "ConnectionError; seats taken: 0"


@durable.workflow
async def waits_once_crashed(ctx: durable.Context) -> None:
    attempts[ctx.handler] += 1
    if attempts[ctx.handler] > 4:  # the runs without a crash are over
        await ctx.signal("never")
    await ctx.run("step", lambda: None)
    await ctx.sleep(1)


async def test_a_workflow_that_does_not_end_after_a_crash_is_reported_with_that_crash() -> None:
    attempts.clear()
    with pytest.raises(AssertionError) as caught:
        await crash_everywhere(waits_once_crashed)
    assert "waits_once_crashed#1 waits for signal 'never'" in str(caught.value)
    (note,) = caught.value.__notes__
    assert "when the worker is killed at boundary 1 of 5, right after: waits_once_crashed#1" in note


@durable.workflow(retry=durable.RetryPolicy(max_attempts=None))
async def fails_for_ever(ctx: durable.Context) -> None:
    raise ValueError("again")


async def test_a_workflow_that_is_tried_for_ever_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("durable.testing._run.BATCHES_MAX", 50)
    with pytest.raises(AssertionError, match=r"within 50 records .* was ValueError: again"):
        await crash_everywhere(fails_for_ever)
