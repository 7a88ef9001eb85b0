"""What a durable operation returns: a future of the workflow's loop.

It is awaited, gathered, raced or cancelled like any asyncio future. The operation begins when it is
asked for, not when it is awaited. Cancelling the future gives up its result only: a step that runs
goes on, and what it makes is journaled.
"""

from __future__ import annotations

from typing import TypeVar

from ._loop import WorkflowFuture, WorkflowLoop

T = TypeVar("T")


class DurableFuture(WorkflowFuture[T]):
    """The result of a durable operation."""

    def __init__(self, loop: WorkflowLoop, index: int, name: str) -> None:
        super().__init__(loop=loop)
        self.index = index
        """The operation's place in the journal."""
        self.name = name
        """The operation's name."""

    def __repr__(self) -> str:
        state = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<DurableFuture {self.name!r} #{self.index} {state}>"
