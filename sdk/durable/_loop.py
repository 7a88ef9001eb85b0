"""The event loop of one attempt: asyncio, made a function of the journal.

A workflow is ordinary asyncio code, but the loop that runs it belongs to the engine and does only
what a replay can repeat: callbacks in the order in which they were asked for, timers that are entries
of the journal, a clock that shows the journal's time. The engine delivers one completion, runs the
loop until nothing is ready, delivers the next. There is no selector and no thread, and a loop costs
little more than a deque.

What asyncio itself leaves to chance is taken from it:
- `asyncio.wait` returns sets and TaskGroup keeps one, whose order follows the hash of the tasks,
  which follows their address. Tasks and futures of this loop are hashed by their number instead.
- `asyncio.as_completed` puts raw coroutines into a set before it makes tasks of them. It is wrapped,
  at import, to make the tasks first, in the given order, when this loop runs; on other loops it
  does what it always did.

Everything that reaches outside (sockets, threads, subprocesses, signals) raises NonDurableAwaitError
at once. The loop is run from plain callbacks of the worker's loop, never from inside one of its
tasks: from Python 3.14 on a task may not be entered within another.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context as Variables
from contextvars import copy_context
from typing import Any, NoReturn, Protocol, TypeVar

from ._errors import NonDurableAwaitError

T = TypeVar("T")


class Owner(Protocol):
    """What the loop needs of the attempt that it belongs to."""

    def time(self) -> float:
        """The journal's time, in seconds since the Unix epoch."""
        ...

    def set_timer(self, handle: Timer, delay: float) -> None:
        """Makes a journal entry whose completion calls `WorkflowLoop.ring(handle)`."""
        ...

    def unhandled(self, message: str, error: BaseException | None) -> None:
        """Hears of an error that nobody awaits."""
        ...


class Handle:
    """A callback that is to run; a light `asyncio.Handle`."""

    __slots__ = ("args", "callback", "is_cancelled", "variables")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], variables: Variables | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.variables = copy_context() if variables is None else variables
        self.is_cancelled = False

    def cancel(self) -> None:
        """Does not run the callback any more."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Says whether it was cancelled."""
        return self.is_cancelled


class Timer(Handle):
    """A callback that is to run at a time; its journal entry stays when it is cancelled."""

    __slots__ = ("due",)

    def __init__(
        self,
        due: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        variables: Variables | None,
    ) -> None:
        super().__init__(callback, args, variables)
        self.due = due

    def when(self) -> float:
        """The journal's time at which it is due."""
        return self.due


class WorkflowFuture(asyncio.Future[T]):
    """A future of a workflow loop, hashed by its number."""

    def __init__(self, *, loop: WorkflowLoop) -> None:
        super().__init__(loop=loop)
        self._number = loop.next_number()

    def __hash__(self) -> int:
        return self._number

    __eq__ = object.__eq__


class WorkflowTask(asyncio.Task[T]):
    """A task of a workflow loop, hashed by its number."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], *, loop: WorkflowLoop, **more: Any
    ) -> None:
        # Before the base class: it enters the new task into a set, which asks for its hash.
        self._number = loop.next_number()
        super().__init__(coroutine, loop=loop, **more)

    def __hash__(self) -> int:
        return self._number

    __eq__ = object.__eq__


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The loop of one attempt."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._ready: deque[Handle] = deque()
        self._numbers = 0
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that was made, for the end of the attempt."""

    def next_number(self) -> int:
        """Numbers tasks and futures in the order in which they are made."""
        self._numbers += 1
        return self._numbers

    def run_ready(self) -> None:
        """Runs until nothing is ready."""
        ready = self._ready
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while ready:
                handle = ready.popleft()
                if not handle.is_cancelled:
                    try:
                        handle.variables.run(handle.callback, *handle.args)
                    except Exception as error:  # noqa: BLE001 - as asyncio's own handles do
                        self._owner.unhandled("a callback has failed", error)
        finally:
            events._set_running_loop(before)

    def ring(self, timer: Timer) -> None:
        """Makes a timer's callback ready: its entry has completed."""
        self._ready.append(timer)

    def end(self) -> None:
        """Closes what still runs, quietly."""
        self._ready.clear()
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            for task in self.tasks:
                if not task.done():
                    # Asyncio would report a pending task that is dropped; this is on purpose.
                    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own flag
                    coroutine = task.get_coro()
                    if coroutine is not None:
                        _close(coroutine)
                elif not task.cancelled():
                    task.exception()
        finally:
            events._set_running_loop(before)
        self.tasks.clear()
        self._ready.clear()

    # What asyncio asks of a loop

    def call_soon(  # type: ignore[override]  # a lighter handle than asyncio's
        self, callback: Callable[..., object], *args: Any, context: Variables | None = None
    ) -> Any:
        """Runs the callback after what is ready now."""
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]  # a lighter handle than asyncio's
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Variables | None = None,
    ) -> Any:
        """Runs the callback when a durable timer has fired."""
        if delay <= 0:
            return self.call_soon(callback, *args, context=context)
        timer = Timer(self.time() + delay, callback, args, context)
        self._owner.set_timer(timer, delay)
        return timer

    def call_at(  # type: ignore[override]  # a lighter handle than asyncio's
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Variables | None = None,
    ) -> Any:
        """Runs the callback at a time of the journal."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def time(self) -> float:
        """The journal's time."""
        return self._owner.time()

    def create_future(self) -> asyncio.Future[Any]:
        """Makes a future of this loop."""
        return WorkflowFuture(loop=self)

    def create_task(self, coro: Any, **more: Any) -> asyncio.Task[Any]:
        """Makes a task of this loop."""
        task = WorkflowTask(coro, loop=self, **more)
        self.tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hears of an error that nobody awaits."""
        self._owner.unhandled(str(context.get("message", "")), context.get("exception"))

    def get_debug(self) -> bool:
        """Debug mode would slow everything down and find nothing here."""
        return False

    def is_running(self) -> bool:
        """It runs whenever somebody can ask."""
        return True

    def is_closed(self) -> bool:
        """It is not closed; it is dropped."""
        return False

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Nothing to clean up: the journal entry stays."""


def _close(coroutine: Any) -> None:
    """Unwinds a coroutine; what it does about that does not matter any more."""
    for _ in range(3):
        try:
            coroutine.close()
            return
        except RuntimeError:  # it awaited something in a `finally`
            continue
        except BaseException:  # noqa: BLE001 - the attempt is over, whatever user code says to it
            return


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: WorkflowLoop, *_: Any, **__: Any) -> NoReturn:
        raise NonDurableAwaitError(
            f"a workflow called asyncio's {name}, which a replay could not repeat; "
            "wrap it in ctx.run, whose result is journaled"
        )

    refuse.__name__ = name
    return refuse


_ALLOWED = frozenset(vars(WorkflowLoop))
for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in _ALLOWED:
        setattr(WorkflowLoop, _name, _refusal(_name))


_as_completed = asyncio.as_completed


def _ordered_as_completed(fs: Any, **more: Any) -> Any:
    loop = events._get_running_loop()
    given: Any = fs
    # A future or a coroutine is no iterable: the original says so.
    if isinstance(loop, WorkflowLoop) and not (asyncio.isfuture(fs) or asyncio.iscoroutine(fs)):
        given = [asyncio.ensure_future(it) for it in dict.fromkeys(fs)]
    return _as_completed(given, **more)


_ordered_as_completed.__doc__ = _as_completed.__doc__
asyncio.as_completed = asyncio.tasks.as_completed = _ordered_as_completed
