"""Values of every size and shape, through every primitive that takes one."""

from __future__ import annotations

from typing import Any

import pytest

import durable
from durable import Context

from .effects import calls, effect
from .system import System

LIMIT = 1024 * 1024


@durable.workflow
async def echo(ctx: Context, value: Any) -> Any:
    return value


@durable.workflow
async def round_trip(ctx: Context, value: Any) -> list[bool]:
    """Sends a value through a step, a child, state, an awakeable and a signal; returns the results."""
    stepped = await ctx.run("step", lambda: value)
    child = await ctx.invoke(echo, value)
    ctx.set("value", value)
    await ctx.sleep(0.001)
    kept = await ctx.get("value")
    promise = ctx.promise("p")
    await ctx.resolve_awakeable(promise.id, value)
    await ctx.send_signal(ctx.invocation_id, "s", value)
    came = [stepped, child, kept, await promise, await ctx.signal("s")]
    return [it == value and type(it) is type(value) for it in came]


@durable.workflow
async def raw(ctx: Context, value: bytes) -> bytes:
    return await ctx.run("reverse", lambda: value[::-1])


@durable.workflow
async def optional(ctx: Context, value: str | None = "nothing given") -> str:
    return repr(value)


@durable.workflow
async def large(ctx: Context, door: str, size: int) -> int:
    """Gives a JSON string of `size` bytes to the given primitive."""
    value = "x" * (size - 2)
    if door == "step":
        return len(await ctx.run("large", lambda: value)) + 2
    if door == "state":
        ctx.set("large", value)
        await ctx.sleep(0.001)
        return len(await ctx.get("large", str, "")) + 2
    if door == "child":
        return len(await ctx.invoke(echo, value)) + 2
    if door == "send":
        return len(await ctx.attach(await ctx.send(echo, value))) + 2
    if door == "awakeable":
        promise = ctx.promise("p", type=str)
        await ctx.resolve_awakeable(promise.id, value)
        return len(await promise) + 2
    if door == "signal":
        await ctx.send_signal(ctx.invocation_id, "s", value)
        return len(await ctx.signal("s", type=str)) + 2
    raise AssertionError(door)


@durable.workflow
async def gives(ctx: Context, size: int) -> str:
    return "x" * (size - 2)


@durable.workflow
async def survives_a_large_value(ctx: Context) -> str:
    """An input too large for a child is an error at the call, which the handler can catch."""
    try:
        await ctx.invoke(echo, "x" * LIMIT)
    except durable.TerminalError as error:
        return await ctx.run("note", effect, str(error))
    return "went through"


@durable.workflow(retry=durable.RetryPolicy(max_attempts=1))
async def what_has_no_form(ctx: Context, door: str) -> None:
    """Gives what no payload can hold."""
    value: Any = "\ud800" if door == "surrogate" else object()
    if door == "step":
        await ctx.run("step", lambda: value)
    elif door == "state":
        ctx.set("value", value)
    else:
        await ctx.invoke(echo, value)


WORKFLOWS = [
    *(echo, round_trip, raw, optional, large, gives, survives_a_large_value, what_has_no_form)
]

VALUES: list[Any] = [
    None, "", [], {}, 0, -0.0, False, b"", b"\x00\xff", "\x00", "снег ☃ 𝄞 \u2028\u202e",
    2**63, -(2**64) - 1, 10**1000, 1e308, 5e-324, 0.1 + 0.2, {"": None, "\n": {"a": [[[]]]}},
    {"key with spaces": "\\\"'"}, [None] * 3, "null", '"', "x" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda it: repr(it)[:20].encode().hex()[:12])
async def test_a_value_comes_back_from_every_primitive(system: System, value: Any) -> None:
    assert await system.client.invoke(round_trip, value) == [True] * 5
    assert await system.client.invoke(echo, value) == value


async def test_bytes_are_bytes(system: System) -> None:
    everything = bytes(range(256)) * 4
    assert await system.client.invoke(raw, everything) == everything[::-1]
    assert await system.client.invoke(raw, b"") == b""


async def test_null_is_not_nothing(system: System) -> None:
    assert await system.client.invoke(optional) == "'nothing given'"
    assert await system.client.invoke(optional, None) == "None"
    assert await system.client.invoke(optional, "") == "''"


@pytest.mark.parametrize("door", ["step", "state", "child", "send", "awakeable", "signal"])
async def test_a_value_of_exactly_the_limit(system: System, door: str) -> None:
    assert await system.client.invoke(large, door, LIMIT) == LIMIT


@pytest.mark.parametrize("door", ["step", "state", "child", "send", "awakeable", "signal"])
async def test_a_value_over_the_limit_names_it(system: System, door: str) -> None:
    result = await system.client.get_result(
        await system.client.invoke_async(large, door, LIMIT + 1)
    )
    assert result.status == "failed"
    assert result.failure is not None
    assert "payload_bytes" in result.failure.message
    assert str(LIMIT + 1) in result.failure.message


async def test_an_input_and_a_result_over_the_limit_name_it(system: System) -> None:
    assert len(await system.client.invoke(gives, LIMIT)) == LIMIT - 2
    with pytest.raises(durable.InvocationPausedError, match="payload_bytes"):
        await system.client.invoke(gives, LIMIT + 1)
    with pytest.raises(durable.InvalidArgumentError, match="payload_bytes") as refused:
        await system.client.invoke(echo, "x" * LIMIT)
    assert refused.value.reason == "PAYLOAD_TOO_LARGE"


async def test_a_large_value_can_be_handled(system: System) -> None:
    text = await system.client.invoke(survives_a_large_value)
    assert "payload_bytes" in text
    assert calls == [text]


@pytest.mark.parametrize("door", ["step", "state", "child", "surrogate"])
async def test_a_value_without_a_form_pauses_the_invocation(system: System, door: str) -> None:
    with pytest.raises(durable.InvocationPausedError, match=r"is no JSON: ") as caught:
        await system.client.invoke(what_has_no_form, door)
    failure = caught.value.failure
    assert failure is not None
    kind = "UnencodableValueError" if door == "step" else "CodecError"
    assert failure.type == f"durable.{kind}"
    assert "test_values.py" in failure.stack_trace
