"""What a durable operation returns: a future of the workflow's loop.

It is awaited, gathered, raced or cancelled like any asyncio future. The operation begins when it is
asked for, not when it is awaited. Cancelling the future gives up its result only: a step that runs
goes on, and what it makes is journaled, but an attempt neither fails for it nor waits for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import _patches  # noqa: F401  # whoever has a durable future has the patches
from ._loop import WorkflowFuture, WorkflowLoop

if TYPE_CHECKING:
    from ._webhooks import Webhook

T = TypeVar("T")


class Asked(Protocol):
    """The attempt that an operation belongs to."""

    def given_up(self, index: int) -> None:
        """Hears that nobody wants an operation's result any more."""
        ...


class Issuer(Asked, Protocol):
    """The attempt that an awakeable belongs to."""

    def webhook(
        self, awakeable_id: str, expires_in: float | timedelta | None, scheme: str, secret: str
    ) -> DurableFuture[Webhook]:
        """Asks for a URL that resolves an awakeable."""
        ...


class DurableFuture(WorkflowFuture[T]):
    """The result of a durable operation."""

    __slots__ = ("_attempt", "awaited", "index", "name")

    def __init__(self, attempt: Asked, loop: WorkflowLoop, index: int, name: str) -> None:
        super().__init__(loop=loop)  # a hot path: each further call here is paid by every step
        self._attempt = attempt
        self.awaited = False
        """Whether anything has ever waited for it."""
        self.index = index
        """The operation's place in the journal."""
        self.name = name
        """The operation's name."""

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; this is also what awaiting does."""
        self.awaited = True
        super().add_done_callback(*args, **kwargs)

    def cancel(self, msg: Any = None) -> bool:
        """As asyncio's; the operation itself is not undone."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._attempt.given_up(self.index)
        return cancelled

    def __repr__(self) -> str:
        state = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<DurableFuture {self.name!r} #{self.index} {state}>"


class Awakeable(DurableFuture[T]):
    """A promise that something outside resolves, by its `id`."""

    __slots__ = ("_issuer", "id")

    def __init__(self, attempt: Issuer, loop: WorkflowLoop, index: int, name: str) -> None:
        super().__init__(attempt, loop, index, name)
        self._issuer = attempt
        self.id = name
        """What to hand to whoever is to resolve it."""

    def webhook(
        self,
        *,
        expires_in: float | timedelta | None = None,
        scheme: str = "",
        secret: str = "",
    ) -> DurableFuture[Webhook]:
        """Makes a URL that resolves this awakeable and nothing else; journaled like a step.

        The body of the first POST there becomes the value. It is read as JSON if it says so; an
        awakeable of `type=bytes` has any other body as it came.
        `expires_in` is in seconds or a timedelta, 24 hours by default, a year at most. With a
        `scheme`, "stripe" or "github", the sender must sign with the control plane's webhook secret
        of the name `secret`. The URL is itself a secret. Raises StepFailedError when the control
        plane serves no HTTP or refuses an argument.
        """
        return self._issuer.webhook(self.id, expires_in, scheme, secret)
