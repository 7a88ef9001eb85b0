"""Registers: virtual objects on which clients work at the same time, and whose history is checked.

The operations go every way that a program or a person has: invocations of exclusive and shared
handlers, and GetState and SetState at one node. Values that are written are all different, so that each
read says which write it has seen.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import durable
from tests.support.linearizable import NEVER, Operation, explain

KEYS = tuple(f"r{number}" for number in range(6))
READ_SECONDS = 3.0
"""How long a read waits, at most; one without an answer says nothing."""
WRITE_SECONDS = 20.0
"""How long a write waits, at most; one without an answer may have happened."""


@durable.object("register")
class Register:
    """A number for each key; 0 at first."""

    @durable.handler
    async def write(self, ctx: durable.Context, number: int) -> None:
        """Sets the number."""
        ctx.set("n", number)

    @durable.handler
    async def add(self, ctx: durable.Context, number: int) -> int:
        """Adds to the number, with a step between the read and the write; returns the sum."""
        before = await ctx.get("n", int, 0)
        more = await ctx.run("think", lambda: number)
        ctx.set("n", before + more)
        return before + more

    @durable.handler
    async def swap(self, ctx: durable.Context, before: int, after: int) -> bool:
        """Sets the number if it is `before`; returns whether it was."""
        if await ctx.get("n", int, 0) != before:
            return False
        ctx.set("n", after)
        return True

    @durable.shared
    async def read(self, ctx: durable.Context) -> int:
        """Returns the number."""
        return await ctx.get("n", int, 0)


class Call(NamedTuple):
    """What a client asks of a register."""

    name: str
    number: int = 0
    expected: int = 0


def model(state: int, call: Call) -> tuple[Any, int]:
    """A register by itself: the result of a call, and the number after it."""
    if call.name == "write":
        return None, call.number
    if call.name == "add":
        return state + call.number, state + call.number
    if call.name == "swap":
        fits = state == call.expected
        return fits, call.number if fits else state
    return state, state


class Registers:
    """Clients that work on the registers, and what they have seen."""

    def __init__(self, addresses: Sequence[str], rng: random.Random) -> None:
        """`addresses` are those of the nodes; the clients ask each of them."""
        self.history: dict[str, list[Operation[Call, Any]]] = {key: [] for key in KEYS}
        self.done: Counter[str] = Counter()
        self._addresses = addresses
        self._rng = rng
        self._numbers = itertools.count(1)
        self._last = dict.fromkeys(KEYS, 0)
        """A number that a register had a moment ago, so that some swaps succeed."""

    async def work(self, name: str, enough: asyncio.Event) -> None:
        """Works at one node after another, as a client of this name, until it is enough."""
        rng = self._rng
        clients = [durable.AsyncClient(it, timeout=WRITE_SECONDS) for it in self._addresses]
        try:
            while not enough.is_set():
                index = rng.randrange(len(clients))
                await self._operate(name, index, clients[index], rng.choice(KEYS))
                await asyncio.sleep(rng.random() * 0.05)
        finally:
            for client in clients:
                await client.close()

    async def _operate(self, who: str, at: int, client: durable.AsyncClient, key: str) -> None:
        call, by_rpc = self._draw(key)
        begin = time.monotonic()
        end, result = NEVER, None
        try:
            async with asyncio.timeout(READ_SECONDS if call.name == "read" else WRITE_SECONDS):
                result = await _ask(client, key, call, by_rpc=by_rpc)
            end = time.monotonic()
        except durable.PreconditionError:
            return  # SetState while a handler runs: it was refused
        except (durable.DurableError, TimeoutError):
            pass
        name = f"{call.name} by RPC" if by_rpc else call.name
        self.done[f"{name} without answer" if end == NEVER else name] += 1
        if end == NEVER and call.name == "read":
            return
        if call.name in ("read", "add") and end != NEVER:
            self._last[key] = result or 0
        way = "rpc" if by_rpc else "invoke"
        self.history[key].append(Operation(call, result, begin, end, f"{who} {way} node {at}"))

    def _draw(self, key: str) -> tuple[Call, bool]:
        """Returns what to ask, and whether it is by GetState and SetState."""
        rng = self._rng
        number = next(self._numbers) * 1000
        kind = rng.random()
        if kind < 0.45:
            return Call("read"), True
        if kind < 0.6:
            return Call("read"), False
        if kind < 0.65:
            return Call("write", number), True
        if kind < 0.75:
            return Call("write", number), False
        if kind < 0.9:
            return Call("add", rng.randint(1, 9)), False
        return Call("swap", number, self._last[key]), False

    def check(self) -> None:
        """Checks that the operations on each key are linearizable."""
        for key, operations in self.history.items():
            problem = explain(operations, 0, model)
            if problem is not None:
                shown = "\n".join(
                    f"{it.begin:.4f} to {it.end:.4f} {it.who}: {it.call} gives {it.result}"
                    for it in problem
                )
                raise AssertionError(f"the history of {key} is not linearizable, around:\n{shown}")


async def _ask(client: durable.AsyncClient, key: str, call: Call, *, by_rpc: bool) -> Any:
    if by_rpc and call.name == "read":
        state = await client.get_state(object="register", key=key)
        return state.get("n", 0)
    if by_rpc:
        await client.set_state(object="register", key=key, values={"n": call.number})
        return None
    to = client.options(key=key)
    if call.name == "read":
        return await to.invoke(Register.read)
    if call.name == "write":
        return await to.invoke(Register.write, call.number)
    if call.name == "add":
        return await to.invoke(Register.add, call.number)
    return await to.invoke(Register.swap, call.expected, call.number)
