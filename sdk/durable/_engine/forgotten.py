"""What a program has forgotten to wait for, found when its handler has ended and put into words.

Python says nothing, or not whose it was, when an `await` is missing: work is cut off, or its failure is
seen by nobody. Found are
- operations whose result is all they are for (a sleep, a child, a signal ...) that nothing awaited;
- tasks and gathers that nothing awaited and that the handler's end cuts off;
- coroutines that were never awaited, so that nothing of them has run;
- failures that nobody looked at, of whatever: a task, a step, a signal that could not be sent.

Not found, because they are allowed: steps, sends, resolutions and changes of the state that nobody
awaits and that went well, what lost a race, and what was cancelled. Of a handler that has failed only
the last two kinds are reported: it may just not have come to its other awaits.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from .failures import summary, to_failure
from .futures import DurableFuture
from .journal import CALL, CANCEL, INVOKE, RESOLVE, RUN, SEND, described
from .loop import WorkflowLoop, WorkflowTask
from .places import Place, line_of

TEXTS_MAX: Final = 20
"""Findings of one attempt; a loop may make any number of the same."""
EARLY_MAX: Final = 100
"""Futures that are kept before those that were awaited meanwhile are let go."""

_FOR_THEIR_EFFECT: Final = frozenset({RUN, CALL, SEND, RESOLVE, CANCEL})
_AWAIT: Final = "write `await` in front of it"


class Forgotten:
    """The findings of one attempt."""

    __slots__ = ("_early", "_early_max", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        """What was found, each in a sentence; complete when the attempt has ended."""
        self._early: list[tuple[int, DurableFuture[Any]]] = []
        self._early_max = EARLY_MAX

    def completed(self, kind: int, future: DurableFuture[Any]) -> None:
        """Notes an operation that has completed before anything awaited it."""
        early = self._early
        early.append((kind, future))
        if len(early) > self._early_max:
            early[:] = [it for it in early if not it[1].looked_at]
            self._early_max = max(EARLY_MAX, 2 * len(early))

    def failed_unseen(self, what: Any, error: BaseException) -> None:
        """Notes a failure that nobody has looked at."""
        if isinstance(what, DurableFuture):
            found = f"step {what.index} ({what.name!r}{_asked(what.place)})"
        elif isinstance(what, WorkflowTask):
            found = f"the task {_named(what)}"
        else:
            found = f"a {type(what).__name__.strip('_')}"
        why = summary(to_failure(error))
        self._add(f"nobody has seen that {found} failed: {why}; {_AWAIT}, or catch what it raises")

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Notes a coroutine that is dropped, and has never run."""
        code = getattr(coroutine, "cr_code", None)
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        where = (
            f" made at {line_of(place)}"
            if place
            else f" defined at {line_of((code, 0))}"
            if code
            else ""
        )
        self._add(
            f"nothing awaited the coroutine {name}{where}, so nothing of it has run; {_AWAIT}"
        )

    def saga_not_entered(self, place: Place | None) -> None:
        """Notes a saga that has undone nothing, because it is no block's; None for one that is."""
        if place is not None:
            self._add(
                f"nothing was undone of what was given to the saga at {line_of(place)}; write"
                " `async with durable.saga(ctx) as saga:` around it, or await saga.compensate()"
            )

    def handler_ended(
        self, loop: WorkflowLoop, unfinished: list[tuple[int, DurableFuture[Any]]], well: bool
    ) -> None:
        """Looks at everything once the handler has ended; `well` when it has returned a value."""
        for task in loop.tasks:
            if task is loop.main:
                continue
            if task.done():
                # Asyncio's own flag: an exception was set, and nobody has retrieved it.
                if getattr(task, "_log_traceback", False) and not task.cancelled():
                    error = task.exception()
                    assert error is not None
                    self.failed_unseen(task, error)
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
                self.failed_unseen(future, error)
            elif well and kind not in _FOR_THEIR_EFFECT:
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
    words = "sleep" if future.name == "sleep" else described(kind, future.name)
    where = _asked(future.place)
    text = f"nothing awaited the {words} that is its step {future.index}{where}; {_AWAIT}"
    if kind == INVOKE:
        text += ", or use ctx.send for work that nobody waits for"
    return text


def _asked(place: Place | None) -> str:
    return f", asked for at {line_of(place)}"


def _named(task: asyncio.Task[Any]) -> str:
    name = getattr(task.get_coro(), "__qualname__", task.get_name())
    place: Place | None = getattr(task, "place", None)
    return f"{name} made at {line_of(place)}" if place else name
