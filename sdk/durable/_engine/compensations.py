"""The state of an attempt's sagas: what the engine has to know about compensations.

`saga.Saga` keeps the compensations themselves and runs them; it notes here what other parts of the
attempt depend on.
"""

from __future__ import annotations

from typing import Final

from .places import Place


class Compensations:
    """What the sagas of one attempt have noted."""

    __slots__ = ("compensated", "discarded", "open_blocks", "running", "unused")

    def __init__(self) -> None:
        self.open_blocks = 0
        """How many `async with durable.saga(...)` blocks the program is in."""
        self.running = 0
        """How many sagas run compensations now."""
        self.discarded: Final[set[int]] = set()
        """Steps that the worker was given and whose results the program has discarded."""
        self.compensated: Final[list[BaseException]] = []
        """The errors for which a saga has run its compensations: the program has failed for good."""
        self.unused: Final[dict[object, Place]] = {}
        """Sagas with compensations that neither a block nor `compensate()` has used, and the line
        that registered the first one."""

    @property
    def must_wait(self) -> bool:
        """True if what the program starts now has to wait until the discarded steps have ended.

        Everything that the program starts while compensations run counts as theirs.
        """
        return self.running > 0 and bool(self.discarded)
