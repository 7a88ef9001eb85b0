"""The random numbers of a workflow: one sequence for an attempt, from the seed in the journal.

A number that a step draws would be missing from the sequence in a replay, which does not run the
step. So the generator checks which code draws, also when a step has got hold of the generator
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any


def _no_check() -> None:
    """Allows everything: code that copies the generator has a sequence of its own."""


class ReplayRandom(Random):
    """A generator that only the workflow's own code may use. A copy of it is an ordinary generator."""

    _check: Callable[[], None] = staticmethod(_no_check)

    def __init__(self, seed: int, check: Callable[[], None]) -> None:
        """`check` raises unless the workflow's own code runs."""
        super().__init__(seed)
        self._check = check

    def random(self) -> float:
        """As random.Random's."""
        self._check()
        return super().random()

    def getrandbits(self, k: int, /) -> int:
        """As random.Random's."""
        self._check()
        return super().getrandbits(k)

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """As random.Random's."""
        self._check()
        super().seed(*args, **kwargs)

    def getstate(self) -> tuple[Any, ...]:
        """As random.Random's."""
        self._check()
        return super().getstate()

    def setstate(self, state: tuple[Any, ...]) -> None:
        """As random.Random's."""
        self._check()
        super().setstate(state)

    def __reduce__(self) -> tuple[Any, ...]:
        return Random, (), self.getstate()
