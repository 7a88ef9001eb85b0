"""The report of what a program has not awaited, in sentences for the log.

Where an `await` is missing, work is cut off or a failure is lost, and Python says nothing or does
not say in which workflow. The report is made when the handler has ended. It names
- operations that are of use only through their result (a sleep, a child, a signal ...) and that
  nothing awaited;
- tasks and gathers that nothing awaited and that the handler's end cuts off;
- coroutines that were never awaited, so that they never ran;
- failures that no code looked at: of a task, a step, a signal that could not be sent;
- sagas that have never run their compensations.

It leaves out what is allowed: steps, sends, resolutions and changes of the state that nobody awaits
and that succeeded; the losers of a race; and what was cancelled. Of a handler that has failed it
reports only coroutines, failures and sagas, because such a handler may just not have reached its
other awaits.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from .._common.errors import AttemptEnded
from .entry_kinds import KINDS, describe
from .failures import summary, to_failure
from .futures import DurableFuture
from .loop import WorkflowLoop, WorkflowTask
from .places import Place, line_of

TEXTS_MAX: Final = 20
"""Sentences for one attempt: a loop may repeat one mistake any number of times."""
EARLY_MAX: Final = 100
"""How many futures are kept before those that have been awaited since are dropped."""

_AWAIT: Final = "write `await` in front of it"


class UnawaitedReport:
    """The report for one attempt."""

    __slots__ = ("_early", "_early_max", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        """The sentences; complete when the attempt has ended."""
        self._early: list[tuple[int, DurableFuture[Any]]] = []
        self._early_max = EARLY_MAX

    def completed(self, kind: int, future: DurableFuture[Any]) -> None:
        """Notes an operation that has completed before anything awaited it."""
        early = self._early
        early.append((kind, future))
        if len(early) > self._early_max:
            early[:] = [it for it in early if not it[1].looked_at]
            self._early_max = max(EARLY_MAX, 2 * len(early))

    def failure_unseen(self, what: Any, error: BaseException) -> None:
        """Reports a failure that no code has looked at."""
        if isinstance(what, DurableFuture):
            found = f"step {what.index} ({what.name!r}{_started_at(what.place)})"
        elif isinstance(what, WorkflowTask):
            found = f"the task {_named(what)}"
        else:
            found = f"a {type(what).__name__.strip('_')}"
        why = summary(to_failure(error))
        self._add(f"nobody has seen that {found} failed: {why}; {_AWAIT}, or catch what it raises")

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Reports a coroutine that the program has dropped before it ran."""
        code = getattr(coroutine, "cr_code", None)
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        where = (
            f" made at {line_of(place)}"
            if place
            else f" defined at {line_of((code, 0))}"
            if code
            else ""
        )
        self._add(f"nothing awaited the coroutine {name}{where}, so it never ran; {_AWAIT}")

    def saga_not_used(self, place: Place) -> None:
        """Reports a saga whose compensations neither a block nor `compensate()` has run."""
        self._add(
            f"nothing has run the compensations of the saga at {line_of(place)}; write"
            " `async with durable.saga(ctx) as saga:` around it, or await saga.compensate()"
        )

    def handler_ended(
        self, loop: WorkflowLoop, unfinished: list[tuple[int, DurableFuture[Any]]], well: bool
    ) -> None:
        """Checks everything once the handler has ended; `well` is True if it has returned a value."""
        for task in loop.tasks:
            if task is loop.main:
                continue
            if task.done():
                # Asyncio's own flag: an exception was set and never retrieved.
                if getattr(task, "_log_traceback", False) and not task.cancelled():
                    error = task.exception()
                    assert error is not None
                    if not isinstance(error, AttemptEnded):  # the task has continued as new
                        self.failure_unseen(task, error)
            elif well and not (getattr(task, "awaited", True) or task.cancelling()):
                self._add(
                    f"nothing awaited the task {_named(task)}, and the handler's end cuts it off;"
                    " await it, or use asyncio.TaskGroup"
                )
        for kind, future in self._early + unfinished:
            if future.cancelled() or future.looked_at:
                continue
            if future._log_traceback:  # asyncio's own flag, as above
                error = future.exception()
                assert error is not None
                self.failure_unseen(future, error)
            elif well and not KINDS[kind].has_effect:
                self._add(_unawaited(kind, future))
        self._early.clear()
        if well:
            for place in loop.unawaited_gathers():
                self._add(
                    f"nothing awaited the asyncio.gather of {line_of(place)}, and the handler's end"
                    f" cuts it off; {_AWAIT}"
                )

    def _add(self, text: str) -> None:
        if len(self.texts) < TEXTS_MAX and text not in self.texts:
            self.texts.append(text)


def _unawaited(kind: int, future: DurableFuture[Any]) -> str:
    words = "sleep" if future.name == "sleep" else describe(kind, future.name)
    where = _started_at(future.place)
    text = f"nothing awaited the {words} that is its step {future.index}{where}; {_AWAIT}"
    hint = KINDS[kind].hint
    return f"{text}, {hint}" if hint else text


def _started_at(place: Place | None) -> str:
    return f", started at {line_of(place)}"


def _named(task: asyncio.Task[Any]) -> str:
    name = getattr(task.get_coro(), "__qualname__", task.get_name())
    place: Place | None = getattr(task, "place", None)
    return f"{name} made at {line_of(place)}" if place else name
