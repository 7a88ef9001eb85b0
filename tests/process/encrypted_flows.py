"""Workflows whose values must not be seen, and their codec if DURABLE_KEY_FILE names its keys."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import durable

KEY_FILE = os.environ.get("DURABLE_KEY_FILE", "")
codec = durable.EncryptionCodec(durable.KeyFile(KEY_FILE), compress=True) if KEY_FILE else None


@durable.workflow
async def child(ctx: durable.Context, secret: str) -> str:
    return f"{secret} of a child"


@durable.object("Vault")
class Vault:
    """Keeps a secret."""

    @durable.handler
    async def put(self, ctx: durable.KeyedContext, secret: str) -> str:
        ctx.set("secret", f"{secret} of an object")
        return secret


@durable.workflow
async def secretive(ctx: durable.Context, secret: str, others: int = 0) -> dict[str, Any]:
    """Has a secret as input, result, step, state, child, awakeable, signal and message."""
    step = await ctx.run("step", lambda: f"{secret} of a step" * (1 + others))
    ctx.set("state", f"{secret} of a state")
    await ctx.options(key="k").invoke(Vault.put, secret)
    promised, posted, signalled, of_child = await asyncio.gather(
        ctx.promise("promised", type=str),
        ctx.promise("posted", type=str),
        ctx.signal("signalled", type=str),
        ctx.invoke(child, secret),
    )
    # A value that this workflow resolves is encrypted by its worker.
    again = await asyncio.gather(
        ctx.promise("by-itself", type=str),
        ctx.resolve_awakeable(f"{ctx.invocation_id}.by-itself", f"{secret} of itself"),
    )
    return {"all": [step, promised, posted, signalled, of_child, again[0]]}
