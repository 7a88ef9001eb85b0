"""Sagas: undo what was done, in reverse order, when a later part of the program fails.

A saga is a list of compensations. The program registers them while it goes on, and they run when
the saga's block is left by an error. Rules:

- Compensations are ordinary durable operations, so they are retried, journaled and replayed. They
  run one after the other, the last one first, in a task of their own: a cancellation or a timeout
  that arrives meanwhile does not stop them, and is raised when all have run.
- What compensations start begins when the steps that the program has discarded (by a timeout, a
  cancellation, a group that fails) have ended, because what they undo must not be done after them.
  Steps wait, and so do entries that have an effect outside of the invocation or on the state. Their
  indexes are given at once, so a replay need not wait: it does not run discarded steps again. The
  worker bounds the wait.
- An attempt that merely ends (because it is suspended, for example) leaves the block too, and
  compensates nothing.
- A programming error holds the invocation where it leaves the block, before any compensation: the
  corrected code goes on from there. After compensations nothing would be left to
  continue.
- A RetryableError ends the attempt where it leaves the block, because it asks for another attempt.
- Once compensations have run, the program has failed: if the error, or one that it causes, leaves
  the handler, the invocation ends with it, whatever the retry policy says.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self

from .._common.errors import AttemptEnded, CodecError, CompensationFailedError, RetryableError
from .._definitions.retry import Verdict, leaves
from .context import Context
from .places import place_of
from .program import Program
from .service_calls import is_stub_method

P = ParamSpec("P")

_NAME_CHARS = 60


class Saga:
    """The compensations of what a block has done; `durable.saga` makes one."""

    def __init__(self, ctx: Context) -> None:
        if not isinstance(ctx, Context):
            raise TypeError(f"durable.saga takes the workflow's context, not {ctx!r}")
        self._ctx = ctx
        self._compensations: list[Callable[[], Any]] = []
        self._used = False
        """True once a block or the program has said when the compensations run."""

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
            place = place_of(sys._getframe(1))
            if place is not None:
                self._ctx._program.compensations.unused[self] = place
        called = partial(function, *args, **kwargs)
        if _is_durable(function, args):
            self._compensations.append(called)
        else:
            step = partial(self._ctx.run, f"undo {_name(function)}", function, *args, **kwargs)
            self._compensations.append(step)

    def commit(self) -> None:
        """Drops the compensations: what was done stays done, even if the block fails later."""
        self._use()
        self._compensations.clear()

    async def compensate(self) -> None:
        """Runs the compensations now, for a program that ends without an error.

        When all have run, raises the failure of a compensation, or an ExceptionGroup of several.
        """
        self._use()
        failures, cancelled = await self._undo()
        if cancelled is not None:
            raise cancelled
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup("compensations have failed", failures)

    async def __aenter__(self) -> Self:
        self._use()
        self._ctx._program.compensations.open_blocks += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Runs the compensations if an error leaves the block; the error then goes on.

        Raises CompensationFailedError if a compensation failed, or a cancellation that arrived while
        they ran.
        """
        self._ctx._program.compensations.open_blocks -= 1
        if error is None or isinstance(error, AttemptEnded | GeneratorExit):
            return
        count = len(self._compensations)
        if not count:
            return
        _interrupt_for_retry(self._ctx._program, error)
        self._ctx._program.compensations.compensated.append(error)
        failures, cancelled = await self._undo()
        if failures:
            raise CompensationFailedError(error, failures, count) from error
        if cancelled is not None and not isinstance(error, asyncio.CancelledError):
            raise cancelled

    async def _undo(self) -> tuple[list[Exception], asyncio.CancelledError | None]:
        """Runs all compensations; returns their failures, and a cancellation that arrived then."""
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
        state = self._ctx._program.compensations
        state.running += 1
        try:
            while self._compensations:
                compensation = self._compensations.pop()
                try:
                    result = compensation()
                    if inspect.isawaitable(result):
                        await result
                except Exception as error:  # noqa: BLE001  # the others must run anyway
                    _interrupt_for_retry(self._ctx._program, error)
                    failures.append(error)
        finally:
            state.running -= 1
        return failures

    def _use(self) -> None:
        self._used = True
        self._ctx._program.compensations.unused.pop(self, None)


def saga(ctx: Context) -> Saga:
    """Makes a saga: `async with durable.saga(ctx) as saga:`.

    What is registered with `saga.undo(function, *args)` runs in reverse order when the block is left by
    an error: an exception, a timeout, a cancellation. The error then goes on. Compensations are steps
    with the handler's retry policy; `durable.saga(ctx.options(retry=...))` gives them another. One that
    fails for good does not keep the others from running; then CompensationFailedError is raised, which
    has both errors.
    """
    return Saga(ctx)


def _interrupt_for_retry(program: Program, error: BaseException) -> None:
    """Ends the attempt if the program is to go on from here later: when corrected, or by a retry."""
    verdict = program.policy.verdict(error, of_step=False)
    parts = list(leaves(error))
    # A CodecError is no mistake of the program here if the sender of the value may have made it.
    if verdict is Verdict.HOLD and not all(
        isinstance(it, CodecError) and not it.recorded for it in parts
    ):
        program.loop.interrupt(error, hold=True)
    if verdict is Verdict.RETRY and any(isinstance(it, RetryableError) for it in parts):
        program.loop.interrupt(error, hold=False)


def _is_durable(function: object, args: tuple[object, ...]) -> bool:
    """Returns True if a call is the workflow's own code and is not to become a step."""
    if is_stub_method(function):
        return True
    if isinstance(function, partial):
        return _is_durable(function.func, (*function.args, *args))
    if isinstance(getattr(function, "__self__", None), Context):
        return True
    return bool(args) and isinstance(args[0], Context)


def _name(function: Any) -> str:
    """Returns a function's name as a person knows it."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return str(name)[:_NAME_CHARS]
