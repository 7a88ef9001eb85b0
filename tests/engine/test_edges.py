"""What users do that they should not, and what happens at the edges of an attempt."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from datetime import timedelta
from typing import Any

import pytest

import durable
from durable_proto.v1 import worker_pb2

from .harness import Invocation
from .programs import later, word


def run(body: Any, argument: Any = None) -> Invocation:
    made = durable.workflow(name="edge")(body)
    return Invocation(made, argument).run()


@pytest.fixture(autouse=True)
def no_noise(caplog: pytest.LogCaptureFixture) -> Any:
    """Nothing is reported about tasks or exceptions that the engine itself has dealt with."""
    caplog.set_level(logging.DEBUG)
    yield
    gc.collect()
    assert [it.getMessage() for it in caplog.records if it.name == "asyncio"] == []


async def to_thread(ctx: durable.Context) -> None:
    await asyncio.to_thread(word, "x")


async def executor(ctx: durable.Context) -> None:
    await asyncio.get_running_loop().run_in_executor(None, word, "x")


async def connection(ctx: durable.Context) -> None:
    await asyncio.open_connection("127.0.0.1", 1)


async def raw_socket(ctx: durable.Context) -> None:
    with socket.socket() as it:
        it.setblocking(False)
        await asyncio.get_running_loop().sock_recv(it, 1)


async def process(ctx: durable.Context) -> None:
    await asyncio.create_subprocess_exec("true")


async def foreign_future(ctx: durable.Context) -> None:
    loop = asyncio.new_event_loop()
    try:
        await loop.create_future()
    finally:
        loop.close()


@pytest.mark.parametrize(
    "body", [to_thread, executor, connection, raw_socket, process, foreign_future]
)
def test_what_cannot_be_replayed_is_refused_with_advice(body: Any) -> None:
    it = run(body)
    assert it.ended == "attempt_failed"
    assert it.failure.type == "durable.NonDurableAwaitError"
    assert "wrap it in ctx.run" in it.failure.message
    assert "test_edges.py" in it.failure.stack_trace


def test_a_step_that_raises_ends_the_attempt_and_is_not_seen_by_the_program() -> None:
    seen = []

    def refuse() -> None:
        raise ValueError("try again")

    async def body(ctx: durable.Context) -> None:
        try:
            await ctx.run("step", refuse)
        except Exception as error:  # noqa: BLE001 - as users do
            seen.append(error)

    it = run(body)
    assert (it.ended, it.failure.type, it.failure.message) == (
        "attempt_failed",
        "ValueError",
        "try again",
    )
    assert not seen
    assert not it.journal


def test_a_terminal_error_of_a_step_is_journaled_and_raised() -> None:
    def refuse() -> None:
        raise durable.TerminalError("no such card", code=404, metadata={"card": "1"})

    async def body(ctx: durable.Context) -> list[object]:
        try:
            await ctx.run("charge", refuse)
        except durable.StepFailedError as error:
            return [error.step, error.type, error.message, error.code, error.metadata]
        return []

    it = run(body)
    assert it.value == ["charge", "durable.TerminalError", "no such card", 404, {"card": "1"}]
    assert it.journal[0].outcome.failure.terminal


def test_a_terminal_error_of_the_handler_fails_it_for_good() -> None:
    async def body(ctx: durable.Context) -> None:
        try:
            await ctx.run("step", word, "x")
            raise KeyError("cause")
        except KeyError as cause:
            raise durable.TerminalError("never", code=409) from cause

    it = run(body)
    assert it.ended == "finished"
    assert it.failure.terminal
    assert (it.failure.code, it.failure.cause.type) == (409, "KeyError")


def test_a_retryable_error_says_when() -> None:
    async def body(ctx: durable.Context) -> None:
        raise durable.RetryableError("busy", retry_after=timedelta(seconds=7))

    it = run(body)
    assert it.ended == "attempt_failed"
    assert it.final is not None
    assert it.final.attempt_failed.retry_delay.ToSeconds() == 7


def test_long_messages_and_traces_are_cut() -> None:
    def deep(level: int) -> None:
        if level == 0:
            raise ValueError("é" * 20_000)
        deep(level - 1)

    async def body(ctx: durable.Context) -> None:
        deep(400)

    failure = run(body).failure
    assert len(failure.message.encode()) <= 8 * 1024
    assert failure.message.endswith("(40000 bytes, cut)")
    assert len(failure.stack_trace) <= 32 * 1024


def test_code_that_goes_on_after_the_end_is_unwound() -> None:
    unwound = []

    def refuse() -> None:
        raise ValueError("the attempt ends here")

    async def stubborn(ctx: durable.Context, name: str) -> None:
        try:
            await ctx.run(f"slow-{name}", later, name)
        finally:
            unwound.append(name)
            await ctx.run(f"more-{name}", later, name)

    async def body(ctx: durable.Context) -> None:
        tasks = [asyncio.create_task(stubborn(ctx, name)) for name in "ab"]
        await asyncio.sleep(0)
        await ctx.run("bad", refuse)
        await asyncio.gather(*tasks)

    made = durable.workflow(name="edge")(body)
    it = Invocation(made)
    it.begin()
    bad = next(task for task in it.steps if task.name == "bad")
    it._run(bad)
    assert it.ended == "attempt_failed"
    assert sorted(unwound) == ["a", "b"]
    assert not it.sent


def test_abandoning_is_quiet_and_final() -> None:
    async def body(ctx: durable.Context) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(100))
            await ctx.run("step", later, "x")
        return "never"

    it = Invocation(durable.workflow(name="edge")(body))
    it.begin()
    attempt = it.attempt
    attempt.abandon()
    attempt.on_step(0, None, ValueError("late"))
    attempt.on_ack(worker_pb2.Ack(index=0, completion_number=1))
    attempt.on_completion(worker_pb2.Completion(index=1, completion_number=1))
    assert attempt.done
    assert not attempt.outbox
    assert not attempt.waiting


def test_a_step_that_is_not_awaited_runs_all_the_same() -> None:
    async def body(ctx: durable.Context) -> str:
        ctx.run("on the side", word, "x")
        return await ctx.run("main", word, "y")

    made = durable.workflow(name="edge")(body)
    names = set()
    for seed in range(20):
        it = Invocation(made, seed=seed).run()
        assert it.value == "Y"
        names |= {name for _, name in it.executed}
    assert names == {"on the side", "main"}


def test_cancelling_a_future_gives_up_its_result_only() -> None:
    async def body(ctx: durable.Context) -> list[str]:
        unwanted = ctx.run("unwanted", word, "x")
        unwanted.cancel()
        seen = [await ctx.run("wanted", word, "y")]
        try:
            await unwanted
        except asyncio.CancelledError:
            seen.append("cancelled")
        return seen

    made = durable.workflow(name="edge")(body)
    for seed in range(10):
        assert Invocation(made, seed=seed).run().value == ["Y", "cancelled"]


def test_a_cancel_request_reaches_the_next_await() -> None:
    async def body(ctx: durable.Context) -> None:
        try:
            await ctx.sleep(1000)
        except asyncio.CancelledError:
            await ctx.run("undo", word, "x")
            raise

    it = Invocation(durable.workflow(name="edge")(body))
    it.begin()
    it._record()
    it._tell()
    it.completions += 1
    cancel = worker_pb2.CancelRequested(reason="not wanted", completion_number=1)
    it.attempt.on_cancel(cancel)
    it._take()
    while it.step():
        pass
    assert it.ended == "finished"
    assert (it.failure.type, it.failure.message) == ("durable.Cancelled", "not wanted")
    assert [name for _, name in it.executed] == ["undo"]


def test_a_result_that_has_no_encoding_fails_for_good() -> None:
    async def body(ctx: durable.Context) -> object:
        return object()

    it = run(body)
    assert (it.ended, it.failure.type) == ("finished", "durable.InvalidOutput")


def test_input_that_does_not_fit_fails_for_good() -> None:
    async def body(ctx: durable.Context, count: int, name: str = "x") -> int:
        return count

    made = durable.workflow(name="edge")(body)
    for argument, words in (
        ({"count": "many"}, "count: expected int, got str"),
        ({"name": "y"}, "needs count"),
        ({"count": 1, "other": 2}, "no parameter other"),
        ([1], "expected dict, got list"),
        (None, "needs count"),
    ):
        it = Invocation(made, argument).run()
        assert it.failure.type == "durable.InvalidInput"
        assert words in it.failure.message
    assert Invocation(made, {"count": 3}).run().value == 3


def test_an_error_that_nobody_awaits_is_not_reported_as_noise() -> None:
    async def body(ctx: durable.Context) -> str:
        async def failing() -> None:
            raise ValueError("nobody looks")

        task = asyncio.create_task(failing())
        result = await ctx.run("step", word, "x")
        assert task.done()
        return result

    assert run(body).value == "X"


def test_logging_is_silent_during_replay(caplog: pytest.LogCaptureFixture) -> None:
    async def body(ctx: durable.Context) -> str:
        ctx.logger.info("begins")
        value = await ctx.run("step", word, "x")
        ctx.logger.info("has %s", value)
        return value

    it = Invocation(durable.workflow(name="edge")(body))
    it.begin()
    while not it.told:
        it.step()
    it.crash()
    while it.step():
        pass
    said = [record.getMessage() for record in caplog.records if "workflow" in record.name]
    assert said == ["[abababab] begins", "[abababab] has X"]
    record = next(it for it in caplog.records if "workflow" in it.name)
    assert record.invocation_id == "ab" * 16  # type: ignore[attr-defined]  # an extra of ours
