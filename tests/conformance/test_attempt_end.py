"""Attempts that end before their workflow does: the code is unwound, and can find out why."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest

import durable
from durable import Context

from .system import System

unwound: list[str] = []


@durable.workflow
async def tidies_up(ctx: Context) -> list[str]:
    """Finds out why its block ends; cleans up in a step only when the workflow itself ends it."""
    try:
        await ctx.sleep(0.01)
        await ctx.signal("go")
    except durable.AttemptEnded:
        unwound.append("the attempt")
        ctx.logger.warning("unwound")
        raise
    finally:
        with contextlib.suppress(Exception):
            unwound.append(await ctx.run("tidy", lambda: "the workflow"))
            ctx.logger.warning("tidied up")
    return ["done"]


@durable.workflow
async def never_lets_go(ctx: Context) -> str:
    """Catches everything and waits again."""
    while True:
        try:
            return await ctx.signal("go", type=str)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise


WORKFLOWS = [tidies_up, never_lets_go]


async def test_a_block_can_distinguish_the_end_of_the_attempt_from_that_of_the_workflow(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    unwound.clear()
    with caplog.at_level(logging.INFO, "durable.workflow"):
        invocation_id = await system.client.invoke_async(tidies_up)
        await system.journaled(invocation_id, 2)
        await system.kill()
        await system.employ()
        await system.client.signal(invocation_id, "go")
        assert (await system.client.get_result(invocation_id, tidies_up)).value() == ["done"]
    assert unwound.count("the workflow") == 1
    assert "the attempt" in unwound  # at least when the worker was killed
    records = [it for it in caplog.records if it.name == "durable.workflow.tidies_up"]
    texts = [record.getMessage() for record in records]
    assert texts == [f"[{invocation_id[:8]}] tidied up"]


async def test_code_that_does_not_end_with_its_attempt_is_named_and_delays_nothing(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "durable.worker"):
        invocation_id = await system.client.invoke_async(never_lets_go)
        await system.journaled(invocation_id, 1)
        await system.kill()
        await system.employ()
        await system.client.signal(invocation_id, "go", "went")
        result: Any = await system.client.get_result(invocation_id, never_lets_go)
        assert result.value() == "went"
    warned = [it.getMessage() for it in caplog.records if "AttemptEnded" in it.getMessage()]
    assert warned
    assert warned[0].startswith(
        f"never_lets_go [{invocation_id}] attempt 1 is over, and never_lets_go"
    )
