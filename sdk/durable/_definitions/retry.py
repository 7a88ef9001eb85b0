"""When a failure is tried again: the retry policy, and what it says of one error.

The arithmetic is the control plane's (its `retry`): the delay after the n-th failure is
`initial * multiplier^(n-1)`, at most `max`, shortened by a random share of up to `jitter`. Chance comes
from the step's own place, so that the engine stays a function of its inputs.

What an error means is decided here alone, for steps and for programs, from these questions in this
order. An exception group is asked for its parts, at every depth:

1. Is any part a TerminalError, or named by `give_up_on`? Then it is final.
2. Is any part a programming error, and does `retry_on` not name its class or one of that kind? Then
   the code must change: the invocation is held. `Exception` in `retry_on` names no such class.
3. Is `retry_on` given, and does it leave out any part that is no RetryableError? Then it is final.
4. Else it is tried again, after the longest `retry_after` of its parts, or the policy's delay.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from durable_proto.v1 import invocation_pb2

from .._common.durations import limit, span
from .._common.errors import (
    CodecError,
    NonDurableAwaitError,
    RetryableError,
    TerminalError,
    UnencodableValueError,
    text_of,
)

_EXPONENT_MAX = 63
_ATTEMPTS_MAX = 2**31 - 1
_MULTIPLIER_MAX = 1000
_SDK: Final = str(Path(__file__).parent.parent) + os.sep
_ASYNCIO: Final = str(Path(asyncio.__file__).parent) + os.sep
_STEP_CALLERS: Final = frozenset(
    {f"{_SDK}_worker{os.sep}steps.py", f"{_SDK}_engine{os.sep}context.py"}
)
"""Where the body of a step is called."""

Errors: TypeAlias = type[BaseException] | Iterable[type[BaseException]]
"""One class of exceptions, or several."""

PROGRAMMING_ERRORS: Final = (
    TypeError,
    NameError,
    AttributeError,
    ImportError,
    SyntaxError,
    NonDurableAwaitError,
    CodecError,
)
"""What says that the code is wrong, and not that something outside is.

The code of a workflow is deterministic: run again over the same journal it raises the same again, so a
retry only delays the moment at which a person looks. Code that is put right goes on from the journal.
Other errors that are often mistakes too (ValueError, KeyError, AssertionError) are as often about what
the program was given or has looked at, and stay with the retry policy."""


class Verdict(Enum):
    """What is to become of an error."""

    RETRY = "retry"
    FINAL = "final"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class RetryPolicy:
    """How what fails is tried again, with exponential backoff and jitter.

    A handler's policy is for its steps and calls, each counted by itself, and for failures of the
    program. A step's own policy (`ctx.options(retry=...)`) stands in its place for that step.
    """

    initial_interval: timedelta
    """The delay after the first failure."""
    multiplier: float
    """By what the delay grows, 1 to 1000."""
    max_interval: timedelta
    """The longest delay."""
    max_attempts: int | None
    """How many tries a step has, or attempts in a row without progress a program; None for no limit."""
    jitter: float
    """The share of the delay that chance takes off, 0 to 1."""
    on_exhausted: Literal["pause", "fail"] | None
    """What happens when they are used up; None for what loses nothing."""
    max_duration: timedelta | None
    """How long after the first failure they are used up too; None for no limit."""
    retry_on: tuple[type[BaseException], ...]
    """If not empty, only these errors are retried."""
    give_up_on: tuple[type[BaseException], ...]
    """These errors are final, as if they were TerminalErrors."""

    def __init__(
        self,
        *,
        initial_interval: float | timedelta = timedelta(milliseconds=200),
        multiplier: float = 2.0,
        max_interval: float | timedelta | None = None,
        max_attempts: int | None = 50,
        jitter: float = 0.2,
        on_exhausted: Literal["pause", "fail"] | None = None,
        max_duration: float | timedelta | None = None,
        retry_on: Errors = (),
        give_up_on: Errors = (),
    ) -> None:
        """Makes a policy. Spans of time are seconds or timedeltas.

        - `initial_interval`: the delay after the first failure, 0.2 s by default; 0 is at once.
        - `multiplier`: by what the delay grows with each failure, 1 to 1000; 2 by default.
        - `max_interval`: the longest delay; by default 60 s, or `initial_interval` if that is more.
        - `max_attempts`: how many tries a step has, the first included; for failures of the program,
          how many attempts in a row without a new journal entry. 1 or more, 50 by default, None for
          no limit.
        - `jitter`: the share of the delay that chance takes off, 0 to 1; 0.2 by default.
        - `on_exhausted`: what happens when the tries are used up. "fail": a step's failure is journaled
          and raised in the program; a program's fails the invocation. "pause": the invocation is held
          for a person, and after a resume all tries are there again. None, the default, is "fail" for
          a step and "pause" for a program.
        - `max_duration`: how long after the first failure the tries are used up too, more than 0; None,
          the default, for no limit. What counts is when the failing attempt ends, for a step when it
          begins.
        - `retry_on`: one class of exceptions or several; if given, only these (and RetryableError) are
          retried, and any other one is final.
        - `give_up_on`: one class or several that are final, as if they were TerminalErrors.

        Raises TypeError for what is of a wrong type, ValueError for what is out of range.
        """
        first = span(initial_interval, "initial_interval")
        longest = max(first, timedelta(seconds=60))
        if max_interval is not None:
            longest = span(max_interval, "max_interval")
            if longest < first:
                raise ValueError(
                    f"max_interval ({longest.total_seconds():g} s) is less than initial_interval"
                    f" ({first.total_seconds():g} s); leave it out, or give a longer one"
                )
        if on_exhausted not in (None, "pause", "fail"):
            raise ValueError(f"on_exhausted is 'pause', 'fail' or None, not {on_exhausted!r}")
        fields = {
            "initial_interval": first,
            "multiplier": _number("multiplier", multiplier, 1, _MULTIPLIER_MAX),
            "max_interval": longest,
            "max_attempts": None if max_attempts is None else _attempts(max_attempts),
            "jitter": _number("jitter", jitter, 0, 1),
            "on_exhausted": on_exhausted,
            "max_duration": None if max_duration is None else limit(max_duration, "max_duration"),
            "retry_on": _classes("retry_on", retry_on),
            "give_up_on": _classes("give_up_on", give_up_on),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def verdict(self, error: BaseException, *, of_step: bool) -> Verdict:
        """Says what is to become of an error, as long as tries are left; see the module's head."""
        parts = list(leaves(error))
        if any(isinstance(it, (TerminalError, *self.give_up_on)) for it in (error, *parts)):
            return Verdict.FINAL
        named = self.retry_on
        is_mistake = is_wrong_call if of_step else is_programming_error
        if any(is_mistake(it) for it in parts):
            chosen = tuple(it for it in named if issubclass(it, (*PROGRAMMING_ERRORS, ValueError)))
            if any(is_mistake(it) and not isinstance(it, chosen) for it in parts):
                return Verdict.HOLD
        wanted: tuple[type[BaseException], ...] = (RetryableError, *named)
        if not named or isinstance(error, named) or all(isinstance(it, wanted) for it in parts):
            return Verdict.RETRY
        return Verdict.FINAL

    def used_up(self, failures: int, failing: timedelta) -> bool:
        """Says whether no try may follow the `failures`-th failure, `failing` after the first."""
        if self.max_attempts is not None and failures >= self.max_attempts:
            return True
        return self.max_duration is not None and failures > 1 and failing >= self.max_duration

    def delay(self, failures: int, place: str) -> timedelta:
        """Returns the delay after the `failures`-th failure (from 1) of what `place` names."""
        seconds = min(
            self.initial_interval.total_seconds()
            * self.multiplier ** min(failures - 1, _EXPONENT_MAX),
            self.max_interval.total_seconds(),
        )
        chance = random.Random(f"{place}/{failures}").random()
        return timedelta(seconds=max(0.001, seconds * (1 - self.jitter * chance)))

    def message(self) -> invocation_pb2.RetryPolicy:
        """Returns the policy as the protocol has it, where 0 stands for the default."""
        kinds = invocation_pb2.RetryPolicy
        exhaustion = {
            None: kinds.EXHAUSTION_UNSPECIFIED,
            "pause": kinds.EXHAUSTION_PAUSE,
            "fail": kinds.EXHAUSTION_FAIL,
        }
        policy = invocation_pb2.RetryPolicy(
            multiplier=self.multiplier,
            max_attempts=-1 if self.max_attempts is None else self.max_attempts,
            jitter=self.jitter or -1,
            on_exhausted=exhaustion[self.on_exhausted],
        )
        soonest = timedelta(milliseconds=1)
        policy.initial_interval.FromTimedelta(max(self.initial_interval, soonest))
        policy.max_interval.FromTimedelta(max(self.max_interval, soonest))
        if self.max_duration is not None:
            policy.max_duration.FromTimedelta(max(self.max_duration, soonest))
        return policy


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Gives the errors in a group, at every depth; of any other error itself."""
    waiting = [error]
    while waiting:
        it = waiting.pop()
        if isinstance(it, BaseExceptionGroup):
            waiting.extend(reversed(it.exceptions))
        else:
            yield it


def terminal_part(error: BaseException) -> TerminalError | None:
    """Returns the first TerminalError of an error: itself, or in a group."""
    return next((it for it in leaves(error) if isinstance(it, TerminalError)), None)


def is_programming_error(error: BaseException) -> bool:
    """Says whether an error shows that the code is wrong, see PROGRAMMING_ERRORS.

    So does a ValueError of the SDK's own or of asyncio's, for a call of them that no other time would
    make right.
    """
    if isinstance(error, PROGRAMMING_ERRORS) or awaits_another_loop(error):
        return True
    return isinstance(error, ValueError) and _raised_in(error).startswith((_SDK, _ASYNCIO))


def awaits_another_loop(error: BaseException) -> bool:
    """Says whether an error is asyncio's for a future of another loop."""
    return isinstance(error, RuntimeError) and "attached to a different loop" in text_of(error)


def is_wrong_call(error: BaseException) -> bool:
    """Says whether an error shows that a step is called wrongly, or calls the SDK wrongly.

    A step's body talks to the world, where a TypeError may be what a broken answer leads to: those are
    ordinary failures. Not so one that comes before any line of the body, which cannot have been given
    these arguments, and one of the SDK's own.
    """
    if isinstance(error, TypeError):
        return _raised_in(error).startswith(_SDK)
    if isinstance(error, ValueError):
        # Where the body is called it may be a function without Python frames that has raised it.
        file = _raised_in(error)
        return file.startswith(_SDK) and file not in _STEP_CALLERS
    return isinstance(error, NonDurableAwaitError | UnencodableValueError)


def _raised_in(error: BaseException) -> str:
    """Returns the file of an error's innermost Python frame."""
    trace: TracebackType | None = error.__traceback__
    file = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        trace = trace.tb_next
    return file


def retry_delay(error: BaseException) -> timedelta | None:
    """Returns the delay that an error asks for, of a group's parts the longest; None for none."""
    wanted = []
    for it in leaves(error):
        after: Any = getattr(it, "retry_after", None) if isinstance(it, RetryableError) else None
        if after is not None:
            try:
                wanted.append(span(after))
            except (TypeError, ValueError):
                continue  # of a subclass that sets the field itself: the policy's delay will do
    return max(wanted, default=None)


def _number(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number from {least} to {most}, not {value!r}")
    if not (math.isfinite(value) and least <= value <= most):
        raise ValueError(f"{name} is {value!r}, and must be from {least} to {most}")
    return value


def _attempts(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"max_attempts is a whole number or None, not {value!r}")
    count = index(value)
    if not 1 <= count <= _ATTEMPTS_MAX:
        raise ValueError(
            f"max_attempts is {count}, and must be from 1, for no second try, to {_ATTEMPTS_MAX};"
            " give None for no limit"
        )
    return count


def _classes(name: str, given: Any) -> tuple[type[BaseException], ...]:
    several = isinstance(given, Iterable) and not isinstance(given, str | type)
    found: list[type[BaseException]] = []
    for it in given if several else [given]:
        if not (isinstance(it, type) and issubclass(it, BaseException)):
            raise TypeError(f"{name} takes classes of exceptions, not {it!r}")
        found.append(it)
    return tuple(found)


DEFAULT_POLICY: Final = RetryPolicy()
"""The policy of a handler that declares none."""
