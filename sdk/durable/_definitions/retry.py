"""The retry policy, and how it classifies an error.

The delays are computed as on the control plane (its `retry` module): the delay after the n-th
failure is `initial * multiplier^(n-1)`, at most `max`, shortened by a random share of up to
`jitter`. The random number is derived from the step's index, so that the engine stays a function of
its inputs.

`RetryPolicy.verdict` alone decides what an error means, for steps and for programs, by these
questions in this order. For an exception group it looks at the parts, at every depth:

1. Is any part a TerminalError, or of a class in `give_up_on`? Then the error is final.
2. Is any part a programming error that no class of programming errors in `retry_on` covers? Then
   the code must change, and the invocation is held. `Exception` in `retry_on` covers none of them.
3. Is `retry_on` given, without covering every part that is not a RetryableError? Then it is final.
4. Otherwise it is retried, after the longest `retry_after` of its parts, or the policy's delay.
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
from types import FrameType, TracebackType
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
_STEP_CALLER: Final = "CALLS_STEP_BODIES"
"""The name that a module of the SDK defines if it calls the bodies of steps. An error whose innermost
frame is there comes from a body without Python frames (`int("x")`), and not from the SDK."""

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
"""Errors which show that the code is wrong, and not that something outside has failed.

The code of a workflow is deterministic: over the same journal it raises the same error again, so a
retry only delays the moment at which a person looks. Corrected code continues from the journal.
Other errors that are often mistakes (ValueError, KeyError, AssertionError) are as often caused by
the input or by what the program has read, so the retry policy decides about them."""


class Verdict(Enum):
    """What happens after an error."""

    RETRY = "retry"
    FINAL = "final"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class RetryPolicy:
    """How failures are retried, with exponential backoff and jitter.

    A handler's policy applies to its steps and calls, each counted by itself, and to failures of
    the program. A step's own policy (`ctx.options(retry=...)`) replaces it for that step.
    """

    initial_interval: timedelta
    """The delay after the first failure."""
    multiplier: float
    """The factor by which the delay grows, 1 to 1000."""
    max_interval: timedelta
    """The longest delay."""
    max_attempts: int | None
    """The tries of a step, or the attempts in a row of a program without progress; None for no
    limit."""
    jitter: float
    """The largest random share by which the delay is shortened, 0 to 1."""
    on_exhausted: Literal["pause", "fail"] | None
    """What happens when the attempts are used up; None for "fail" for a step, "pause" for a
    program."""
    max_duration: timedelta | None
    """The time after the first failure at which they count as used up; None for no limit."""
    retry_on: tuple[type[BaseException], ...]
    """If not empty, only these errors (and RetryableError) are retried."""
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
        - `multiplier`: the factor by which the delay grows with each failure, 1 to 1000; 2 by
          default.
        - `max_interval`: the longest delay; by default 60 s, or `initial_interval` if that is more.
        - `max_attempts`: the tries of a step, including the first; for failures of the program, the
          attempts in a row without a new journal entry. 1 or more, 50 by default, None for no
          limit.
        - `jitter`: the largest random share by which the delay is shortened, 0 to 1; 0.2 by
          default.
        - `on_exhausted`: what happens when the tries are used up. "fail": a step's failure is
          journaled and raised in the program; a program's fails the invocation. "pause": the
          invocation is paused for a person, and a resume gives it all tries again. None, the
          default, is "fail" for a step and "pause" for a program.
        - `max_duration`: the time after the first failure at which the tries count as used up, more
          than 0; None, the default, for no limit. The time is measured to the end of the failing
          attempt, for a step to the start of the failing try.
        - `retry_on`: one exception class or several; if given, only these (and RetryableError) are
          retried, and any other error is final.
        - `give_up_on`: one exception class or several that are final, as if they were
          TerminalErrors.

        Raises TypeError for a wrong type, ValueError for a value out of range.
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
        """Classifies an error, while tries are left; see the module's head."""
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
        """Returns whether the `failures`-th failure, `failing` after the first one, is the last."""
        if self.max_attempts is not None and failures >= self.max_attempts:
            return True
        return self.max_duration is not None and failures > 1 and failing >= self.max_duration

    def delay(self, failures: int, place: str) -> timedelta:
        """Returns the delay after the `failures`-th failure (from 1); `place` seeds the jitter."""
        seconds = min(
            self.initial_interval.total_seconds()
            * self.multiplier ** min(failures - 1, _EXPONENT_MAX),
            self.max_interval.total_seconds(),
        )
        chance = random.Random(f"{place}/{failures}").random()
        return timedelta(seconds=max(0.001, seconds * (1 - self.jitter * chance)))

    def message(self) -> invocation_pb2.RetryPolicy:
        """Returns the policy as a message, in which 0 means the default."""
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
    """Yields the errors in a group, at every depth; for any other error, the error itself."""
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
    """Returns whether an error shows that the code is wrong, see PROGRAMMING_ERRORS.

    A ValueError that the SDK or asyncio raises does too: a call of them with a wrong argument stays
    wrong in every retry.
    """
    if isinstance(error, PROGRAMMING_ERRORS) or awaits_another_loop(error):
        return True
    return isinstance(error, ValueError) and _is_raised_in(_innermost_frame(error), _SDK, _ASYNCIO)


def awaits_another_loop(error: BaseException) -> bool:
    """Returns whether an error is asyncio's own for a future of another event loop."""
    return isinstance(error, RuntimeError) and "attached to a different loop" in text_of(error)


def is_wrong_call(error: BaseException) -> bool:
    """Returns whether an error shows that a step is called wrongly, or calls the SDK wrongly.

    A step's body talks to the outside, and a malformed response may well lead to a TypeError in it;
    that is an ordinary failure. A TypeError that is raised before the first line of the body (the
    arguments do not fit its signature) or by the SDK itself is not.
    """
    if isinstance(error, TypeError):
        return _is_raised_in(_innermost_frame(error), _SDK)
    if isinstance(error, ValueError):
        # A body without Python frames (a C function) seems to raise in the SDK module that calls it.
        frame = _innermost_frame(error)
        return _is_raised_in(frame, _SDK) and not (frame and _STEP_CALLER in frame.f_globals)
    return isinstance(error, NonDurableAwaitError | UnencodableValueError)


def _innermost_frame(error: BaseException) -> FrameType | None:
    """Returns the innermost Python frame of an error's traceback; None without a traceback."""
    trace: TracebackType | None = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame


def _is_raised_in(frame: FrameType | None, *folders: str) -> bool:
    """Returns whether a frame runs code of a file in one of the folders."""
    return frame is not None and frame.f_code.co_filename.startswith(folders)


def retry_delay(error: BaseException) -> timedelta | None:
    """Returns the `retry_after` of an error, the longest in a group; None without one."""
    wanted = []
    for it in leaves(error):
        after: Any = getattr(it, "retry_after", None) if isinstance(it, RetryableError) else None
        if after is not None:
            try:
                wanted.append(span(after))
            except (TypeError, ValueError):
                continue  # a subclass has set the field itself: use the policy's delay
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
