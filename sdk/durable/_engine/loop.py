"""The event loop of one attempt: an asyncio loop whose behaviour depends only on the journal.

A workflow is ordinary asyncio code, but its loop does only what a replay can repeat: it runs
callbacks in the order in which they were scheduled, its timers are journal entries, and its clock
shows the journal's time. The engine delivers one completion, runs the loop until nothing is ready,
and delivers the next. There is no selector and no thread, so a loop costs little more than a deque.

The loop also removes what makes asyncio differ from run to run:
- `asyncio.wait` returns sets and TaskGroup keeps one. The order of a set follows the hash of the
  tasks, which follows their address. Tasks and futures of this loop are hashed by their number
  instead.
- Asyncio numbers the names of tasks for the whole process. This loop gives names of its own.
- Asyncio's loop closes an async generator that was dropped half-way when the garbage collector
  finds it. This loop closes it at once, and does not wait for what it awaits then.
- The module `asyncio_patches` handles what asyncio does without asking the loop.

Whatever reaches outside (sockets, threads, subprocesses, signals) raises NonDurableAwaitError at
once. The worker runs this loop from plain callbacks of its own loop and never from inside a task,
because from Python 3.14 on a task must not be entered within another.

A program that only yields (`while True: await asyncio.sleep(0)`) would block all other attempts of
the worker. CALLBACKS_MAX bounds how much it may do without waiting for anything.
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
"""Callbacks between two completions: about a second, and far more than any program needs that waits."""
THROWS_MAX: Final = 100
"""How often a task may await again while it is unwound, as an `await` in a `finally` does."""
GATHERS_MAX: Final = 100
"""How many gathers the loop remembers before it drops those that are done."""
REFUSALS_MAX: Final = 1_000
"""How many operations a program that is unwound may start before they stop raising, see `refuse`."""


class LoopOwner(Protocol):
    """What the loop needs of its attempt."""

    def time(self) -> float:
        """Returns the journal's time, in seconds since the Unix epoch."""
        ...

    def set_timer(self, timer: Timer, delay: float) -> None:
        """Starts a durable timer whose completion calls `WorkflowLoop.fire(timer)`."""
        ...

    def unhandled(self, message: str, error: BaseException | None, source: Any = None) -> None:
        """Is called with an error that nothing awaits; `source` is the future or task that has it."""
        ...

    def never_awaited(self, coroutine: Any, place: Place | None) -> None:
        """Is called with a coroutine that the program has dropped before it ran."""
        ...


class Interruption(NamedTuple):
    """Why a program was stopped from within, see `WorkflowLoop.interrupt`."""

    error: BaseException
    hold: bool
    """True if the invocation is to be held; False if the attempt is to fail."""


class Gather(NamedTuple):
    """A gather that was not done when it was made."""

    future: weakref.ref[asyncio.Future[Any]]
    place: Place | None


class Handle:
    """A scheduled callback; a light `asyncio.Handle`."""

    __slots__ = ("args", "callback", "is_cancelled", "variables")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], variables: Variables | None
    ) -> None:
        self.callback = callback
        self.args = args
        self.variables = copy_context() if variables is None else variables
        self.is_cancelled = False

    def cancel(self) -> None:
        """Keeps the callback from running."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Returns True if it was cancelled."""
        return self.is_cancelled


class Timer(Handle):
    """A callback scheduled for a time; cancelling it leaves its journal entry."""

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
        """Returns the time of the journal at which it is due."""
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
    """True once anything has waited for it."""
    place: Place | None = None
    """The program's line that has made it."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], *, loop: WorkflowLoop, **more: Any
    ) -> None:
        number = loop.next_number()
        if more.get("name") is None:
            more["name"] = f"Task-{number}"
        if more.get("eager_start"):
            self._number = number
        super().__init__(coroutine, loop=loop, **more)
        # Not earlier, because the base class adds the task to a set of all tasks of the process, in
        # which the first tasks of all attempts would collide. An eager task needs its number earlier:
        # the base class runs it, and its code may use the hash.
        self._number = number

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """As asyncio's; awaiting the task calls this too."""
        self.awaited = True
        super().add_done_callback(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number or object.__hash__(self)

    __eq__ = object.__eq__


class WorkflowLoop(asyncio.AbstractEventLoop):
    """The loop of one attempt."""

    runs_workflow = True
    """Marks such a loop for code that must not import this module."""

    def __init__(self, owner: LoopOwner) -> None:
        self._owner = owner
        self._ready: deque[Handle] = deque()
        self.numbers = 0
        """How many tasks and futures were made; the latest one's number."""
        self.stopped = False
        """True once no callback may run any more, even if it is ready."""
        self.closing = False
        """True while code is unwound; what it starts is refused."""
        self.interruption: Interruption | None = None
        """Why the program was stopped from within, if it was."""
        self.main: asyncio.Task[Any] | None = None
        """The handler's task; when it is done, no other task goes on."""
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task that was made; the end of the attempt unwinds them."""
        self._gathers: list[Gather] = []
        self._gathers_max = GATHERS_MAX
        self.stubborn: list[str] = []
        """Names of coroutines that could not be unwound."""
        self._refused = 0

    def next_number(self) -> int:
        """Numbers tasks and futures in the order in which they are made."""
        self.numbers += 1
        return self.numbers

    def run_ready(self) -> None:
        """Runs callbacks until none is ready or the handler has ended."""
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

    def fire(self, timer: Timer) -> None:
        """Schedules a timer's callback: its entry has completed."""
        self._ready.append(timer)

    def interrupt(self, error: BaseException, *, hold: bool) -> NoReturn:
        """Stops the program from within: raises AttemptEnded, and no code of the program goes on.

        The attempt then ends with the error: the invocation is held, or the attempt fails.
        If the code that unwinds interrupts again, a hold replaces a failure, because it needs a person.
        """
        if hold or self.interruption is None or not self.interruption.hold:
            self.interruption = Interruption(error, hold)
        self.stopped = self.closing = True
        raise AttemptEnded

    def leave(self) -> NoReturn:
        """Stops the program from within, as `interrupt` does, because it has ended its run itself."""
        self.stopped = self.closing = True
        raise AttemptEnded

    def gathered(self, future: asyncio.Future[Any]) -> None:
        """Remembers a future that asyncio.gather has returned, see `unawaited_gathers`."""
        if future.done():
            return
        gathers = self._gathers
        gathers.append(Gather(weakref.ref(future), place_of(sys._getframe(1))))
        if len(gathers) > self._gathers_max:
            gathers[:] = [it for it in gathers if _is_pending(it.future())]
            self._gathers_max = max(GATHERS_MAX, 2 * len(gathers))

    def unawaited_gathers(self) -> list[Place | None]:
        """Returns the lines of gathers that are not done and that nothing has awaited."""
        return [
            it.place
            for it in self._gathers
            if _is_pending(future := it.future()) and not getattr(future, "durable_awaited", False)
        ]

    def never_awaited(self, coroutine: Any) -> None:
        """Reports a coroutine that the program has dropped before it ran."""
        if not self.closing:
            self._owner.never_awaited(coroutine, place_of(sys._getframe(1)))

    def refuse(self) -> None:
        """Raises AttemptEnded in code that starts an operation while it is unwound.

        After REFUSALS_MAX times it returns instead, because code that catches everything and tries
        again would never stop. That code then gets an operation that is never sent and never completes,
        awaits it, and so gives control back.
        """
        self._refused += 1
        if self._refused <= REFUSALS_MAX:
            raise AttemptEnded

    def end(self) -> None:
        """Unwinds all tasks: raises AttemptEnded where each of them waits."""
        self.stopped = self.closing = True
        self._ready.clear()
        pending = [task for task in self.tasks if not task.done()]
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.exception()  # or asyncio would log that it was never retrieved
        self.tasks.clear()
        if not pending:
            return
        before, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(None, self._drop_generator)
        try:
            for task in pending:
                # Asyncio would log that a pending task was destroyed, which is intended here.
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own flag
                coroutine = task.get_coro()
                if coroutine is not None and not _unwind(coroutine):
                    self.stubborn.append(getattr(coroutine, "__qualname__", task.get_name()))
        finally:
            events._set_running_loop(before)
            sys.set_asyncgen_hooks(*hooks)
        self._ready.clear()

    def _drop_generator(self, generator: Any) -> None:
        """Closes an async generator that was dropped half-way; its `finally` cannot wait."""
        # The garbage collector may call this while other code runs.
        before = events._get_running_loop()
        closing, self.closing = self.closing, True
        events._set_running_loop(self)
        closer = generator.aclose()
        try:
            closer.send(None)
            closer.close()  # its `finally` awaits something
        except BaseException:  # noqa: BLE001 - StopIteration as a rule; nothing can handle others
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
        """Runs the callback at a time of the journal's clock."""
        return self.call_later(when - self.time(), callback, *args, context=context)

    def time(self) -> float:
        """Returns the journal's time."""
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
        """Makes the handler's task."""
        self.main = WorkflowTask(coroutine, loop=self, context=variables)
        self.tasks.append(self.main)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Reports an error that nothing awaits."""
        source = context.get("future", context.get("task"))
        self._owner.unhandled(str(context.get("message", "")), context.get("exception"), source)

    def get_task_factory(self) -> None:
        """Returns None: there is no factory. Libraries call this before they make tasks."""

    def get_debug(self) -> bool:
        """Returns False: asyncio's debug mode would cost time and find nothing here."""
        return False

    def is_running(self) -> bool:
        """Returns True: only code that runs on the loop calls this."""
        return True

    def is_closed(self) -> bool:
        """Returns True if the attempt is over; threads check this before they wake the loop."""
        return self.stopped

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Does nothing: the journal entry of a cancelled timer stays."""


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
    """Raises AttemptEnded in a coroutine until it has ended; returns False if it does not end.

    The attempt has its outcome already, so what the coroutine raises or returns is ignored.
    """
    for _ in range(THROWS_MAX):
        try:
            coroutine.throw(AttemptEnded())
        except BaseException:  # noqa: BLE001 - user code may raise anything here
            return True
    # Freeing the coroutine would raise GeneratorExit in it, which may run for ever. So it is leaked.
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
