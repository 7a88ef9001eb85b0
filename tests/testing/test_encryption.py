"""Workflows with a codec: crashes at every boundary, and values that cannot be decoded."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest

import durable
from durable.testing import AsyncEnvironment, Wait, crash_everywhere
from durable_proto.v1 import control_pb2
from durable_proto.v1.payload_pb2 import Payload
from tests.conformance import primitives

KEYS = {"2026-11": bytes(range(32))}


class Locked(durable.EncryptionCodec):
    """A codec that lacks its key while it is locked."""

    locked = False

    def decode(self, payload: Payload) -> Payload:
        if self.locked:
            raise durable.UndecodableValueError("the key '2026-11' is not known", key_id="2026-11")
        return super().decode(payload)


@pytest.fixture
def codec() -> Locked:
    return Locked(KEYS)


seen: list[BaseException] = []


@durable.workflow
async def everything(ctx: durable.Context, a: str, b: int) -> dict[str, Any]:
    """Gives and gets a value by each primitive that has one."""
    step = await ctx.run("step", lambda: f"step of {a}")
    ctx.set("state", step)
    child, added, promised, signalled = await asyncio.gather(
        ctx.invoke(primitives.square, b),
        ctx.options(key="k").invoke(primitives.Counter.add, b),
        ctx.promise("promised", type=dict[str, str]),
        ctx.signal("signalled", type=str),
    )
    return {
        "step": await ctx.get("state", type=str),
        "names": await ctx.state_keys(),
        "child": child,
        "added": added,
        "promised": promised,
        "signalled": signalled,
    }


async def answer(client: durable.AsyncClient, wait: Wait) -> None:
    if wait.kind == "awakeable":
        await client.resolve_awakeable(wait.name, {"by": "Ada"})
    elif wait.kind == "signal":
        await client.signal(wait.invocation_id, wait.name, "a thing")


async def test_crashes_at_every_boundary(codec: Locked) -> None:
    report = await crash_everywhere(
        everything, "Ada", 3,
        others=[primitives.square, primitives.Counter], drive=answer, codec=codec,
    )  # fmt: skip
    assert report.result.value()["promised"] == {"by": "Ada"}
    assert report.result.value()["names"] == ["state"]
    assert report.runs > 30


@durable.workflow
async def waits(ctx: durable.Context, what: str) -> str:
    """Would give a value up that it cannot read, as programs may."""
    try:
        said = await ctx.promise("said", type=str)
    except Exception as error:
        seen.append(error)
        raise
    return f"{what}: {said}"


@durable.object("Note")
class Note:
    """A note that is kept."""

    @durable.handler
    async def write(self, ctx: durable.KeyedContext, text: str) -> None:
        ctx.set("text", text)

    @durable.handler
    async def read(self, ctx: durable.KeyedContext) -> str:
        try:
            return await ctx.get("text", type=str)
        except Exception as error:
            seen.append(error)
            raise


@pytest.mark.parametrize("suspend", ["never", "always"])
async def test_an_unknown_key_holds_the_invocation(
    codec: Locked, suspend: Any, caplog: Any
) -> None:
    caplog.set_level(logging.CRITICAL, "durable")
    seen.clear()
    async with AsyncEnvironment(codec=codec, suspend=suspend) as env:
        await env.register(waits, Note)
        client = env.client
        await client.options(key="n").invoke(Note.write, "milk")

        async def held(invocation_id: str) -> None:
            await env.settle()
            found = await client.get(invocation_id)
            assert found.status == "paused"
            assert found.failure is not None
            assert found.failure.type == "durable.UndecodableValueError"
            assert "2026-11" in found.failure.message

        async def unlocked(invocation_id: str) -> None:
            codec.locked = False
            await client.resume(invocation_id)
            await env.settle()

        codec.locked = True
        by_input = await client.invoke_async(waits, "Ada")
        by_state = await client.options(key="n").invoke_async(Note.read)
        await held(by_input)
        await held(by_state)
        await unlocked(by_state)
        assert (await client.get_result(by_state)).value() == "milk"
        await unlocked(by_input)
        codec.locked = True
        await client.resolve_awakeable(f"{by_input}.said", "hello")
        await held(by_input)
        await unlocked(by_input)
        assert (await client.get_result(by_input, waits)).value() == "Ada: hello"
    assert seen == []


class Failing(durable.EncryptionCodec):
    """A codec that fails to encode for a while."""

    failures = 0

    def encode(self, payload: Payload) -> Payload:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no key server")
        return super().encode(payload)


@durable.workflow
async def steps(ctx: durable.Context) -> str:
    first = await ctx.run("first", lambda: "one")
    return first + await ctx.run("second", lambda: "two")


async def test_a_value_that_cannot_be_encoded_is_tried_again(caplog: Any) -> None:
    caplog.set_level(logging.CRITICAL, "durable")
    codec = Failing(KEYS)
    async with AsyncEnvironment(codec=codec) as env:
        await env.register(steps)
        codec.failures = 3
        assert await env.client.invoke(steps) == "onetwo"
        assert codec.failures == 0
        invocation_id = (await env.client.query()).invocations[0].invocation_id
        assert (await env.client.get(invocation_id)).attempt > 1
        codec.failures = 1
        with pytest.raises(ConnectionError):
            await env.client.invoke("steps", 1)


async def test_the_largest_value_fits_with_its_encoding(codec: Locked) -> None:
    async with AsyncEnvironment(codec=codec) as env:
        limit = 1024 * 1024
        size = limit - codec.overhead_bytes - 2

        @durable.workflow
        async def large(ctx: durable.Context, more: int) -> int:
            return len(await ctx.run("large", lambda: "x" * (size + more)))

        await env.register(large)
        assert await env.client.invoke(large, 0) == size
        with pytest.raises(durable.InvocationFailedError, match="payload_bytes"):
            await env.client.invoke(large, 1)


@durable.workflow
async def named(ctx: durable.Context, what: str) -> str:
    return what


@durable.workflow
async def starts_named(ctx: durable.Context, what: str) -> str:
    return await ctx.options(idempotency_key="of both").invoke(named, what)


async def test_an_idempotency_key_finds_work_whose_input_was_encrypted_anew(codec: Locked) -> None:
    async with AsyncEnvironment(codec=codec) as env:
        await env.register(named, starts_named)
        keyed = env.client.options(idempotency_key="k")
        assert await keyed.invoke_async(named, "a") == await keyed.invoke_async(named, "a")
        assert await env.client.invoke(starts_named, "a") == "a"
        assert await env.client.invoke(starts_named, "a") == "a"


async def test_a_plain_input_is_not_that_of_encrypted_work(codec: Locked) -> None:
    async with AsyncEnvironment(codec=codec) as env:
        await env.register(named)
        keyed = env.client.options(idempotency_key="k")
        first = await keyed.invoke_async(named, "a")
        plain = control_pb2.InvokeRequest(
            handler="named", idempotency_key="k", input=Payload(data=b'["a"]')
        )
        line = env.client._connection.line()
        with pytest.raises(grpc.RpcError) as raised:
            await line.stub.Invoke(plain)
        assert first in str(raised.value.details())
