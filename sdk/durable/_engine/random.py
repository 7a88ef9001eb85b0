"""The random numbers of an attempt: one sequence from the journal's seed, for the workflow's code only.

A number that a step drew would be missing from the sequence in the next replay, where the step does
not run. So whoever draws is checked, also when the generator itself was handed to a step.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any


def _anybody() -> None:
    """A copy is its owner's own business."""


class ReplayRandom(Random):
    """A generator that only the workflow's own code may use; a copy of it is an ordinary one."""

    _check: Callable[[], None] = staticmethod(_anybody)

    def __init__(self, seed: int, check: Callable[[], None]) -> None:
        """`check` raises when somebody else's code runs."""
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
