"""A checker of linearizability: can concurrent operations have happened one after another?

A history has each operation with the time at which its caller began it and the time at which the caller
got its result. It is linearizable if there is a moment within each of these intervals at which the
operation can have taken effect, so that one after another they give just these results.

The algorithm is that of Wing and Gong with the memory of Lowe: try each operation that may be next,
and go back when none fits; a set of operations that were done, with the state that they left, is never
tried twice. It is exponential in how many operations overlap, so it suits short overlaps and long
histories.

An operation without a result, because its caller gave up, may take effect at any time after it was
begun, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=Hashable)
C = TypeVar("C")
R = TypeVar("R")

NEVER = math.inf
"""The end of an operation without a result."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[C, R]):
    """One operation of a history."""

    call: C
    """What was asked for."""
    result: R | None
    """What came back; not looked at without an end."""
    begin: float
    end: float
    """When the result came; NEVER if it did not."""
    who: str = ""
    """Who has asked whom, for people."""


Model = Callable[[S, C], tuple[R, S]]
"""Returns the result of a call in a state, and the state after it."""


def explain(
    history: Iterable[Operation[C, R]], initial: S, model: Model[S, C, R]
) -> Sequence[Operation[C, R]] | None:
    """Returns None if the history is linearizable.

    Else returns its operations around the first one that nothing explains, by their begin. Raises
    UndecidedError when there are too many ways to try.
    """
    by_begin = sorted(history, key=lambda it: it.begin)
    known = [it for it in by_begin if it.end != NEVER]
    unknown = [it for it in by_begin if it.end == NEVER]
    seen: set[tuple[_Done, S]] = set()
    stack = [(_Done(0, frozenset(), frozenset()), initial)]
    furthest = 0
    while stack:
        done, state = stack.pop()
        if done.low == len(known):
            return None
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > _MOST_STATES:
            raise UndecidedError(f"undecided after {_MOST_STATES} states")
        furthest = max(furthest, done.low)
        earliest_end = NEVER
        fitting: list[tuple[float, int, S]] = []
        for index in range(done.low, len(known)):
            operation = known[index]
            if operation.begin > earliest_end:
                break
            if index in done.later:
                continue
            earliest_end = min(earliest_end, operation.end)
            result, after = model(state, operation.call)
            if result == operation.result:
                fitting.append((operation.end, index, after))
        # The last one is tried first: of those with a result the one that ended first.
        for index, operation in enumerate(unknown):
            if operation.begin > earliest_end:
                break
            if index not in done.unknown:
                _, after = model(state, operation.call)
                if after != state:
                    stack.append((done.with_unknown(index), after))
        for _, index, after in sorted(fitting, key=lambda it: it[0], reverse=True):
            stack.append((done.with_known(index), after))
    return known[max(0, furthest - 8) : furthest + 12]


class UndecidedError(Exception):
    """A history has too many operations at once to be checked."""


_MOST_STATES = 3_000_000


class _Done(NamedTuple):
    """Which operations have taken effect."""

    low: int
    """All of those with a result below this index have."""
    later: frozenset[int]
    """And these of them."""
    unknown: frozenset[int]
    """And these of those without a result."""

    def with_known(self, index: int) -> _Done:
        """Returns this and one more that has a result."""
        later = self.later | {index}
        low = self.low
        while low in later:
            later -= {low}
            low += 1
        return _Done(low, later, self.unknown)

    def with_unknown(self, index: int) -> _Done:
        """Returns this and one more that has none."""
        return _Done(self.low, self.later, self.unknown | {index})
