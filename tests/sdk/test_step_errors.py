"""Errors of step bodies that have no Python frame: they are the body's, not a wrong use of the SDK."""

from __future__ import annotations

import functools

import pytest

import durable

ONCE = durable.RetryPolicy(max_attempts=1)


@durable.workflow(retry=ONCE)
async def parses(ctx: durable.Context) -> list[str]:
    failed = []
    for name, step in (
        ("arguments", ctx.run("arguments", int, "x")),
        ("partial", ctx.run("partial", functools.partial(int, "x"))),
    ):
        try:
            await step
        except durable.StepFailedError as error:
            failed.append(f"{name}: {error.type}")
    return failed


async def test_a_value_error_of_a_body_without_frames_fails_the_step() -> None:
    async with durable.AsyncClient.local(timeout=10) as client:
        client.register(parses)
        await client.serve_handlers()
        assert await client.invoke(parses) == ["arguments: ValueError", "partial: ValueError"]


@durable.workflow(retry=ONCE)
async def misuses(ctx: durable.Context) -> None:
    await ctx.run("policy", lambda: durable.RetryPolicy(max_attempts=0).max_attempts)


async def test_a_value_error_that_the_sdk_raises_in_a_body_holds_the_invocation() -> None:
    async with durable.AsyncClient.local(timeout=10) as client:
        client.register(misuses)
        await client.serve_handlers()
        with pytest.raises(durable.InvocationPausedError, match="max_attempts is 0"):
            await client.invoke(misuses)
