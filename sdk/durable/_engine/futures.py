"""What a durable operation returns: a future of the workflow's loop.

It is awaited, gathered, raced or cancelled like any asyncio future. The operation begins when it is
asked for, not when it is awaited. Cancelling the future gives up its result only: a step that runs
goes on, and what it makes is journaled, but an attempt neither fails for it nor waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from . import patches  # noqa: F401  # whoever has a durable future has the patches
from .failures import describe_location
from .loop import WorkflowFuture, WorkflowLoop
from .places import Place

if TYPE_CHECKING:
    from .._common.webhooks import Webhook

T = TypeVar("T")


class Asked(Protocol):
    """The attempt that an operation belongs to."""

    asked_at: Place | None
    """Where the program has asked for the operation that was asked for last."""

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

    __slots__ = ("_attempt", "_looked_at", "awaited", "index", "name", "place")

    def __init__(self, attempt: Asked, loop: WorkflowLoop, index: int, name: str) -> None:
        super().__init__(loop=loop)  # a hot path: each further call here is paid by every step
        self._attempt = attempt
        self.place = attempt.asked_at
        """Where the program has asked for it."""
        self.awaited = False
        """Whether anything has ever waited for it."""
        self._looked_at = False
        self.index = index
        """The operation's place in the journal."""
        self.name = name
        """The operation's name."""

    def __await__(self) -> Generator[Any, None, T]:
        self.awaited = True
        return super().__await__()

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; this is also what awaiting does."""
        self.awaited = True
        super().add_done_callback(*args, **kwargs)

    @property
    def looked_at(self) -> bool:
        """Whether the program waits for it, or has asked how it stands."""
        return self.awaited or self._looked_at

    def done(self) -> bool:
        """As asyncio's."""
        self._looked_at = True
        return super().done()

    def exception(self) -> BaseException | None:
        """As asyncio's."""
        self._looked_at = True
        return super().exception()

    def cancel(self, msg: Any = None) -> bool:
        """As asyncio's; the operation itself is not undone."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._attempt.given_up(self.index)
        return cancelled

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if super().done() else "pending"
        if not self.looked_at:
            state += ", not awaited"
        return f"<DurableFuture {self.name!r} #{self.index} {state}>"


def _used_unawaited(future: DurableFuture[Any], *_: Any) -> NoReturn:
    raise TypeError(
        f"the result of step {future.index} ({future.name!r}) was used and not awaited, at"
        f" {describe_location()}; write `await` in front of it"
    )


def _is_same(future: DurableFuture[Any], other: object) -> bool:
    return future is other or (not isinstance(other, asyncio.Future) and _used_unawaited(future))


def _no_attribute(future: DurableFuture[Any], name: str) -> NoReturn:
    raise AttributeError(
        f"{type(future).__name__!r} object has no attribute {name!r}, and it is not the result of"
        f" {future.name!r} itself; write `await` in front of it",
        name=name,
        obj=future,
    )


# A result that was not awaited, used as if it were there: Python would make something of it, or give an
# error that does not help. Not in the class's body, because type checkers would then allow such uses.
for _name in (
    *("str", "format", "bool", "int", "float", "index", "len", "iter", "getitem", "contains"),
    *("lt", "le", "gt", "ge", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv"),
    *("floordiv", "rfloordiv", "mod", "rmod", "and", "rand", "or", "ror", "neg"),
):
    setattr(DurableFuture, f"__{_name}__", _used_unawaited)
setattr(DurableFuture, "__eq__", _is_same)  # noqa: B010  # the class keeps its hash
setattr(DurableFuture, "__getattr__", _no_attribute)  # noqa: B010


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
