"""The virtual event loop: when nothing can run, its clock jumps to the next timer.

There are no sockets and no threads, so a run depends on its seed alone, and an hour of backoff costs no
time. Work for a thread runs at once, in the loop, and generators of random numbers that have no seed of
their own get one.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")


class DeadlockError(Exception):
    """Nothing can run and no timer is set, so something waits for ever."""


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise DeadlockError("nothing can run and no timer is set")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `time()` is virtual seconds since its start."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        # asyncio takes timers within one tick of the clock as due; virtual time has no ticks.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(  # type: ignore[override]  # typeshed's signature is more general
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` on a fresh virtual loop."""
    seeds = itertools.count()
    seeded = random.Random

    def make(seed: Any = None) -> random.Random:
        return seeded(next(seeds) if seed is None else seed)

    with (
        mock.patch.object(random, "Random", make),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        return runner.run(main)
