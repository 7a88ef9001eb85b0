"""Spans of time as people give them: a timedelta, or a number of seconds.

The same rules hold wherever one is given, and what breaks them is refused there. Zero is no time at
all: a delay of 0 is at once, a wait of 0 looks without waiting, and a limit of 0, which nothing could
keep, is an error; None is no limit. Negative spans, nan and infinity are errors. Only a sleep takes
what `asyncio.sleep` takes.
"""

from __future__ import annotations

from datetime import timedelta

CENTURY_SECONDS = 3_155_760_000
"""The longest span: a hundred years. The control plane takes no longer one."""


def in_seconds(it: float | timedelta, what: str = "a span of time") -> float:
    """Returns a span of time in seconds, whatever its sign; it may be infinite.

    Raises TypeError for what is neither a number nor a timedelta.
    """
    if isinstance(it, timedelta):
        return it.total_seconds()
    if isinstance(it, bool) or not isinstance(it, int | float):
        raise TypeError(f"{what} is a number of seconds or a timedelta, not {_shown(it)}")
    return it


def span(it: float | timedelta, what: str = "a span of time") -> timedelta:
    """Returns a span of time, 0 or more.

    Raises TypeError for what is none, ValueError for a negative, endless or undefined one.
    """
    seconds = in_seconds(it, what)
    if not 0 <= seconds <= CENTURY_SECONDS:  # false for nan
        if seconds > CENTURY_SECONDS:
            problem = f"and the limit is {CENTURY_SECONDS} seconds, a hundred years"
        else:
            problem = "and must be 0 or more seconds"
        raise ValueError(f"{what} is {_shown(it)}, {problem}")
    return it if isinstance(it, timedelta) else timedelta(seconds=it)


def limit(it: float | timedelta, what: str, *, none: str = "for no limit") -> timedelta:
    """Returns a span of time within which something must happen: more than 0.

    `none` says what None is given for.
    Raises TypeError for what is no span of time, ValueError for 0 and for what `span` refuses.
    """
    given = span(it, what)
    if not in_seconds(it):
        raise ValueError(f"{what} is 0, which nothing could keep; give None {none}")
    return max(given, timedelta.resolution)


def wait_seconds(it: float | timedelta | None, what: str) -> float | None:
    """Returns in seconds how long a caller waits: 0 or more, None for no bound.

    Raises TypeError for what is no span of time, ValueError for what `span` refuses.
    """
    return None if it is None else span(it, f"{what} (None is no bound)").total_seconds()


def _shown(it: object) -> str:
    text = repr(it)
    return text if len(text) <= 100 else f"{text[:100]}..."
