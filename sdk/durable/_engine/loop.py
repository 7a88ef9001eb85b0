"""The event loop of one attempt: asyncio, made a function of the journal.

A workflow is ordinary asyncio code, but the loop that runs it belongs to the engine and does only
what a replay can repeat: callbacks in the order in which they were asked for, timers that are entries
of the journal, a clock that shows the journal's time. The engine delivers one completion, runs the
loop until nothing is ready, delivers the next. There is no selector and no thread, and a loop costs
little more than a deque.

What asyncio itself leaves to chance is taken from it:
- `asyncio.wait` returns sets and TaskGroup keeps one, whose order follows the hash of the tasks,
  which follows their address. Tasks and futures of this loop are hashed by their number instead.
- Tasks get names of this loop's own; asyncio numbers them for the whole process.
- An async generator that is dropped half-way would be closed by the worker's loop, whenever the
  garbage collector finds it. It is closed at once instead, and quietly.
- What asyncio makes without asking the loop is patched, see `_patches`.

Everything that reaches outside (sockets, threads, subprocesses, signals) raises NonDurableAwaitError
at once. The loop is run from plain callbacks of the worker's loop, never from inside one of its
tasks: from Python 3.14 on a task may not be entered within another.

A program that only ever yields (`while True: await asyncio.sleep(0)`) would hold up all others of
the worker; CALLBACKS_MAX bounds how much it may do without waiting for anything.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
import weakref
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context as Variables
from contextvars import copy_context
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeVar

from .._common.errors import AttemptEnded, NonDurableAwaitError
from .places import Place, place_of

T = TypeVar("T")

CALLBACKS_MAX: Final = 1_000_000
"""Callbacks between two completions: about a second, and far more than any program that waits."""
THROWS_MAX: Final = 100
"""How often a task whose attempt is over may wait once more, as an `await` in a `finally` does."""
GATHERS_MAX: Final = 100
"""Gathers that are kept in mind before those that are over are forgotten."""
REFUSALS_MAX: Final = 1_000
"""How many operations in a row an attempt that is over refuses; those after that never complete."""


class Owner(Protocol):
    """What the loop needs of the attempt that it belongs to."""

    def time(self) -> float:
        """The journal's time, in seconds since the Unix epoch."""
        ...

    def set_timer(self, handle: Timer, delay: float) -> None:
        """Makes a journal entry whose completion calls `WorkflowLoop.ring(handle)`."""
        ...

    def unhandled(self, message: str, error: BaseException | None, source: Any = None) -> None:
        """Hears of an error that nobody awaits; `source` is the future or task that has it."""
        ...

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Hears of a coroutine that is dropped, and of which nothing has run."""
        ...


class Gather(NamedTuple):
    """A gather that was not done when it was made."""

    future: weakref.ref[asyncio.Future[Any]]
    place: Place | None


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

    __slots__ = ("_number",)

    def __init__(self, *, loop: WorkflowLoop) -> None:
        super().__init__(loop=loop)
        loop.numbers += 1
        self._number = loop.numbers

    def __hash__(self) -> int:
        return self._number

    __eq__ = object.__eq__


class WorkflowTask(asyncio.Task[T]):
    """A task of a workflow loop, hashed by its number."""

    _number = 0
    awaited = False
    """Whether anything has ever waited for it."""
    place: Place | None = None
    """Where the program has made it."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], *, loop: WorkflowLoop, **more: Any
    ) -> None:
        number = loop.next_number()
        if more.get("name") is None:
            more["name"] = f"Task-{number}"
        if more.get("eager_start"):
            self._number = number
        super().__init__(coroutine, loop=loop, **more)
        # Not before: the base class enters the task into a set of all tasks of the process, where
        # the first tasks of all attempts would collide. An eager one runs in there, and may ask.
        self._number = number

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; this is also what awaiting does."""
        self.awaited = True
        super().add_done_callback(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number or object.__hash__(self)

    __eq__ = object.__eq__


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The loop of one attempt."""

    runs_workflow = True
    """How code that must not import this module knows such a loop."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._ready: deque[Handle] = deque()
        self.numbers = 0
        """How many tasks and futures were made; the last one's number."""
        self.stopped = False
        """Set when nothing may run any more, whatever is ready."""
        self.closing = False
        """Set while code is unwound that can wait for nothing any more."""
        self.main: asyncio.Task[Any] | None = None
        """The task of the handler; when it is over, so is everything else."""
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that was made, for the end of the attempt."""
        self._gathers: list[Gather] = []
        self._gathers_max = GATHERS_MAX
        self.stubborn: list[str] = []
        """Names of tasks that would not end."""
        self._refused = 0

    def next_number(self) -> int:
        """Numbers tasks and futures in the order in which they are made."""
        self.numbers += 1
        return self.numbers

    def run_ready(self) -> None:
        """Runs until nothing is ready, or the handler has ended."""
        ready = self._ready
        before, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(None, self._drop_generator)
        left, main = CALLBACKS_MAX, self.main
        try:
            while ready and not self.stopped:
                handle = ready.popleft()
                if handle.is_cancelled:
                    continue
                try:
                    handle.variables.run(handle.callback, *handle.args)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # noqa: BLE001 - SystemExit too: it is the program's
                    self._owner.unhandled("a callback has failed", error)
                if main is not None and main.done():
                    return
                left -= 1
                if not left:
                    self._owner.unhandled("a program that never waits", _busy())
                    return
        finally:
            events._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)

    def ring(self, timer: Timer) -> None:
        """Makes a timer's callback ready: its entry has completed."""
        self._ready.append(timer)

    def gathered(self, future: asyncio.Future[Any]) -> None:
        """Keeps in mind what asyncio.gather has returned."""
        if future.done():
            return
        gathers = self._gathers
        gathers.append(Gather(weakref.ref(future), place_of(sys._getframe(1))))
        if len(gathers) > self._gathers_max:
            gathers[:] = [it for it in gathers if _is_pending(it.future())]
            self._gathers_max = max(GATHERS_MAX, 2 * len(gathers))

    def unawaited_gathers(self) -> list[Place | None]:
        """Returns where gathers were made that are not done and that nothing has ever awaited."""
        return [
            it.place
            for it in self._gathers
            if _is_pending(future := it.future()) and not getattr(future, "durable_awaited", False)
        ]

    def never_awaited(self, coroutine: Any) -> None:
        """Hears of a coroutine that is dropped, and of which nothing has run."""
        if not self.closing:
            self._owner.never_awaited(coroutine, place_of(sys._getframe(1)))

    def refuse(self) -> None:
        """Raises AttemptEnded in code that asks for an operation while it is unwound.

        Returns in the end: code that catches all and tries on would never give way otherwise. What it
        then gets is an operation that nobody sends and nothing completes.
        """
        self._refused += 1
        if self._refused <= REFUSALS_MAX:
            raise AttemptEnded

    def end(self) -> None:
        """Ends what still runs, quietly: AttemptEnded is raised wherever a task waits."""
        self.stopped = self.closing = True
        self._ready.clear()
        pending = [task for task in self.tasks if not task.done()]
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.exception()  # or asyncio would report that nobody has
        self.tasks.clear()
        if not pending:
            return
        before, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(None, self._drop_generator)
        try:
            for task in pending:
                # Asyncio would report a pending task that is dropped; this is on purpose.
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own flag
                coroutine = task.get_coro()
                if coroutine is not None and not _unwind(coroutine):
                    self.stubborn.append(getattr(coroutine, "__qualname__", task.get_name()))
        finally:
            events._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)
        self._ready.clear()

    def _drop_generator(self, generator: Any) -> None:
        """Closes an async generator that was dropped half-way: its `finally` cannot wait."""
        # The garbage collector may find it while other code runs.
        before = events._get_running_loop()
        closing, self.closing = self.closing, True
        events._set_running_loop(self)
        closer = generator.aclose()
        try:
            closer.send(None)
            closer.close()  # it awaits something in a `finally`
        except BaseException:  # noqa: BLE001 - StopIteration as a rule; the rest is of no interest
            return
        finally:
            self.closing = closing
            events._set_running_loop(before)

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
        task.place = place_of(sys._getframe(1))
        self.tasks.append(task)
        return task

    def create_main(self, coroutine: Coroutine[Any, Any, Any], variables: Variables) -> None:
        """Makes the task of the handler."""
        self.main = WorkflowTask(coroutine, loop=self, context=variables)
        self.tasks.append(self.main)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hears of an error that nobody awaits."""
        source = context.get("future", context.get("task"))
        self._owner.unhandled(str(context.get("message", "")), context.get("exception"), source)

    def get_task_factory(self) -> None:
        """There is none; libraries ask before they make tasks of their own."""

    def get_debug(self) -> bool:
        """Debug mode would slow everything down and find nothing here."""
        return False

    def is_running(self) -> bool:
        """It runs whenever somebody can ask."""
        return True

    def is_closed(self) -> bool:
        """Says whether its attempt is over: threads ask before they would wake it."""
        return self.stopped

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Nothing to clean up: the journal entry stays."""


def _is_pending(future: asyncio.Future[Any] | None) -> bool:
    return future is not None and not future.done()


def refuse_client() -> None:
    """Raises NonDurableAwaitError when the code of a workflow uses a client."""
    if isinstance(events._get_running_loop(), WorkflowLoop):
        raise NonDurableAwaitError(
            "a workflow used a client, which a replay could not repeat and which would hold up the"
            " whole worker; use ctx.invoke, ctx.send, ctx.attach and the like, or use the client within"
            " ctx.run"
        )


def _unwind(coroutine: Any) -> bool:
    """Raises AttemptEnded in a coroutine until it has ended; says whether it did.

    What it raises or returns then does not matter any more.
    """
    for _ in range(THROWS_MAX):
        try:
            coroutine.throw(AttemptEnded())
        except BaseException:  # noqa: BLE001 - the attempt is over, whatever user code says to it
            return True
    # Python would raise in it once more when it is freed, maybe for ever: it never is.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
    return False


def _busy() -> NonDurableAwaitError:
    return NonDurableAwaitError(
        f"a workflow went on for {CALLBACKS_MAX:,} callbacks without waiting for anything durable;"
        " do not poll (`await asyncio.sleep(0)` in a loop): await a durable future, or ctx.sleep"
    )


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: WorkflowLoop, *_: Any, **__: Any) -> NoReturn:
        raise NonDurableAwaitError(
            f"a workflow called asyncio's {name}, which a replay could not repeat; wrap it in ctx.run,"
            " whose result is journaled"
        )

    refuse.__name__ = name
    return refuse


_ALLOWED = frozenset(vars(WorkflowLoop))
for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in _ALLOWED:
        setattr(WorkflowLoop, _name, _refusal(_name))
