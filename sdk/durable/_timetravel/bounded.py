"""Bounded calls: runs code of users in a thread, for a limited time, and silently.

A workflow's code may never come to rest, because of a loop or because it waits for something outside. A
call that takes too long gets an exception into its thread. Code in C that blocks does not notice that:
the thread is then given up, and the next call gets another one.

While a call runs, what its thread writes to stdout and stderr is dropped, and so are all log records of
the process: the code repeats what it has done before, and would say all of it again.
"""

from __future__ import annotations

import ctypes
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from .._engine.failures import is_users

T = TypeVar("T")

_TRIES: Final = 3
_TRY_SECONDS: Final = 0.3


class TookTooLongError(Exception):
    """A call has not ended in time; `place` is the user's line where it was then, as `file:line`."""

    def __init__(self, seconds: float, place: str) -> None:
        where = f", at {place}" if place else ""
        super().__init__(
            f"the program has not come to rest in {seconds:g} s{where}: a loop, or a call that blocks"
        )
        self.place = place


class _GiveUp(BaseException):
    """Is raised in the thread of a call that takes too long."""


class _Call(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self.function: Final = function
        self.ended: Final = threading.Event()
        self.value: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Calls the function."""
        try:
            self.value = self.function()
        except BaseException as error:  # noqa: BLE001  # raised again where the call was made
            self.error = error
        finally:
            self.ended.set()


class BoundedCalls:
    """A context manager that runs calls one at a time, each for at most so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds
        self._calls: queue.SimpleQueue[_Call[Any] | None] | None = None
        self._thread: threading.Thread | None = None
        self._silence: Final = _Silence()

    def __enter__(self) -> BoundedCalls:
        self._silence.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._silence.end()
        if self._calls is not None:
            self._calls.put(None)

    def run(self, function: Callable[[], T]) -> T:
        """Returns what a function returns; raises what it raises, and TookTooLongError."""
        calls, thread = self._calls, self._thread
        if calls is None or thread is None:
            calls = self._calls = queue.SimpleQueue()
            thread = self._thread = threading.Thread(
                target=self._serve, args=(calls,), name="durable-replay", daemon=True
            )
            thread.start()
        call = _Call(function)
        with _no_logs():
            calls.put(call)
            if not call.ended.wait(self._seconds):
                place = _place(thread)
                self._give_up(thread, call)
                raise TookTooLongError(self._seconds, place)
        if call.error is not None:
            raise call.error
        value: Any = call.value
        return value  # type: ignore[no-any-return]  # the function's own result

    def _serve(self, calls: queue.SimpleQueue[_Call[Any] | None]) -> None:
        self._silence.add_thread()
        try:
            while (call := calls.get()) is not None:
                call.run()
        except _GiveUp:  # it came after the end of the call
            return

    def _give_up(self, thread: threading.Thread, call: _Call[Any]) -> None:
        """Ends a call, if that is possible; its thread is not used again."""
        assert self._calls is not None
        self._calls.put(None)
        self._calls = self._thread = None
        identity = ctypes.c_ulong(thread.ident or 0)
        for _ in range(_TRIES):  # the code may catch it
            ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_GiveUp))
            if call.ended.wait(_TRY_SECONDS):
                return


def _place(thread: threading.Thread) -> str:
    """Returns the innermost line of a user's code that a thread executes."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        name = frame.f_code.co_filename
        if is_users(name) and not name.startswith("<"):
            return "" if name == threading.__file__ else f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


@contextmanager
def _no_logs() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


class _Silence:
    """Drops what some threads write to stdout and stderr."""

    def __init__(self) -> None:
        self._threads: Final[set[int]] = set()
        self._before: tuple[Any, Any] = (None, None)

    def add_thread(self) -> None:
        """Silences the current thread."""
        self._threads.add(threading.get_ident())

    def begin(self) -> None:
        """Takes the place of the streams."""
        self._before = sys.stdout, sys.stderr
        sys.stdout = _Stream(sys.stdout, self._threads)
        sys.stderr = _Stream(sys.stderr, self._threads)

    def end(self) -> None:
        """Gives the streams their place back."""
        sys.stdout, sys.stderr = self._before


class _Stream:
    """A stream that drops what some threads write."""

    def __init__(self, stream: Any, silent: set[int]) -> None:
        self._stream = stream
        self._silent = silent

    def write(self, text: Any) -> int:
        """Writes a text, unless the thread is silent."""
        if threading.get_ident() in self._silent:
            return len(text)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
