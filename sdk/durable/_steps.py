"""Running one step: the user's function, its value's encoding, and the threads for sync ones.

A step never raises here: its error is a result, and the engine decides what it means. The value is
encoded where the step ran, so that a large one does not hold up the loop if a thread made it.

The threads are no ThreadPoolExecutor: the interpreter joins that one's threads before it exits, and a
worker that has given its work back after a drain must not stay because a step blocks in a socket.
These are daemons; what they still do when the process ends counts for nothing anyway, because their
results were not acknowledged.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from inspect import isawaitable
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from durable_proto.v1 import payload_pb2

from ._asking import StepTask
from ._errors import UnencodableValueError, text_of

P = ParamSpec("P")
T = TypeVar("T")


class Ended(NamedTuple):
    """How a step ended: with a value or an error."""

    value: payload_pb2.Payload | None
    error: BaseException | None
    rest: Awaitable[Any] | None = None
    """What a sync function returned instead of a value: it belongs to the worker's event loop."""


def run_blocking(task: StepTask) -> Ended:
    """Runs a sync step in the calling thread."""
    try:
        value = task.body()
        if isawaitable(value):
            # `lambda: fetch(url)`: nobody can tell before the call that it is not blocking.
            return Ended(None, None, value)
        return Ended(_encoded(task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return Ended(None, error)


async def run_async(task: StepTask) -> Ended:
    """Runs an async step in the calling task."""
    try:
        value = task.body()
        if isawaitable(value):
            if task.timeout is None:
                value = await value
            else:
                value = await _within(task, value)
        return Ended(_encoded(task, value), None)
    except BaseException as error:  # noqa: BLE001  # the engine decides what a failure means
        return Ended(None, error)


def _encoded(task: StepTask, value: Any) -> payload_pb2.Payload:
    try:
        return task.encode(value)
    except Exception as error:
        raise UnencodableValueError(
            f"the value of step {task.name!r}, of type {type(value).__qualname__}, cannot be encoded:"
            f" {text_of(error)}; its effect has happened, and it runs again after a resume"
        ) from error


async def _within(task: StepTask, value: Awaitable[T]) -> T:
    deadline = asyncio.timeout(task.timeout)
    try:
        async with deadline:
            return await value
    except TimeoutError:
        if deadline.expired():
            raise too_slow(task) from None
        raise


def too_slow(task: StepTask) -> TimeoutError:
    """Returns the error of a step whose time is up: like any other one, it is tried again."""
    return TimeoutError(f"step {task.name!r} has not ended within {task.timeout:g} s")


_Job = tuple[Future[Any], Callable[[], Any]]


class StepThreads:
    """Up to `size` daemon threads that are started as they are needed."""

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._jobs: Final[queue.SimpleQueue[_Job | None]] = queue.SimpleQueue()
        self._threads: Final[list[threading.Thread]] = []
        self._idle = 0
        self._lock: Final = threading.Lock()

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Runs a function in a thread as soon as one is free."""
        future: Future[T] = Future()
        with self._lock:
            # An idle thread is spoken for here, so that two submits do not count on the same one.
            if self._idle:
                self._idle -= 1
            elif len(self._threads) < self._size:
                name = f"durable-step-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        self._jobs.put((future, lambda: function(*args, **kwargs)))
        return future

    def close(self) -> None:
        """Cancels what has not begun and lets the threads end; does not wait for them."""
        try:
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    job[0].cancel()
        except queue.Empty:
            pass
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            future, function = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001  # it belongs to who waits for it
                    future.set_exception(error)
            # Do not keep the last job's values alive while idle.
            del job, future, function
            with self._lock:
                if self._jobs.empty():
                    self._idle += 1
