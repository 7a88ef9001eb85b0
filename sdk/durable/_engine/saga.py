"""Sagas: what was done is undone, in reverse, when the rest cannot be done.

A saga is a list of compensations that the program fills while it goes on, and that runs when its block
is left by an error. Rules:

- Compensations are ordinary durable operations, so they are retried, journaled and replayed. They run
  one after the other, the last one first, in a task of their own: a cancellation or a timeout that
  comes meanwhile does not stop them, and is raised when they are through.
- Steps begin to undo when those that the program has given up (by a timeout, a cancellation, a group
  that fails) have ended: what they undo must not come after them. A replay need not wait, because it
  does not run again what was given up. The shell sees to it that they do end, or are left alone.
- An attempt that merely ends (it is suspended, say) leaves the block too, and undoes nothing.
- A programming error holds the invocation where it leaves the block, before anything is undone: the
  code that is put right goes on from there. Undone, nothing would be left to go on with.
- A RetryableError ends the attempt where it leaves the block: another attempt is what it asks for.
- Once something was undone the program has failed: an error that goes on from the saga out of the
  handler, or comes of it, ends the invocation, whatever the retry policy says.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self

from .._common.errors import AttemptEnded, CodecError, CompensationFailedError, RetryableError
from .._definitions.retry import Verdict, leaves
from .abilities import Abilities
from .places import Place, place_of
from .service_calls import is_stub_method

if TYPE_CHECKING:
    from .context import Context
    from .operations import Operations

P = ParamSpec("P")

_NAME_CHARS = 60


class Saga:
    """The compensations of what a block has done; `durable.saga` makes one."""

    def __init__(self, ctx: Context) -> None:
        if not isinstance(ctx, Abilities):
            raise TypeError(f"durable.saga takes the workflow's context, not {ctx!r}")
        self._ctx = ctx
        self._compensations: list[Callable[[], Any]] = []
        self._used = False
        """Whether anything says when to undo: a block, or the program."""
        self._given_at: Place | None = None

    def undo(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Registers what undoes something, with its arguments as they are now.

        `function` is one of three things:

        - Any function, async or not: it becomes a step, `undo <its name>`, as with `ctx.run`.
        - A durable operation, such as `ctx.run`, `ctx.invoke` or a method of a durable stub.
        - Workflow code: an async function that has the context as its first argument.

        Register it before the step that it undoes: a step that fails may have had its effect all the
        same. So undoing must do no harm where there is nothing to undo, or was undone already. Raises
        TypeError for what cannot be called: give the function and its arguments, do not call it.
        """
        if not callable(function):
            raise TypeError(
                f"saga.undo takes a function and its arguments, not {function!r}; write"
                " saga.undo(release, seat), and not saga.undo(release(seat))"
            )
        if not (self._used or self._compensations):
            self._given_at = place_of(sys._getframe(1))
            self._ctx._attempt.idle_sagas.append(self)
        called = partial(function, *args, **kwargs)
        if _is_durable(function, args):
            self._compensations.append(called)
        else:
            step = partial(self._ctx.run, f"undo {_name(function)}", function, *args, **kwargs)
            self._compensations.append(step)

    def commit(self) -> None:
        """Forgets what was registered: it stays done, whatever comes after."""
        self._used = True
        self._compensations.clear()

    async def compensate(self) -> None:
        """Undoes now what was registered, for a program that ends without an error.

        Raises the failure of a compensation, if it was one, when all others have run; an
        ExceptionGroup of several.
        """
        self._used = True
        failures, cancelled = await self._undo()
        if cancelled is not None:
            raise cancelled
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup("compensations have failed", failures)

    @property
    def forgotten_at(self) -> Place | None:
        """Where it was first given something to undo, if nothing ever says when; None else."""
        return None if self._used else self._given_at

    async def __aenter__(self) -> Self:
        self._used = True
        self._ctx._attempt.open_sagas += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Undoes what was registered if the block is left by an error, which then goes on.

        Raises CompensationFailedError when something could not be undone, and the cancellation that
        came meanwhile, if one did.
        """
        self._ctx._attempt.open_sagas -= 1
        if error is None or isinstance(error, AttemptEnded | GeneratorExit):
            return
        count = len(self._compensations)
        if not count:
            return
        attempt = self._ctx._attempt
        _end_for_retry(attempt, error)
        attempt.undone(error)
        failures, cancelled = await self._undo()
        if failures:
            raise CompensationFailedError(error, failures, count) from error
        if cancelled is not None and not isinstance(error, asyncio.CancelledError):
            raise cancelled

    async def _undo(self) -> tuple[list[Exception], asyncio.CancelledError | None]:
        """Runs all compensations; returns their failures, and a cancellation that came meanwhile."""
        cancelled: asyncio.CancelledError | None = None
        undoing = asyncio.ensure_future(self._run())
        while not undoing.done():
            try:
                await asyncio.shield(undoing)
            except asyncio.CancelledError as error:
                if undoing.cancelled():
                    raise
                cancelled = error
        return undoing.result(), cancelled

    async def _run(self) -> list[Exception]:
        failures: list[Exception] = []
        attempt = self._ctx._attempt
        attempt.undoing += 1
        try:
            while self._compensations:
                compensation = self._compensations.pop()
                try:
                    result = compensation()
                    if inspect.isawaitable(result):
                        await result
                except Exception as error:  # noqa: BLE001  # the others must run all the same
                    _end_for_retry(attempt, error)
                    failures.append(error)
        finally:
            attempt.undoing -= 1
        return failures


def saga(ctx: Context) -> Saga:
    """Makes a saga: `async with durable.saga(ctx) as saga:`.

    What is registered with `saga.undo(function, *args)` runs in reverse order when the block is left by
    an error: an exception, a timeout, a cancellation. The error then goes on. Compensations are steps
    with the handler's retry policy; `durable.saga(ctx.options(retry=...))` gives them another. One that
    fails for good does not keep the others from running; then CompensationFailedError is raised, which
    has both errors.
    """
    return Saga(ctx)


def _end_for_retry(attempt: Operations, error: BaseException) -> None:
    """Ends the attempt if the program is to go on from where it is: put right, or a little later."""
    verdict = attempt.policy.verdict(error, of_step=False)
    parts = list(leaves(error))
    # A value that does not fit may be the fault of whoever gave it: CodecError is no mistake here.
    if verdict is Verdict.HOLD and not all(isinstance(it, CodecError) for it in parts):
        attempt.hold(error)
    if verdict is Verdict.RETRY and any(isinstance(it, RetryableError) for it in parts):
        attempt.fail(error)


def _is_durable(function: object, args: tuple[object, ...]) -> bool:
    """Says whether a call is code of the workflow, and not of a step."""
    if is_stub_method(function):
        return True
    if isinstance(function, partial):
        return _is_durable(function.func, (*function.args, *args))
    if isinstance(getattr(function, "__self__", None), Abilities):
        return True
    return bool(args) and isinstance(args[0], Abilities)


def _name(function: Any) -> str:
    """Returns what a person calls a function."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return str(name)[:_NAME_CHARS]
