"""The workflows that the client programs of this folder invoke.

Their inputs and results are dataclasses here and JSON objects on the wire: {"name": "Ada"}.
"""

from __future__ import annotations

from dataclasses import dataclass

import durable


@dataclass
class Greet:
    """What `greet` takes."""

    name: str


@dataclass
class Greeting:
    """What `greet` gives."""

    message: str
    letters: int


@dataclass
class Order:
    """What `order` takes."""

    item: str


@dataclass
class Approval:
    """The value that resolves the promise `approval` of an order."""

    by: str


@dataclass
class Ordered:
    """What `order` gives."""

    item: str
    approved_by: str


@durable.workflow
async def greet(ctx: durable.Context, greet: Greet) -> Greeting:
    """Greets, and counts the letters."""
    message = await ctx.run("greet", lambda: f"Hello, {greet.name}!")
    return Greeting(message, len(greet.name))


@durable.workflow
async def order(ctx: durable.Context, order: Order) -> Ordered:
    """Waits until somebody outside approves; a rejection is the order's failure too.

    The approval is the awakeable `<invocation id>.approval`.
    """
    try:
        approval = await ctx.promise("approval", type=Approval)
    except durable.StepFailedError as rejection:
        raise durable.TerminalError(f"{order.item}: {rejection.message}", code=409) from rejection
    return Ordered(order.item, approval.by)
