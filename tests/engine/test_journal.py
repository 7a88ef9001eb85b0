"""The engine against its protocol: determinism, order of delivery, endings, messages sent again."""

from __future__ import annotations

import asyncio
import itertools
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

import durable
from durable import Context
from durable._definitions.workflow import Workflow
from durable._engine.attempt import Attempt
from durable._engine.steps import Environment
from durable_proto.v1 import payload_pb2, worker_pb2

from .harness import (
    INVOCATION_ID,
    Recorded,
    World,
    attempt_of,
    ended,
    execute,
    last_message,
    no_channel,
    start_message,
)


def noted(*parts: str) -> str:
    """A step."""
    return "-".join(parts)


async def original(ctx: Context) -> str:
    a = await ctx.run("reserve", noted, "a")
    await ctx.sleep(5)
    b = await ctx.run("charge", noted, a, "b")
    return b


async def renamed(ctx: Context) -> str:
    a = await ctx.run("reserve", noted, "a")
    await ctx.sleep(5)
    return await ctx.run("charge card", noted, a, "b")


async def removed(ctx: Context) -> str:
    a = await ctx.run("reserve", noted, "a")
    await ctx.sleep(5)
    return a


async def removed_in_the_middle(ctx: Context) -> str:
    a = await ctx.run("reserve", noted, "a")
    return await ctx.run("charge", noted, a, "b")


async def added_before(ctx: Context) -> str:
    await ctx.run("check", noted)
    return await original(ctx)


async def other_kind(ctx: Context) -> str:
    a = await ctx.run("reserve", noted, "a")
    await ctx.run("", noted)
    return await ctx.run("charge", noted, a, "b")


async def other_order(ctx: Context) -> str:
    later = ctx.sleep(5)
    a = await ctx.run("reserve", noted, "a")
    await later
    return await ctx.run("charge", noted, a, "b")


async def not_reached(ctx: Context) -> str:
    await ctx.run("reserve", noted, "a")
    await asyncio.Event().wait()
    return ""


async def catches_everything(ctx: Context) -> str:
    try:
        await ctx.run("another", noted)
    except BaseException:  # noqa: BLE001 - what this test is about
        for name in ("reserve", "more"):
            try:
                await ctx.run(name, noted)
            except BaseException:  # noqa: BLE001 - and again
                continue
    return "swallowed"


CHANGED: list[tuple[Any, int, str, str]] = [
    (renamed, 2, "RUN 'charge'", "RUN 'charge card'"),
    (removed, 2, "RUN 'charge'", "ended before it"),
    (removed_in_the_middle, 1, "SLEEP", "RUN 'charge'"),
    (added_before, 0, "RUN 'reserve'", "RUN 'check'"),
    (other_kind, 1, "SLEEP", "RUN"),
    (other_order, 0, "RUN 'reserve'", "SLEEP"),
    (not_reached, 1, "SLEEP", "not asked for it"),
    (catches_everything, 0, "RUN 'reserve'", "RUN 'another'"),
]


@pytest.mark.parametrize(("program", "index", "expected", "got"), CHANGED)
def test_changed_code_is_held_with_an_error_that_names_both_sides(
    program: Any, index: int, expected: str, got: str
) -> None:
    world = World(Workflow(original))
    world.run()
    changed = Workflow(program, name="original", version="v2")
    start = start_message(changed, (), world.history, version="v1")
    attempt = Attempt(changed, INVOCATION_ID, 2, start, Environment(channel=no_channel))
    attempt.begin()
    message = last_message(attempt)
    assert len(attempt.outbox) == 1
    assert not attempt.tasks
    assert message.WhichOneof("message") == "held"
    failure = message.held.failure
    assert failure.type == "durable.DeterminismError"
    assert f"operation {index} of original" in failure.message
    assert expected in failure.message
    assert got in failure.message
    assert "version v1" in failure.message
    assert "version v2" in failure.message
    if got.startswith(("RUN", "SLEEP")):
        lines = range(program.__code__.co_firstlineno, program.__code__.co_firstlineno + 12)
        places = [f"{__file__}:{line}" for line in lines]
        assert any(place in failure.message for place in places)


def test_code_that_changed_only_beyond_the_journal_goes_on() -> None:
    world = World(Workflow(original))
    world.run()
    changed = Workflow(renamed, name="original")
    for boundary in range(len(world.history)):
        other = World(changed, history=world.history[:boundary])
        assert other.run().get() == "a-b"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_acks_that_arrive_early_wait_for_their_turn(order: tuple[int, ...]) -> None:
    seen: list[str] = []

    @durable.workflow
    async def program(ctx: Context) -> None:
        async def branch(name: str) -> None:
            await ctx.run(name, noted, name)
            seen.append(name)

        await asyncio.gather(*[branch(name) for name in "abc"])

    attempt = attempt_of(program)
    numbers = {0: 2, 1: 3, 2: 1}
    for task in attempt.tasks:
        attempt.on_step(task.index, *execute(task), 0.0)
    for position, index in enumerate(order):
        assert not attempt.done
        ack = worker_pb2.Ack(index=index, completion_number=numbers[index])
        attempt.on_ack(ack)
        attempt.on_ack(ack)  # said twice after a reconnect
        arrived = {numbers[it] for it in order[: position + 1]}
        expected = next(it for it in range(4) if it + 1 not in arrived)
        assert attempt.last_completion == expected
    assert seen == ["c", "a", "b"]
    assert attempt.done


def test_an_outcome_is_seen_only_after_its_ack() -> None:
    @durable.workflow
    async def program(ctx: Context) -> str:
        return await ctx.run("x", noted, "x")

    attempt = attempt_of(program)
    (task,) = attempt.tasks
    assert not attempt.waiting
    attempt.tasks.clear()
    attempt.on_step(0, *execute(task), 0.0)
    assert [it.entry.name for it in attempt.unacknowledged()] == ["x"]
    assert attempt.unacknowledged() == attempt.outbox
    attempt.outbox.clear()
    assert not attempt.done
    assert not attempt.waiting
    attempt.on_ack(worker_pb2.Ack(index=0, completion_number=1))
    assert not attempt.unacknowledged()
    assert ended(last_message(attempt).finished).get() == "x"


def test_a_steps_duration_is_recorded_and_does_not_move_the_clock() -> None:
    @durable.workflow
    async def program(ctx: Context) -> str:
        await ctx.run("x", noted, "x")
        return str(ctx.now())

    def acknowledged(attempt: Attempt) -> str:
        ack = worker_pb2.Ack(index=0, completion_number=1)
        ack.time.FromSeconds(1_800_000_000)
        attempt.on_ack(ack)
        shown = ended(last_message(attempt).finished).get()
        assert isinstance(shown, str)
        return shown

    live = []
    for elapsed in (0.0, 90.0625):
        attempt = attempt_of(program)
        attempt.on_step(0, *execute(attempt.tasks[0]), elapsed)
        (message,) = attempt.unacknowledged()
        assert message.entry.elapsed.ToTimedelta() == timedelta(seconds=elapsed)
        live.append(acknowledged(attempt))
    assert live == ["2027-01-15 08:00:00+00:00"] * 2
    world = World(program)
    seen = world.run().get()
    start = start_message(program, (), world.history)
    start.journal[0].create_time.FromSeconds(1)
    replayed = Attempt(program, INVOCATION_ID, 2, start, Environment(no_channel))
    replayed.begin()
    assert ended(last_message(replayed).finished).get() == seen


def test_an_attempt_waits_when_only_the_server_can_go_on() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.sleep(10)

    attempt = attempt_of(program)
    assert not attempt.waiting, "the timer is not in the log"
    attempt.on_ack(worker_pb2.Ack(index=0))
    assert attempt.waiting
    assert attempt.last_completion == 0
    completion = worker_pb2.Completion(index=0, completion_number=1)
    completion.outcome.value.data = b"null"
    attempt.on_completion(completion)
    assert attempt.done
    attempt.on_completion(completion)
    assert len(attempt.outbox) == 2


def test_live_and_replay_give_the_program_the_same_value() -> None:
    """Both decode the payload: no object that the step made reaches the program."""
    made: list[Any] = []

    def step() -> Any:
        made.append({"numbers": (1, 2), 3: None})
        return made[-1]

    @durable.workflow
    async def program(ctx: Context) -> str:
        value = await ctx.run("x", step)
        value["seen"] = value is made[-1]
        return repr(value)

    world = World(program)
    value = world.run().get()
    assert value == repr({"numbers": [1, 2], "3": None, "seen": False})
    assert ended(last_message(world.replay()).finished).get() == value


class Odd(Exception):
    """Not of the builtins."""


def test_an_exception_fails_the_attempt_and_the_steps_before_it_stay() -> None:
    tries: list[int] = []

    def flaky() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Odd("not yet") from ValueError("why")
        return "ok"

    @durable.workflow
    async def program(ctx: Context) -> str:
        await ctx.run("before", noted)
        try:
            return await ctx.run("flaky", flaky)
        except Exception:  # noqa: BLE001 - a failed step is not visible here
            return "visible"

    world = World(program)
    assert world.run().get() == "ok"
    assert [name for _, name in world.executions] == ["before", "flaky", "flaky", "flaky"]
    first = world.failures[0]
    assert first.type == f"{__name__}.Odd"
    assert first.message == "not yet"
    assert "in flaky" in first.stack_trace
    assert "durable/_" not in first.stack_trace
    assert (first.cause.type, first.cause.message) == ("ValueError", "why")
    assert not first.terminal


def test_retryable_error_sets_the_delay() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        if ctx.attempt < 3:
            raise durable.RetryableError("later", retry_after=timedelta(seconds=ctx.attempt * 2.5))

    world = World(program)
    world.run().get()
    assert world.retry_delays == [2.5, 5.0]


@pytest.mark.parametrize("grouped", [False, True])
def test_terminal_error_fails_for_good_with_its_facts(grouped: bool) -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        async def fail() -> None:
            raise durable.TerminalError("no funds", code=402, metadata={"account": "7"})

        if grouped:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        await fail()

    failure = World(program).run().failure
    assert failure is not None
    assert failure.terminal
    assert failure.code == 402
    assert dict(failure.metadata) == {"account": "7"}
    told = failure.cause if grouped else failure
    assert (told.type, told.message) == ("durable.TerminalError", "no funds")


def test_a_failed_step_fails_the_handler_with_the_steps_failure() -> None:
    def refuse() -> None:
        raise durable.TerminalError("no", code=409)

    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.run("refuse", refuse)

    world = World(program)
    failure = world.run().failure
    assert failure is not None
    assert failure.terminal
    assert failure.code == 409
    assert "refuse" in failure.message
    assert last_message(world.replay()).finished.outcome.failure.code == 409


def test_failures_are_cut_to_their_limits() -> None:
    def deep(level: int) -> None:
        if level:
            try:
                deep(level - 1)
            except ValueError as error:
                raise ValueError("ä" * 20_000) from error
        raise ValueError("bottom")

    @durable.workflow
    async def program(ctx: Context) -> None:
        facts = {f"{number}" + "k" * 300: "ü" * 300 for number in range(30)}
        try:
            deep(20)
        except ValueError as error:
            raise durable.TerminalError("x", metadata=facts) from error

    failure = World(program).run().failure
    assert failure is not None
    assert len(failure.metadata) == 16
    for key, value in failure.metadata.items():
        assert len(key.encode()) <= 256
        assert len(value.encode()) <= 256
    levels, it = 1, failure
    while it.HasField("cause"):
        it = it.cause
        levels += 1
        assert len(it.message.encode()) <= 8 * 1024
        assert len(it.stack_trace.encode()) <= 32 * 1024
    assert levels <= 8


def test_cancellation_is_an_exception_at_the_next_await() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        try:
            await ctx.sleep(100)
        except asyncio.CancelledError:
            await ctx.run("compensate", noted)
            raise

    world = World(program, cancel_after=1)
    end = world.run()
    assert end.failure is not None
    assert (end.failure.type, end.failure.message) == ("durable.Cancelled", "enough")
    assert [name for _, name in world.executions] == ["compensate"]
    for boundary in range(2, len(world.history) + 1):
        assert world.fork(boundary).run() == end


def test_cancellation_may_be_survived() -> None:
    @durable.workflow
    async def program(ctx: Context) -> str:
        try:
            await ctx.sleep(100)
        except asyncio.CancelledError:
            return await ctx.run("anyway", noted, "done")
        return "slept"

    assert World(program, cancel_after=1).run().get() == "done"


def test_cancellation_before_the_first_attempt() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        await ctx.sleep(100)

    start = start_message(program)
    start.cancel_requested.completion_number = 1
    start.cancel_requested.reason = "early"
    attempt = Attempt(program, INVOCATION_ID, 1, start, Environment(channel=no_channel))
    attempt.begin()
    assert last_message(attempt).finished.outcome.failure.type == "durable.Cancelled"


def test_an_unawaited_step_is_journaled_before_the_end() -> None:
    @durable.workflow
    async def program(ctx: Context) -> str:
        ctx.run("audit", noted)
        return await ctx.run("x", noted, "x")

    for seed in range(10):
        world = World(program, seed=seed)
        assert world.run().get() == "x"
        assert sorted(name for _, name in world.executions) == ["audit", "x"]
        for boundary in range(len(world.history) + 1):
            other = world.fork(boundary, seed=seed)
            assert other.run().get() == "x"
            assert len(other.commands) == 2


def test_a_step_that_lost_its_race_does_not_delay_the_end() -> None:
    @durable.workflow
    async def program(ctx: Context) -> str:
        slow, quick = ctx.run("slow", noted, "slow"), ctx.run("quick", noted, "quick")
        done, _ = await asyncio.wait({slow, quick}, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    attempt = attempt_of(program)
    quick = attempt.tasks[1]
    attempt.on_step(quick.index, *execute(quick), 0.0)
    attempt.on_ack(worker_pb2.Ack(index=1, completion_number=1))
    assert ended(last_message(attempt).finished).get() == "quick"


def test_a_discarded_step_does_not_begin_and_cannot_fail_the_attempt() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        ctx.run("never begun", noted).cancel()
        step = ctx.run("begun", noted)
        await ctx.sleep(1)
        step.cancel()
        await ctx.sleep(1)

    attempt = attempt_of(program)
    assert [task.name for task in attempt.tasks] == ["begun"]
    attempt.tasks.clear()
    for number, index in enumerate((2, 3), start=1):
        attempt.on_ack(worker_pb2.Ack(index=index))
        assert attempt.waiting is (index == 3), "the step that was given up does not count"
        if index == 3:
            attempt.on_step(1, None, ValueError("late"), 0.0)
        assert not attempt.done
        attempt.on_completion(worker_pb2.Completion(index=index, completion_number=number))
    assert last_message(attempt).WhichOneof("message") == "finished"


def test_a_compensation_follows_the_discarded_step_unless_that_was_withdrawn() -> None:
    """In every order of the step, its cancellation and a crash between any two of them."""

    @durable.workflow
    async def program(ctx: Context) -> str:
        try:
            async with asyncio.timeout(0.01):
                return await ctx.run("book", noted, "booked")
        except TimeoutError:
            undone = await ctx.run("undo", noted, "undone")
        await ctx.sleep(1)
        return undone

    def check(world: World, before: int = 0) -> None:
        assert world.run().get() in ("booked", "undone")
        taken_back.update(world.withdrawn)
        names = [name for _, name in world.executions]
        if world.attempt_number == 1 and not before:
            assert names.count("book") + world.withdrawn.count("book") == 1

    taken_back: set[str] = set()
    for seed in range(60):
        world = World(program, seed=seed, suspend=0.5)
        check(world)
        for boundary in range(len(world.history) + 1):
            check(world.fork(boundary, seed=seed), boundary)
    assert taken_back == {"book"}


def test_entries_of_a_compensation_follow_the_discarded_step_in_their_order() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        async with durable.saga(ctx) as saga:
            saga.undo(ctx.set, "booked", False)
            saga.undo(ctx.send, "undo", "a")
            step = ctx.run("book", noted, "booked")
            await ctx.sleep(1)
            step.cancel()
            await ctx.sleep(1)
            raise durable.TerminalError("declined")

    def names() -> list[str]:
        found = [it.entry.name or it.WhichOneof("message") or "" for it in attempt.outbox]
        attempt.outbox.clear()
        return found

    def slept(index: int, number: int) -> None:
        attempt.on_ack(worker_pb2.Ack(index=index))
        attempt.on_completion(worker_pb2.Completion(index=index, completion_number=number))

    attempt = attempt_of(program)
    task = attempt.tasks.pop()
    slept(1, 1)
    names()
    slept(2, 2)
    assert names() == []
    assert attempt.compensations_waiting
    attempt.on_step(0, *execute(task), 0.0)
    assert names() == ["book", "undo"]
    assert not attempt.compensations_waiting
    attempt.on_ack(worker_pb2.Ack(index=0, completion_number=3))
    sent = payload_pb2.Outcome(value=payload_pb2.Payload(data=b'"id"'))
    attempt.on_ack(worker_pb2.Ack(index=3))
    attempt.on_completion(worker_pb2.Completion(index=3, completion_number=4, outcome=sent))
    assert names() == ["booked", "finished"]


def test_compensations_that_are_no_steps_follow_the_discarded_step_in_every_order() -> None:
    """In every order of the step, its cancellation and a crash between any two of them."""

    async def tells(ctx: Context) -> None:
        await ctx.sleep(0.01)
        ctx.send("undo", "a")

    @durable.workflow
    async def program(ctx: Context) -> None:
        async with durable.saga(ctx) as saga:
            saga.undo(ctx.set, "booked", False)
            saga.undo(tells, ctx)
            saga.undo(ctx.send, "undo", "b")
            step = ctx.run("book", noted, "booked")
            await ctx.sleep(0.001)
            step.cancel()
            raise durable.TerminalError("declined")

    def check(world: World) -> None:
        failure = world.run().failure
        assert failure is not None
        assert failure.message == "declined"
        kept = [it for it in world.history if isinstance(it, Recorded)]
        names = [it.entry.name for it in kept if it.entry.name]
        assert names == [*names[:-3], "undo", "undo", "booked"]
        assert names[:-3] in ([], ["book"])

    for seed in range(60):
        world = World(program, seed=seed, suspend=0.5)
        check(world)
        for boundary in range(len(world.history) + 1):
            check(world.fork(boundary, seed=seed))


@pytest.mark.parametrize("cancel", [False, True])
def test_an_end_after_compensations_waits_for_the_discarded_step(cancel: bool) -> None:
    """The end follows the entries that wait, and a request to cancel does not hurry it."""

    @durable.workflow
    async def program(ctx: Context) -> None:
        async with durable.saga(ctx) as saga:
            saga.undo(ctx.set, "booked", False)
            step = ctx.run("book", noted, "booked")
            await ctx.sleep(1)
            step.cancel()
            raise durable.TerminalError("declined")

    attempt = attempt_of(program)
    task = attempt.tasks.pop()
    attempt.on_ack(worker_pb2.Ack(index=1))
    attempt.outbox.clear()
    attempt.on_completion(worker_pb2.Completion(index=1, completion_number=1))
    if cancel:
        attempt.on_cancel(worker_pb2.CancelRequested(reason="enough", completion_number=2))
    assert not attempt.outbox
    assert not attempt.done
    assert attempt.end_message is not None
    attempt.on_step(0, *execute(task), 0.0)
    assert [it.entry.name for it in attempt.outbox] == ["book", "booked", ""]
    assert last_message(attempt).finished.outcome.failure.message == "declined"


def test_a_program_whose_only_step_was_withdrawn_is_held() -> None:
    @durable.workflow
    async def program(ctx: Context) -> None:
        step = ctx.run("step", noted, "x")
        await ctx.sleep(1)
        step.cancel()
        await asyncio.get_running_loop().create_future()

    attempt = attempt_of(program)
    attempt.tasks.clear()
    attempt.on_ack(worker_pb2.Ack(index=1))
    attempt.on_completion(worker_pb2.Completion(index=1, completion_number=1))
    assert attempt.discarded == {0}
    assert not attempt.done
    attempt.on_withdrawn(0)
    assert not attempt.discarded
    failure = last_message(attempt).held.failure
    assert "nothing durable is open" in failure.message


def test_input_that_does_not_fit_fails_for_good() -> None:
    @durable.workflow
    async def program(ctx: Context, number: int) -> int:
        return number

    for payload in (None, payload_pb2.Payload(data=b'"x"'), payload_pb2.Payload(data=b"{")):
        start = start_message(program, (1,))
        start.ClearField("input")
        if payload is not None:
            start.input.CopyFrom(payload)
        attempt = Attempt(program, INVOCATION_ID, 1, start, Environment(channel=no_channel))
        attempt.begin()
        failure = last_message(attempt).finished.outcome.failure
        assert failure.type == "durable.InvalidInput"
        assert failure.terminal


def test_context_variables_of_the_host_are_not_the_programs() -> None:
    """Another attempt, on another worker, would not have them."""
    variable: ContextVar[str] = ContextVar("variable", default="none")

    @durable.workflow
    async def program(ctx: Context) -> list[str]:
        before = variable.get()
        variable.set("the program's")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(reads(ctx))
        return [before, task.result()]

    async def reads(ctx: Context) -> str:
        await ctx.sleep(1)
        assert durable.current_context() is ctx
        return variable.get()

    token = variable.set("the host's")
    try:
        assert World(program).run().get() == ["none", "the program's"]
        assert variable.get() == "the host's"
    finally:
        variable.reset(token)


def test_a_malformed_step_raises_in_the_program() -> None:
    @durable.workflow
    async def nameless(ctx: Context) -> None:
        await ctx.run(noted, "x")  # type: ignore[call-overload]  # on purpose

    @durable.workflow
    async def long_name(ctx: Context) -> None:
        await ctx.run("ä" * 129, noted)

    for program, text in (
        (nameless, "the step's name"),
        (long_name, "at most 256 bytes"),
    ):
        failure = last_message(attempt_of(program)).held.failure
        assert text in failure.message


def test_the_replay_ends_exactly_where_the_journal_does() -> None:
    """A line is live if no earlier attempt has reached it, after a state entry as after a step."""
    live: list[str] = []

    @durable.workflow
    async def program(ctx: Context) -> None:
        def at(place: str) -> None:
            if not ctx.is_replaying:
                live.append(place)

        at("begin")
        ctx.set("a", 1)
        at("a")
        ctx.set("b", 2)
        at("b")
        await ctx.run("step", noted, "x")
        at("step")
        ctx.clear("a")
        at("c")
        await ctx.sleep(1)
        at("slept")

    places = ["begin", "a", "b", "step", "c", "slept"]
    world = World(program)
    world.run()
    assert live == places
    # Each boundary is one line further on; the sleep has two, its record and its completion.
    for boundary, reached in enumerate([0, 1, 2, 3, 4, 5, 5]):
        live.clear()
        world.fork(boundary).attempt.abandon()
        until = places.index("step") if boundary < 3 else places.index("slept")
        expected = places[reached:until] if boundary < 6 else places[reached:]
        assert live == expected, boundary
