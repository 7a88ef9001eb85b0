"""Spans of time as users give them: a timedelta, or a number of seconds.

The same rules hold everywhere, and a span that breaks them is refused where it is given. Zero means
no time: a delay of 0 starts at once, a wait of 0 looks without waiting, and a time limit of 0 is an
error, because nothing could keep it. None means no limit. Negative spans, nan and infinity are
errors. Only a sleep accepts whatever `asyncio.sleep` accepts.
"""

from __future__ import annotations

from datetime import timedelta

CENTURY_SECONDS = 3_155_760_000
"""The longest span, a hundred years; it is the control plane's limit too."""


def in_seconds(it: float | timedelta, what: str = "a span of time") -> float:
    """Returns a span of time in seconds; it may be negative or infinite.

    Raises TypeError for anything but a number or a timedelta.
    """
    if isinstance(it, timedelta):
        return it.total_seconds()
    if isinstance(it, bool) or not isinstance(it, int | float):
        raise TypeError(f"{what} is a number of seconds or a timedelta, not {_shown(it)}")
    return it


def span(it: float | timedelta, what: str = "a span of time") -> timedelta:
    """Returns a span of time, 0 or more.

    Raises TypeError for anything else, ValueError for a negative, infinite or too long span and
    nan.
    """
    seconds = in_seconds(it, what)
    if not 0 <= seconds <= CENTURY_SECONDS:  # also for nan
        if seconds > CENTURY_SECONDS:
            problem = f"and the limit is {CENTURY_SECONDS} seconds, a hundred years"
        else:
            problem = "and must be 0 or more seconds"
        raise ValueError(f"{what} is {_shown(it)}, {problem}")
    return it if isinstance(it, timedelta) else timedelta(seconds=it)


def limit(it: float | timedelta, what: str, *, none: str = "for no limit") -> timedelta:
    """Returns a time limit: a span of more than 0.

    `none` completes the advice "give None ..." in the error for 0. Raises as `span` does.
    """
    given = span(it, what)
    if not in_seconds(it):
        raise ValueError(f"{what} is 0, which nothing could keep; give None {none}")
    return max(given, timedelta.resolution)


def wait_seconds(it: float | timedelta | None, what: str) -> float | None:
    """Returns a timeout in seconds: 0 or more, None for none. Raises as `span` does."""
    return None if it is None else span(it, f"{what} (None is no bound)").total_seconds()


def _shown(it: object) -> str:
    text = repr(it)
    return text if len(text) <= 100 else f"{text[:100]}..."
