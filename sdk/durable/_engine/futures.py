"""Durable futures: what a durable operation returns to the program.

A durable future is awaited, gathered, raced or cancelled like any asyncio future. The operation
begins when it is started, not when it is awaited. Cancelling the future discards the result: a step
that runs goes on and its value is journaled, but the attempt neither fails because of it nor waits
for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from . import asyncio_patches  # noqa: F401  # a program that has a durable future needs them
from .failures import describe_location
from .loop import WorkflowFuture, WorkflowLoop
from .places import Place

if TYPE_CHECKING:
    from .._common.webhooks import Webhook

T = TypeVar("T")


class FutureOwner(Protocol):
    """The part of an attempt that has started an operation."""

    def future_cancelled(self, index: int) -> None:
        """Is called when the program cancels the operation's future."""
        ...


class SignalOwner(FutureOwner, Protocol):
    """The part of an attempt that has started the wait for a signal."""

    def signal_read(self, index: int) -> None:
        """Is called when the program has got the outcome of the wait."""
        ...


class AwakeableOwner(FutureOwner, Protocol):
    """The part of an attempt that has started an awakeable."""

    def webhook(
        self, awakeable_id: str, expires_in: float | timedelta | None, scheme: str, secret: str
    ) -> DurableFuture[Webhook]:
        """Makes a URL that resolves an awakeable."""
        ...


class DurableFuture(WorkflowFuture[T]):
    """The result of a durable operation."""

    __slots__ = ("_looked_at", "_owner", "awaited", "index", "name", "place")

    def __init__(
        self,
        owner: FutureOwner | None,
        loop: WorkflowLoop,
        index: int,
        name: str,
        place: Place | None,
    ) -> None:
        super().__init__(loop=loop)  # a hot path: every step pays for each further call here
        self._owner = owner
        """What has to know of a cancellation; None if nothing has."""
        self.place = place
        """The program's line that has started the operation."""
        self.awaited = False
        """True once anything has waited for it."""
        self._looked_at = False
        self.index = index
        """The operation's index in the journal."""
        self.name = name
        """The operation's name."""

    def __await__(self) -> Generator[Any, None, T]:
        self.awaited = True
        return super().__await__()

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; awaiting the future calls this too."""
        self.awaited = True
        super().add_done_callback(*args, **kwargs)

    @property
    def looked_at(self) -> bool:
        """True once the program has awaited it, or has read whether it is done."""
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
        if cancelled and self._owner is not None:
            self._owner.future_cancelled(self.index)
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


# These operators raise, because a program that uses them has forgotten to await the future: Python
# would give a wrong result or an error that does not help. They are set outside of the class's
# body, because type checkers would otherwise allow such uses.
for _name in (
    *("str", "format", "bool", "int", "float", "index", "len", "iter", "getitem", "contains"),
    *("lt", "le", "gt", "ge", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv"),
    *("floordiv", "rfloordiv", "mod", "rmod", "and", "rand", "or", "ror", "neg"),
):
    setattr(DurableFuture, f"__{_name}__", _used_unawaited)
setattr(DurableFuture, "__eq__", _is_same)  # noqa: B010  # the class keeps its hash
setattr(DurableFuture, "__getattr__", _no_attribute)  # noqa: B010


class SignalFuture(DurableFuture[T]):
    """The next signal of a name. Its owner hears when the program has got the signal's outcome."""

    __slots__ = ("_taker",)

    def __init__(
        self,
        owner: SignalOwner,
        loop: WorkflowLoop,
        index: int,
        name: str,
        place: Place | None,
    ) -> None:
        super().__init__(owner, loop, index, name, place)
        self._taker = owner

    def __await__(self) -> Generator[Any, None, T]:
        try:
            return (yield from super().__await__())
        finally:
            self._tell()

    def result(self) -> T:
        """As asyncio's."""
        self._tell()
        return super().result()

    def exception(self) -> BaseException | None:
        """As asyncio's; asyncio.gather asks for it, and that alone does not read a value."""
        error = super().exception()
        if error is not None:
            self._tell()
        return error

    def _tell(self) -> None:
        if super().done():
            self._taker.signal_read(self.index)


class Awakeable(DurableFuture[T]):
    """A promise that something outside resolves, by its `id`."""

    __slots__ = ("_issuer", "id")

    def __init__(
        self,
        owner: AwakeableOwner,
        loop: WorkflowLoop,
        index: int,
        name: str,
        place: Place | None,
    ) -> None:
        super().__init__(owner, loop, index, name, place)
        self._issuer = owner
        self.id = name
        """The id with which it is resolved."""

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
